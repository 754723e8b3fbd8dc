"""whp ("with high probability"): check theorems by experiment."""

__version__ = "0.1.0"
