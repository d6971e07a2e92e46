"""What a user is told of an error: one sentence that says what is wrong and what to do."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecg_rhythm.printable import shown

_NUMBER = re.compile(r"(?:os error|errno)\W{0,3}(\d{1,4})", re.IGNORECASE)
_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE)


class BadInput(Exception):
    """Something the user gave cannot be used.

    Its message is one sentence that names the file or key, what is wrong and what to do; the command
    line prints it and ends with exit code 2. Names in it may come from files: what is not visible is escaped.
    """

    def __init__(self, message: object) -> None:
        super().__init__(shown(" ".join(str(message).splitlines())))


@contextmanager
def blaming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Have an error at a file or its temporary one name `path`, and be an `OSError`, whatever library raised it."""
    try:
        yield
    except BadInput:
        raise
    except OSError as error:
        if error.errno is None and type(error) is not OSError:  # of a connection, say
            raise
        where = None if error.filename is None else Path(os.fsdecode(error.filename))
        if where is None or (temporary is not None and temporary in (where, *where.parents)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    except BaseException as error:
        number = _number_in(error)
        if number is None and not _is_foreign(error):
            raise
        text = os.strerror(number) if number else (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OSError(number or errno.EIO, text, str(path)) from error


def _is_foreign(error: BaseException) -> bool:
    """Whether an error is of a library that is not written in Python: such libraries do not raise `OSError`."""
    module = type(error).__module__
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module not in ("builtins", "__main__") and not file.endswith((".py", ".pyc"))


def _number_in(error: BaseException) -> int | None:
    """Number of the operating system's error that the text of a library's error names; None if it names none."""
    text = str(error)
    if match := _NUMBER.search(text):
        return int(match[1])
    return next((number for number in _NUMBERS if os.strerror(number) in text), None)


def sentence(error: BaseException) -> str | None:
    """What a user is told of an error at a file, or of bad input; None for any other, which is a fault of the program.

    Libraries written in other languages have errors of their own, which name the system's error in their text.
    """
    if isinstance(error, BadInput):
        return str(error)
    if isinstance(error, MemoryError):
        return "memory ran out; end other programs, or give less at once"
    if isinstance(error, OSError):
        where, why = f"{os.fsdecode(error.filename)}: " if error.filename else "", error.strerror or str(error)
    elif isinstance(error, Exception) and (number := _number_in(error)) is not None:
        where, why = "", os.strerror(number)
    else:
        return None
    return f"{where}{why}; free some space, or check the folder and its permissions"
