"""The exact surface of an across-layers slice: cells, stationary points, audit. NumPy only."""
