"""What people are shown of text from files: one line, without characters that control a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control and format characters (those that reverse text among them), of bytes that are no
text, and of ends of lines."""
MOST_LISTED = 12
"""Names that a message lists; of more, it says how many there are."""


def shown(text: object) -> str:
    r"""Text with all that is not visible escaped, such as `\x1b` and `\r`, so that a terminal shows it as it is."""
    plain = str(text)
    return plain if plain.isprintable() else "".join(map(_escaped, plain))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode() if unicodedata.category(letter) in HIDDEN else letter


def listed(names: Iterable[str], most: int = MOST_LISTED) -> str:
    """Names in a sentence; of very many, the first, and how many more there are."""
    every = list(names)
    more = [f"{len(every) - most} more"] if len(every) > most else []
    return ", ".join([*every[:most], *more])
