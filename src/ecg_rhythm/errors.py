"""The one exception a user is meant to read: a sentence that says what is wrong and what to do."""

from __future__ import annotations

from ecg_rhythm.printable import shown


class BadInput(Exception):
    """Something the user gave cannot be used.

    Its message is one sentence that names the file or key, what is wrong and what to do; the command
    line prints it and ends with exit code 2. Names in it may come from files: what is not visible is escaped.
    """

    def __init__(self, message: object) -> None:
        super().__init__(shown(" ".join(str(message).splitlines())))
