"""Train, compare and use neural networks that tell the rhythm of a single-lead ECG."""

__version__ = "0.1.0"
