"""Error surfaces of small neural nets over two-dimensional slices of their weight space."""

__version__ = "0.1.0"
