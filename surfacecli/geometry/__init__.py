"""The error surface over a two-dimensional slice of weight space. NumPy only."""
