"""Descent in a slice: the paths of gradient flow, and of gradient, Newton, Gauss-Newton steps."""
