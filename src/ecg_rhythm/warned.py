"""Warnings of libraries, heard where they are raised and nowhere else."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()
# A process is not forked while filters are changed: the child would keep them, and the lock.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@contextmanager
def heard() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of this thread; those of other threads are shown as ever.

    Python keeps filters for the whole process. So that each thread finds them as they were, one at a time changes them.
    """
    me, own = threading.get_ident(), []
    with _lock, warnings.catch_warnings():
        show = warnings.showwarning

        def collect(message, category, filename, lineno, file=None, line=None) -> None:  # type: ignore[no-untyped-def]
            if threading.get_ident() == me:
                own.append(warnings.WarningMessage(message, category, filename, lineno, file, line))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = collect
        warnings.simplefilter("always")
        yield own
