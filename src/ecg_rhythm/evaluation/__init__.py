"""Predictions -> metrics, calibration, suspects: pure functions."""
