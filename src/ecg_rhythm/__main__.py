"""The command `ecg-rhythm`, also as `python -m ecg_rhythm`: what can be said before the program is loaded."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Load the program and run the command; Ctrl-C ends it without a traceback from the first moment on."""
    at_work = signal.getsignal(signal.SIGINT)
    if at_work is signal.default_int_handler:  # not where Ctrl-C is ignored, as in the background
        signal.signal(signal.SIGINT, _end)
    from ecg_rhythm.cli import main as command

    signal.signal(signal.SIGINT, at_work)
    command()


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: an exception would come up within the modules of libraries, which may keep it or print more."""
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
