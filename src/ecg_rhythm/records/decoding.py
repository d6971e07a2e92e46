"""Bytes of a text -> the text: UTF-8 or UTF-16, else Windows-1252."""

from __future__ import annotations

import codecs

WESTERN = "cp1252"
"""What text that is no UTF-8 is taken as. The micro sign is the same byte in ISO 8859-1 and Mac Roman."""


def decoded(content: bytes, is_all: bool = True) -> tuple[str, str]:
    """Decode a text, or its first bytes, the last of which may be a part of a letter; gives its encoding, too."""
    encoding = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content, is_all), encoding
    except UnicodeDecodeError:
        return content.decode(WESTERN, errors="replace"), WESTERN
