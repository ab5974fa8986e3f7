"""The journal in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.journal.chain import GENESIS, DailyPseudonyms, row_hash
from edgegate.ports import CLOCK_ACCEPTED, Entry, KnownTime, Row
from edgegate.sqlite import checkpoint, one_line, open_database, transaction

APPLICATION_ID = 0x45474A31  # "EGJ1"

MIGRATIONS = (
    (
        "first",
        f"""
        CREATE TABLE entry (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            gate TEXT NOT NULL,
            kind TEXT NOT NULL,
            decision TEXT NOT NULL,
            reason TEXT NOT NULL,
            detail TEXT NOT NULL,
            presentation INTEGER NOT NULL,
            pseudonym TEXT NOT NULL,
            latency_ms REAL NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32)
        ) STRICT;
        CREATE TABLE purged (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
        INSERT INTO purged VALUES (0, x'{GENESIS.hex()}');
        CREATE TABLE head (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
        INSERT INTO head VALUES (0, x'{GENESIS.hex()}');
        CREATE TRIGGER entry_follows BEFORE INSERT ON entry WHEN new.seq <= (SELECT seq FROM head)
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN old.seq > (SELECT seq FROM purged)
            BEGIN SELECT raise(ABORT, 'the journal is append-only'); END
        """,
    ),
)

_COLUMNS = "seq, at, gate, kind, decision, reason, detail, presentation, pseudonym, latency_ms, hash"


class SqliteJournal:
    """Port `Journal`."""

    def __init__(self, path: Path, gate: str, *, create: bool = False) -> None:
        self._path, self._gate = path, gate
        self._db = open_database(path, application_id=APPLICATION_ID, migrations=MIGRATIONS, create=create)
        self._pseudonyms = DailyPseudonyms()

    def append(self, entry: Entry) -> int:
        row = Row(
            seq=0,
            at=entry.at,
            gate=self._gate,
            kind=entry.kind,
            decision=entry.decision,
            reason=entry.reason,
            detail=entry.detail,
            presentation=entry.presentation,
            pseudonym=self._pseudonyms.of(entry.handle, entry.at),
            latency_ms=round(entry.latency_ms, 1),
            hash=b"",
        )
        with transaction(self._db, self._path) as db:
            # The head is kept beside the rows: rows cut off at the end leave a hole, not a shorter journal.
            seq, before = _only(db.execute("SELECT seq, hash FROM head").fetchone())
            row = replace(row, seq=seq + 1)
            row = replace(row, hash=row_hash(before, row))
            db.execute(f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _values(row))
            db.execute("UPDATE head SET seq = ?, hash = ?", (row.seq, row.hash))
        return row.seq

    def rows(self, last: int | None = None) -> Iterator[Row]:
        limit = -1 if last is None else last
        query = f"SELECT * FROM (SELECT {_COLUMNS} FROM entry ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        with one_line(self._path):
            for values in self._db.execute(query, (limit,)):
                yield Row(*values)

    def verify(self) -> int:
        with one_line(self._path):
            self._db.execute("BEGIN")  # one view, while a running gate may go on writing
            try:
                return self._walk()
            finally:
                self._db.execute("ROLLBACK")

    def _walk(self) -> int:
        if self._db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise self._broken("the file is damaged")
        start = self._db.execute("SELECT seq, hash FROM purged").fetchone()
        head = self._db.execute("SELECT seq, hash FROM head").fetchone()
        if start is None or head is None:
            raise self._broken("its start or its head is gone")
        (seq, before), count = start, 0
        for row in self.rows():
            if row.seq != seq + 1:
                raise self._broken(f"row {seq + 1} is missing")
            if row.hash != row_hash(before, row):
                raise self._broken(f"row {row.seq} was altered")
            seq, before, count = row.seq, row.hash, count + 1
        if (seq, before) != head:
            raise self._broken(f"rows after {seq} are missing")
        return count

    def purge(self, before: int) -> int:
        with transaction(self._db, self._path) as db:
            # Only a run of old rows at the start goes: a clock that jumped must not make holes.
            kept = db.execute("SELECT min(seq) FROM entry WHERE at >= ?", (before,)).fetchone()[0]
            newest = db.execute("SELECT max(seq) FROM entry").fetchone()[0]
            if newest is None:
                return 0
            upto = newest if kept is None else kept - 1
            row = db.execute("SELECT seq, hash FROM entry WHERE seq = ?", (upto,)).fetchone()
            if row is None:
                return 0
            db.execute("UPDATE purged SET seq = ?, hash = ?", row)
            gone = db.execute("DELETE FROM entry WHERE seq <= ?", (upto,)).rowcount
        checkpoint(self._db, self._path)
        return int(gone)

    def known_time(self) -> KnownTime:
        with one_line(self._path):
            accepted = self._db.execute("SELECT max(seq) FROM entry WHERE kind = ?", (CLOCK_ACCEPTED,)).fetchone()[0]
            at = self._db.execute("SELECT max(at) FROM entry WHERE seq >= ?", (accepted or 0,)).fetchone()[0]
        return KnownTime(at or 0, accepted or 0)

    def close(self) -> None:
        self._db.close()

    def _broken(self, what: str) -> EdgeGateError:
        return EdgeGateError(
            f"the chain does not hold: {what}", where=str(self._path), next="keep this file and tell who is in charge"
        )


def _only(found: tuple[int, bytes] | None) -> tuple[int, bytes]:
    if found is None:
        raise sqlite3.DatabaseError("the journal has lost its head")
    return found


def _values(row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _COLUMNS.split(", "))
