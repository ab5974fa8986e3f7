"""The rows of the vault: any value in any column, by whoever can write the file.

An input is a list of changes: which row, which column, what kind of value, how many bytes it takes, and these.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from typing import TypeAlias
from zlib import crc32

from edgegate.vault.rows import COLUMNS
from tests.fuzz.small_vault import NAME, Small, loosened, scratch

Value: TypeAlias = bytes | int | float | str | None

MAX_LEN = 200
MOST = 8
"""So many changes at once are enough."""
HEADER = 4
NULL, INTEGER, REAL, TEXT, BLOB, COPY = range(6)
PLACES = (*COLUMNS, "mac")
SETTINGS = ("site", "unfinished", "lockdown", "withdrawal")


@cache
def small() -> tuple[Small, bytes]:
    made = Small()
    return made, loosened(made.settled)


def seeds() -> Iterator[bytes]:
    """Every column with every kind of value; and rows that change places."""
    for place in range(len(PLACES)):
        for kind, value in (
            (NULL, b""),
            (INTEGER, b"\x01"),
            (INTEGER, b"\x7f" + b"\xff" * 7),
            (REAL, struct.pack("<d", float("inf"))),
            (TEXT, b"volunteer"),
            (TEXT, b"\xff\xfe"),
            (BLOB, bytes(32)),
            (COPY, b"\x01"),
        ):
            yield bytes([place % 6, place, kind, len(value)]) + value
    for setting in range(len(SETTINGS)):
        yield bytes([6 + setting, 0, BLOB, 4]) + b"site"
        yield bytes([6 + setting, 0, TEXT, 1]) + b"1"


def check(data: bytes) -> int:
    """Fails where a changed row is believed, or breaks more than itself. Returns how many templates opened."""
    made, loose = small()
    with scratch() as folder:
        path = folder / NAME
        path.write_bytes(loose)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            handles = [row[0] for row in db.execute("SELECT handle FROM badge ORDER BY handle")]
            for row, place, kind, value in changes(data):
                with suppress(sqlite3.Error):
                    change(db, handles, row, place, kind, value)
        return made.survives(folder, crc32(data))


def changes(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    for _ in range(MOST):
        if len(data) < HEADER:
            return
        row, place, kind, size = data[:HEADER]
        yield row, place % len(PLACES), kind % (COPY + 1), data[HEADER : HEADER + size]
        data = data[HEADER + size :]


def change(db: sqlite3.Connection, handles: list[bytes], row: int, place: int, kind: int, value: bytes) -> None:
    column, cast = PLACES[place], "CAST(? AS TEXT)" if kind == TEXT else "?"  # so that it need not be UTF-8
    if row >= len(handles):
        name = SETTINGS[row % len(SETTINGS)]
        db.execute("DELETE FROM setting WHERE name = ?", (name,))
        if kind != NULL:
            db.execute(f"INSERT INTO setting VALUES (?, {cast})", (name, read(kind, value)))
    elif kind == COPY:
        other = handles[(value or b"\0")[0] % len(handles)]
        copied = f"(SELECT {column} FROM badge WHERE handle = ?)"
        db.execute(f"UPDATE badge SET {column} = {copied} WHERE handle = ?", (other, handles[row]))
    else:
        db.execute(f"UPDATE badge SET {column} = {cast} WHERE handle = ?", (read(kind, value), handles[row]))


def read(kind: int, value: bytes) -> Value:
    if kind == INTEGER:
        return int.from_bytes(value[:8], "big", signed=True)
    if kind == REAL:
        return float(struct.unpack("<d", value[:8].ljust(8, b"\0"))[0])
    return None if kind == NULL else value
