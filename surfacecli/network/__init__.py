"""The network that is measured: transfer functions, losses, weights, data. NumPy only."""
