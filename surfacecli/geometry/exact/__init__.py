"""The exact surface of a within-layer slice: cells, stationary points, audit. NumPy only."""
