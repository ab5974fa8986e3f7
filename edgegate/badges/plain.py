"""A plain badge: the number of an RFID card or a barcode that nobody signed. Whoever knows the number can copy it.

Nothing keeps the number itself: the badge's id is a hash of it, and the vault knows only a keyed hash of that.
"""

from __future__ import annotations

import hashlib

MIN_CHARS = 4
MAX_CHARS = 64
_DOMAIN = b"edgegate/plain/1\0"
_ID_BYTES = 16


def read_number(text: str) -> str | None:
    """The number as it counts: in capitals and without spaces, since readers and people differ in both. Everything
    else stays, leading zeros too. None when it cannot be one: not 4 to 64 printable ASCII characters.
    """
    # ASCII first: in capitals, some other letters would turn into it (`ß` into SS).
    text = text.strip()
    number = text.replace(" ", "").upper() if text.isascii() and text.isprintable() else ""
    return number if MIN_CHARS <= len(number) <= MAX_CHARS else None


def number_id(number: str) -> bytes:
    """The badge id: the first 16 bytes of SHA-256 of `edgegate/plain/1`, a zero byte and the number."""
    return hashlib.sha256(_DOMAIN + number.encode("ascii")).digest()[:_ID_BYTES]
