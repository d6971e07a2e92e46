"""Layers that architectures are built of."""
