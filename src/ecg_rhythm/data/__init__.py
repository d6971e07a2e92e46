"""Labelled sets of recordings on disk: packed, divided into folds; no torch."""
