"""Predictions -> figures: pure functions."""
