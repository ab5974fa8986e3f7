"""The journal on SQLite: what survives a kill, what nobody can change unseen, and what is not in it."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import cbor2
import pytest

from edgegate.errors import EdgeGateError, StoreError
from edgegate.journal.store import SqliteJournal
from edgegate.stores import Entry, Row
from tests.contracts.child import SPACE
from tests.contracts.kit import DAY_S, NOW, begin, child, files, holding, line, lines, said

ROWS = 6
HANDLES = [hashlib.sha256(bytes([number])).digest() for number in range(ROWS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def entry(number: int, at: int = NOW) -> Entry:
    return Entry(
        at=at + number,
        kind="decision",
        decision="alarm",
        reason="forged",
        detail="bad_signature",
        presentation=number,
        handle=HANDLES[number % ROWS],
        latency_ms=12.5,
    )


def fill(path: Path, count: int = ROWS, first: int = 1) -> list[Row]:
    """Append some entries, and give all rows."""
    with closing(SqliteJournal(path, "Gate A", create=True)) as journal:
        for number in range(first, first + count):
            journal.append(entry(number))
        return list(journal.rows())


def verify(path: Path) -> int:
    with closing(SqliteJournal(path, "Gate A")) as journal:
        return journal.verify()


def tamper(path: Path, *statements: str) -> None:
    """Change the file past the journal, as somebody with its password and a book on SQL would."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TRIGGER IF EXISTS entry_stays; DROP TRIGGER IF EXISTS entry_kept;")
        for name in [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()]:
            db.execute(f"DROP TRIGGER {name}")
        db.executescript(";".join(statements))


def test_the_chain_is_the_one_that_is_documented(path: Path) -> None:
    """SHA-256 over the hash before and the row as canonical CBOR, from 32 zero bytes: others can check it."""
    before = bytes(32)
    for row in fill(path):
        *values, found = astuple(row)
        assert hashlib.sha256(before + cbor2.dumps([1, *values], canonical=True)).digest() == found
        before = found


CHANGES = {
    "at": "UPDATE entry SET at = at + 1 WHERE seq = 3",
    "gate": "UPDATE entry SET gate = 'Gate B' WHERE seq = 3",
    "kind": "UPDATE entry SET kind = 'start' WHERE seq = 3",
    "decision": "UPDATE entry SET decision = 'granted' WHERE seq = 3",
    "reason": "UPDATE entry SET reason = 'match' WHERE seq = 3",
    "detail": "UPDATE entry SET detail = '' WHERE seq = 3",
    "presentation": "UPDATE entry SET presentation = 99 WHERE seq = 3",
    "pseudonym": "UPDATE entry SET pseudonym = (SELECT pseudonym FROM entry WHERE seq = 4) WHERE seq = 3",
    "latency": "UPDATE entry SET latency_ms = 12.6 WHERE seq = 3",
    "hash": "UPDATE entry SET hash = zeroblob(32) WHERE seq = 3",
    "the first": "UPDATE entry SET reason = 'match' WHERE seq = 1",
    "the last": "UPDATE entry SET reason = 'match' WHERE seq = 6",
    "one deleted": "DELETE FROM entry WHERE seq = 3",
    "the first deleted": "DELETE FROM entry WHERE seq = 1",
    "the first ones deleted": "DELETE FROM entry WHERE seq <= 4",
    "the last deleted": "DELETE FROM entry WHERE seq = 6",
    "the last ones deleted": "DELETE FROM entry WHERE seq >= 4",
    "all deleted": "DELETE FROM entry",
    "deleted and closed up": "DELETE FROM entry WHERE seq = 3; UPDATE entry SET seq = seq - 1 WHERE seq > 3",
    "two exchanged": "UPDATE entry SET seq = -3 WHERE seq = 3; UPDATE entry SET seq = 3 WHERE seq = 4; "
    "UPDATE entry SET seq = 4 WHERE seq = -3",
    "one slipped in": "INSERT INTO entry SELECT 7, at, gate, kind, 'granted', 'match', '', 7, pseudonym, latency_ms, "
    "hash FROM entry WHERE seq = 6",
    "one replaced": "INSERT OR REPLACE INTO entry SELECT 3, at, gate, kind, 'granted', 'match', '', 3, pseudonym, "
    "latency_ms, hash FROM entry WHERE seq = 3",
    "the start moved": "UPDATE start SET seq = 1",
    "the start forgotten": "DELETE FROM start",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_behind_the_journals_back_is_found(change: str, path: Path) -> None:
    """With the triggers dropped SQL can do anything; the chain then says in one line that it does not hold."""
    fill(path)
    assert ROWS == verify(path)
    tamper(path, change)
    with pytest.raises(EdgeGateError) as caught:
        verify(path)
    assert str(path) in said(caught.value)


@pytest.mark.parametrize("change", [CHANGES["the last deleted"], CHANGES["all deleted"], CHANGES["one deleted"]])
def test_what_was_cut_off_stays_found_after_more_entries(change: str, path: Path) -> None:
    """Going on writing does not heal a chain."""
    fill(path)
    tamper(path, change)
    fill(path, 2, first=7)
    with pytest.raises(EdgeGateError):
        verify(path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET reason = 'match'",
        "UPDATE entry SET reason = 'match' WHERE seq = 3",
        "UPDATE OR IGNORE entry SET at = 0",
        "DELETE FROM entry",
        "DELETE FROM entry WHERE seq = 6",
        "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 3",
        "REPLACE INTO entry SELECT 3, at, gate, kind, 'granted', 'match', '', 3, '', 0.0, hash FROM entry LIMIT 1",
    ],
)
def test_rows_cannot_be_changed_by_accident(change: str, path: Path) -> None:
    """Triggers refuse it, whoever asks with whatever tool."""
    rows = fill(path)
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(change)
    with closing(SqliteJournal(path, "Gate A")) as journal:
        assert rows == list(journal.rows())


def test_each_flipped_bit_is_found_or_changes_no_row(path: Path) -> None:
    """One bit of each byte of a small journal: an error in one line, or the very same rows."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA page_size = 512; VACUUM; PRAGMA user_version = 0")
    rows = fill(path)
    good, dice, found = path.read_bytes(), random.Random(2), 0
    for at in range(len(good)):
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << dice.randrange(8))]) + good[at + 1 :])
        try:
            journal = SqliteJournal(path, "Gate A")
        except StoreError as error:
            found += bool(said(error))
            continue
        with closing(journal):
            try:
                assert len(rows) == journal.verify()
                assert rows == list(journal.rows())
            except EdgeGateError as error:
                found += bool(said(error))
    assert found > 500


def test_the_file_holds_no_handle(path: Path) -> None:
    """Neither raw nor as digits; what stands for a badge is the day's pseudonym, which is not part of the handle."""
    with closing(SqliteJournal(path, "Gate A", create=True)) as journal:
        for number in range(1, 50):
            journal.append(entry(number))
        names = {row.pseudonym for row in journal.rows()}
        for handle in HANDLES:
            for part in (handle, handle[:8], handle[-8:]):
                assert [] == holding(path.parent, part)
    assert ROWS == len(names)
    assert not any(name in handle.hex() for name in names for handle in HANDLES)
    assert holding(path.parent, next(iter(names)).encode())  # the test reads the right files


def test_purged_rows_are_gone_from_every_file(path: Path) -> None:
    """After 30 days nothing of a row is left, not even in the log beside the file while the daemon runs."""
    with closing(SqliteJournal(path, "Gate A", create=True)) as journal:
        journal.append(entry(1))
        (old,) = journal.rows()
        journal.append(entry(2, NOW + DAY_S))
        assert 1 == journal.purge(NOW + DAY_S)
        (new,) = journal.rows()
        assert [] == holding(path.parent, old.pseudonym.encode())
        assert holding(path.parent, new.pseudonym.encode())
    assert [] == holding(path.parent, old.pseudonym.encode())


def test_every_acknowledged_entry_outlives_a_kill(path: Path) -> None:
    """kill -9 in the middle of many: each that was acknowledged is there, and the chain holds and goes on."""
    with child("journal", path, 1, 100_000) as process:
        begin(process)
        acknowledged = [int(line(process)) for _ in range(50)]
        process.kill()
        acknowledged += [int(text) for text in lines(process)]
    kept = verify(path)
    assert kept - len(acknowledged) in (0, 1)  # one may be kept that nobody was told of
    assert kept < 100_000
    rows = fill(path, 1, first=100_001)
    assert [*range(1, kept + 1), 100_001] == [row.presentation for row in rows]
    assert kept + 1 == verify(path)


def test_two_processes_write_one_chain(path: Path) -> None:
    """The daemon decides while a command notes something: both are kept, in one order."""
    with child("journal", path, 0, 60) as one, child("journal", path, 100, 60) as other:
        begin(one, other)
        assert [str(number) for number in range(60)] == lines(one)
        assert [str(number) for number in range(100, 160)] == lines(other)
    assert 120 == verify(path)


@pytest.mark.parametrize("moment", range(8))
def test_the_chain_holds_while_the_gate_goes_on_writing(moment: int, path: Path) -> None:
    """Somebody verifies while the daemon records: between whichever statements its entry comes, nothing is amiss."""
    with closing(SqliteJournal(path, "Gate A", create=True)) as gate, closing(SqliteJournal(path, "Gate A")) as office:
        for number in range(ROWS):
            gate.append(entry(number))
        statements = list[str]()

        def meanwhile(statement: str) -> None:
            statements.append(statement)
            if len(statements) == moment + 1:
                gate.append(entry(ROWS))

        office._db.set_trace_callback(meanwhile)
        assert office.verify() in (ROWS, ROWS + 1)
        office._db.set_trace_callback(None)
        assert ROWS + (moment < len(statements)) == office.verify()


def test_without_space_nothing_recorded_is_lost(path: Path) -> None:
    """Files that cannot grow: the entry is refused in one line, those before it hold, and later it goes on."""
    with child("journal-starved", path, 1, 100_000) as process:
        begin(process)
        *acknowledged, last = lines(process)
    assert last.startswith(("StoreError", "DiskFull"))
    assert str(path) in last
    assert len(acknowledged) > 3
    assert max(len(data) for data in files(path.parent).values()) <= SPACE
    assert len(acknowledged) == verify(path)
    assert len(acknowledged) + 1 == len(fill(path, 1))
    assert len(acknowledged) + 1 == verify(path)


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_a_cut_file_is_told(part: int, path: Path) -> None:
    """A journal of which some fifths are missing, as after a bad copy, does not verify."""
    fill(path, 200)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * part // 5])
    with pytest.raises(EdgeGateError) as caught:
        verify(path)
    said(caught.value)
