"""`python -m ecg_rhythm` is the command `ecg-rhythm`."""

from ecg_rhythm.cli import main

main()
