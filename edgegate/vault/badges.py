"""The table of badges: rows are read with their code checked, and whatever leaves a row is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegate.errors import EdgeGateError, StoreError
from edgegate.model import Standing, Status
from edgegate.sqlite import one_line
from edgegate.stores import Erased
from edgegate.traces import MIN_BYTES
from edgegate.vault.rows import COLUMNS, INSERT, BadgeRow, RowCodes

_SELECT = f"SELECT {', '.join(COLUMNS)}, mac FROM badge"
_UPDATE = f"UPDATE badge SET {', '.join(f'{name} = ?' for name in COLUMNS)}, mac = ? WHERE handle = ?"


@dataclass(frozen=True, slots=True)
class Kept:
    """A row as it is in the file, and what it says."""

    row: BadgeRow
    code: bytes
    standing: Standing


class Gone:
    """What one transaction takes away."""

    def __init__(self) -> None:
        self.rows = self.consents = 0
        self._traces, self._kept = set[bytes](), set[bytes]()

    def note(self, kept: Kept) -> None:
        """This row is no more, or no more what it was."""
        self.rows += 1
        self.consents += kept.row.status == Status.VOLUNTEER
        self._traces |= _unique(kept.row, kept.code)

    def keep(self, row: BadgeRow, code: bytes) -> None:
        """This row is there from now on."""
        self._kept |= _unique(row, code)

    def erased(self) -> Erased:
        return Erased(self.rows, tuple(sorted(self._traces - self._kept)), self.consents)


class Badges:
    """The rows, in an open database; changes want a transaction around them."""

    def __init__(self, db: sqlite3.Connection, path: Path, codes: RowCodes) -> None:
        self._db, self._path, self._codes = db, path, codes

    def select(self, which: str = "", *arguments: object) -> list[Kept]:
        """The rows that a WHERE clause names, in the order it asks for."""
        with one_line(self._path):
            found = self._db.execute(f"{_SELECT} {which}", arguments).fetchall()
        return [self._read(values) for values in found]

    def one(self, handle: bytes) -> Kept | None:
        return next(iter(self.select("WHERE handle = ?", handle)), None)

    def known(self, handle: bytes) -> Kept:
        """Raises EdgeGateError for a badge that is not there."""
        found = self.one(handle)
        if found is None:
            raise EdgeGateError("this badge is not known to this vault", next="see `edgegate enroll list`")
        return found

    def insert(self, row: BadgeRow, gone: Gone) -> None:
        code = self._codes.code(row)
        gone.keep(row, code)
        self._db.execute(INSERT, (*row.values(), code))

    def change(self, rows: Iterable[Kept], into: Callable[[BadgeRow], BadgeRow], gone: Gone) -> None:
        """Rewrite rows that turn out different."""
        for kept in rows:
            row = into(kept.row)
            if row == kept.row and not kept.standing.altered:
                continue
            code = self._codes.after(row, altered=kept.standing.altered)
            gone.note(kept)
            gone.keep(row, code)
            self._db.execute(_UPDATE, (*row.values(), code, row.handle))

    def drop(self, which: str, *arguments: object, gone: Gone) -> None:
        """Delete the rows that a WHERE clause names."""
        for kept in self.select(which, *arguments):
            gone.note(kept)
        self._db.execute(f"DELETE FROM badge {which}", arguments)

    def _read(self, values: tuple[Any, ...]) -> Kept:
        *columns, code = values
        row = BadgeRow(*columns)
        if not isinstance(row.handle, bytes):
            raise StoreError(
                "holds a row that makes no sense", where=str(self._path), next="it is damaged: put back a copy"
            )
        altered = not self._codes.holds(row, code)
        try:
            return Kept(row, code, row.standing(altered=altered))
        except (ValueError, TypeError, OverflowError):
            return Kept(row, code, Standing(row.handle, Status.UNKNOWN, altered=True))


def _unique(row: BadgeRow, code: bytes) -> set[bytes]:
    """What is nowhere else than in this row: its ciphertext and its keyed hashes."""
    values = (row.handle, row.card, row.sealed, code)
    return {value for value in values if isinstance(value, bytes) and len(value) >= MIN_BYTES}
