"""Inputs that nobody means well with, for readers and the web service."""
