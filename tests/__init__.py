"""Tests of the program; where several processes run them, each computes in one thread, as they share the cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before any library is loaded
