"""What is measured: speed and memory against a baseline in the same run, and what documents say of results."""

from pathlib import Path

DATA = Path("data")
"""Data folder with the packed challenge set."""
