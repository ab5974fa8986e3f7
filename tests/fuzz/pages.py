"""The vault's files, page by page: any byte of the database or of its write-ahead log is another one, or gone.

An input says with its first byte which file is meant, and then where: an offset (three bytes), how many bytes there
take another value, and these. A length of zero cuts the file short there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from zlib import crc32

from tests.fuzz.small_vault import NAME, Small, scratch

MAX_LEN = 200
SETTLED, UNDER_LOG, LOG = range(3)
HEADER = 4
MOST = 32


@cache
def small() -> Small:
    return Small()


def seeds() -> Iterator[bytes]:
    """The first bytes of each page, of the file and of the log, in turn; and files cut short."""
    made = small()
    for which, data in ((SETTLED, made.settled), (UNDER_LOG, made.file), (LOG, made.log)):
        for offset in range(0, len(data), 2048):
            yield patch(which, offset, b"\xff\x00\x7f")
            yield patch(which, offset + 100, b"\x05")
        yield patch(which, len(data) // 2, b"")
    for handle in made.handles:  # the lengths in front of a row: longer than any memory
        yield patch(SETTLED, made.settled.index(handle) - 16, b"\xff" * 9)
    yield patch(SETTLED, 18, b"\x01\x01")  # no write-ahead log
    yield patch(SETTLED, 60, b"\x00\x00\x00\x01")  # the format of an old version
    yield patch(SETTLED, 60, b"\xff\xff\xff\xff")
    yield patch(SETTLED, 60, b"\x00\x00\x00\x63")


def patch(which: int, offset: int, value: bytes) -> bytes:
    return bytes([which]) + offset.to_bytes(3, "big") + bytes([len(value)]) + value


def check(data: bytes) -> int:
    """Fails where a changed file is believed, or not refused in words. Returns how many templates opened."""
    made, which = small(), (data[0] if data else 0) % 3
    files = {NAME: bytearray(made.settled)}
    if which != SETTLED:
        files = {NAME: bytearray(made.file), f"{NAME}-wal": bytearray(made.log)}
    spoil(files[f"{NAME}-wal" if which == LOG else NAME], data[1:])
    with scratch() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return made.survives(folder, crc32(data))


def spoil(content: bytearray, changes: bytes) -> None:
    for _ in range(MOST):
        if len(changes) < HEADER or not content:
            return
        offset, size = int.from_bytes(changes[:3], "big") % len(content), changes[3]
        value, changes = changes[HEADER : HEADER + size], changes[HEADER + size :]
        if size == 0:
            del content[offset:]
        else:
            content[offset : offset + len(value)] = value
