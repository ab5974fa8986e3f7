"""The journal in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.journal import chain, hours, start
from edgegate.journal.pseudonyms import DailyPseudonyms
from edgegate.journal.start import Start, Verifier
from edgegate.journal.tables import APPLICATION_ID, COLUMNS, MIGRATIONS, START_COLUMNS
from edgegate.sqlite import checkpoint, one_line, open_database, transaction
from edgegate.stores import CLOCK_ACCEPTED, Entry, Head, HourCount, KnownTime, Row, Signer

COUNTS_ALTERED = "the hourly counts were altered"
MOST_ROWS = 10_000
"""How many rows one purge takes: after a summer without power, the gate's loop must not stand still for all of them
(measured: 0.4 s on a 2-core x86-64 machine)."""


class SqliteJournal:
    """Port `Journal`."""

    def __init__(
        self,
        path: Path,
        gate: str,
        *,
        create: bool = False,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        runtime: Path | None = None,
    ) -> None:
        """`signer` signs what a purge leaves; `verifier`, unless it is the same, tells whether that was signed here.
        `runtime` is a folder in memory where the day's key outlives a restart: the daemon's alone."""
        self._path, self._gate = path, gate
        self._signer, self._verifier = signer, verifier or signer
        self._db = open_database(path, application_id=APPLICATION_ID, migrations=MIGRATIONS, create=create)
        self._pseudonyms = DailyPseudonyms(runtime)

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
            latency_ms=round(float(entry.latency_ms), 1),
            hash=b"",
        )
        with transaction(self._db, self._path) as db:
            # The head is kept beside the rows: rows cut off at the end leave a hole, not a shorter journal.
            last = _head(db)
            row = replace(row, seq=last.seq + 1)
            row = replace(row, hash=chain.row_hash(last.hash, row))
            db.execute(f"INSERT INTO entry ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _values(row))
            db.execute("UPDATE head SET seq = ?, hash = ?", (row.seq, row.hash))
        return row.seq

    def rows(self, last: int | None = None) -> Iterator[Row]:
        limit = -1 if last is None else last
        query = f"SELECT * FROM (SELECT {COLUMNS} FROM entry ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        with one_line(self._path):
            for values in self._db.execute(query, (limit,)):
                yield Row(*values)

    def head(self) -> Head:
        with one_line(self._path):
            return _head(self._db)

    def start(self) -> Start:
        """Where the rows that are kept begin, and who signed that."""
        with one_line(self._path):
            return _start(self._db)

    def verify(self, head: Head | None = None) -> int:
        with one_line(self._path):
            self._db.execute("BEGIN")  # one view, while a running gate may go on writing
            try:
                return self._walk(head)
            finally:
                self._db.execute("ROLLBACK")

    def _walk(self, noted: Head | None) -> int:
        if self._db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise self._broken("the file is damaged")
        begin, last = _start(self._db), _head(self._db)
        if flaw := start.flaw(begin, self._verifier):
            raise self._broken(flaw)
        if hours.digest(self._db) != begin.hours:
            raise self._broken(COUNTS_ALTERED)
        at = Head(begin.seq, begin.hash)
        found = at if noted is not None and noted.seq == at.seq else None
        for row in self.rows():
            if flaw := chain.flaw(at.seq, at.hash, row):
                raise self._broken(flaw)
            at = Head(row.seq, row.hash)
            if noted is not None and noted.seq == at.seq:
                found = at
        if at != last:
            raise self._broken(f"rows after {at.seq} are missing")
        if noted is not None and found != noted:
            raise self._not_there(noted, begin, at)
        return at.seq - begin.seq

    def purge(self, before: int) -> int:
        """As the port says, but no more than `MOST_ROWS` in one call; the next one goes on."""
        with transaction(self._db, self._path) as db:
            old = _start(db)
            upto, last_hash = _last_old(db, before, old.seq + MOST_ROWS) or (old.seq, old.hash)
            if upto <= old.seq:
                if old.signature or not old.seq or self._signer is None:
                    return 0
                upto, last_hash, before = old.seq, old.hash, old.before  # there is a key now: only to sign
            # Looked at before anything changes: what was altered must not come out of this signed.
            trouble = _trouble(db, old, upto)
            hours.fold(db, upto)
            new = start.next_start(
                old,
                self._signer,
                seq=upto,
                hash=last_hash,
                before=before,
                hours=hours.digest(db),
                trouble=trouble,
            )
            assignments = ", ".join(f"{name} = ?" for name in START_COLUMNS.split(", "))
            db.execute(
                f"UPDATE start SET {assignments}", tuple(getattr(new, name) for name in START_COLUMNS.split(", "))
            )
            gone = db.execute("DELETE FROM entry WHERE seq <= ?", (upto,)).rowcount
        checkpoint(self._db, self._path)
        return int(gone)

    def hourly(self) -> Iterator[HourCount]:
        with one_line(self._path):
            yield from hours.counts(self._db)

    def known_time(self) -> KnownTime:
        with one_line(self._path):
            accepted = self._db.execute("SELECT max(seq) FROM entry WHERE kind = ?", (CLOCK_ACCEPTED,)).fetchone()[0]
            at = self._db.execute("SELECT max(at) FROM entry WHERE seq >= ?", (accepted or 0,)).fetchone()[0]
        return KnownTime(at or 0, accepted or 0)

    def end_day(self, now: int) -> None:
        """Forget the key of the pseudonyms unless it is that of this day: to be called when nobody comes, too."""
        self._pseudonyms.end(now)

    def close(self) -> None:
        self._pseudonyms.close()
        self._db.close()

    def _broken(self, what: str) -> EdgeGateError:
        return EdgeGateError(
            f"the chain does not hold: {what}", where=str(self._path), next="keep this file and tell who is in charge"
        )

    def _not_there(self, noted: Head, begin: Start, last: Head) -> EdgeGateError:
        """The chain holds, but it is not the one whose head was noted, or no longer goes back so far."""
        if noted.seq < begin.seq:
            return EdgeGateError(
                f"the head that was noted, row {noted.seq}, is older than what is kept (rows from {begin.seq + 1} on)",
                where=str(self._path),
                next="note a newer one with `edgegate journal head`",
            )
        what = f"row {noted.seq} is not the one whose head was noted: it was written anew"
        if noted.seq > last.seq:
            what = f"it ends with row {last.seq}, and row {noted.seq} was noted: an older file was put in its place"
        return self._broken(what)


def _head(db: sqlite3.Connection) -> Head:
    found = db.execute("SELECT seq, hash FROM head").fetchall()
    if len(found) != 1:
        raise sqlite3.DatabaseError("the journal has lost its head")
    return Head(*found[0])


def _start(db: sqlite3.Connection) -> Start:
    found = db.execute(f"SELECT {START_COLUMNS} FROM start").fetchall()
    if len(found) != 1:
        raise sqlite3.DatabaseError("the journal has lost its start")
    return Start(*found[0])


def _last_old(db: sqlite3.Connection, before: int, most: int) -> tuple[int, bytes] | None:
    """The last row of the run of old ones at the start, not beyond row `most`; None when there is none.

    A clock that jumped makes no holes: an old date between newer ones stays. But rows from before a moment at which
    somebody accepted the clock are older than that moment, whatever their own dates say.
    """
    vouched = "SELECT max(seq) FROM entry WHERE kind = ? AND at < ?"
    accepted = db.execute(vouched, (CLOCK_ACCEPTED, before)).fetchone()[0]
    kept = db.execute("SELECT min(seq) FROM entry WHERE at >= ? AND seq > ?", (before, accepted or 0)).fetchone()[0]
    query = "SELECT seq, hash FROM entry WHERE (? IS NULL OR seq < ?) AND seq <= ? ORDER BY seq DESC LIMIT 1"
    found: tuple[int, bytes] | None = db.execute(query, (kept, kept, most)).fetchone()
    return found


def _trouble(db: sqlite3.Connection, begin: Start, upto: int) -> str:
    """What is wrong with the counts, or with the rows up to this one; empty when nothing is."""
    seq, before = begin.seq, begin.hash
    try:
        if hours.digest(db) != begin.hours:
            return COUNTS_ALTERED
        for values in db.execute(f"SELECT {COLUMNS} FROM entry WHERE seq <= ? ORDER BY seq", (upto,)):
            row = Row(*values)
            if flaw := chain.flaw(seq, before, row):
                return flaw
            seq, before = row.seq, row.hash
    except (sqlite3.Error, UnicodeDecodeError):
        return f"row {seq + 1} could not be read"  # it goes all the same: it is past its date
    return ""


def _values(row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in COLUMNS.split(", "))
