"""What a purge leaves: a start that the device signed, the counts it vouches for, and nothing altered made good."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgegate import device_key
from edgegate.errors import EdgeGateError, StoreError
from edgegate.journal import start, store
from edgegate.journal.chain import GENESIS, row_hash
from edgegate.journal.store import SqliteJournal
from edgegate.journal.tables import APPLICATION_ID, COLUMNS, MIGRATIONS
from edgegate.sqlite import open_database
from edgegate.stores import Entry, HourCount, Row
from tests.contracts.kit import NOW, ROOT, said
from tests.journal_child import entry

ROWS, GONE = 8, 5
BEFORE = entry(GONE + 1).at

needs_tools = pytest.mark.skipif(
    None in (shutil.which("sqlite3"), shutil.which("openssl"), shutil.which("sha256sum")),
    reason="this machine lacks sqlite3, openssl or sha256sum",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a device keeps its journal; its key is beside it, `other.key` is another device's."""
    for name in ("device.key", "other.key"):
        device_key.make(tmp_path / name)
    return tmp_path / "journal.db"


def opened(path: Path, key: str | None = "device.key") -> SqliteJournal:
    signer = device_key.load(path.with_name(key)) if key is not None else None
    return SqliteJournal(path, "Gate A", create=True, signer=signer)


def fill(path: Path, key: str | None = "device.key", rows: int = ROWS, gone: int = GONE) -> None:
    """Rows from 1 on, the first of them purged."""
    with closing(opened(path, key)) as journal:
        for number in range(1, rows + 1):
            journal.append(entry(number))
        assert gone == journal.purge(entry(gone + 1).at)


def verify(path: Path, key: str | None = "device.key") -> int:
    """With nothing but the public part, as an inspector does."""
    verifier = device_key.load_public(path.with_name(key)) if key is not None else None
    with closing(SqliteJournal(path, "Gate A", verifier=verifier)) as journal:
        return journal.verify()


def wrong(path: Path, key: str | None = "device.key") -> str:
    """Why it does not verify, in one line."""
    with pytest.raises(EdgeGateError) as caught:
        verify(path, key)
    assert str(path) in said(caught.value)
    return said(caught.value)


def tamper(path: Path, *statements: str) -> None:
    """Change the file past the journal, triggers out of the way."""
    with closing(sqlite3.connect(path)) as db:
        for name in [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()]:
            db.execute(f"DROP TRIGGER {name}")
        db.executescript(";".join(statements))


def begin(path: Path) -> start.Start:
    with closing(SqliteJournal(path, "Gate A")) as journal:
        return journal.start()


def test_a_purge_is_signed(path: Path) -> None:
    """By this device, over the last row that went; a journal that was never purged needs no signature."""
    fill(path, gone=0)
    assert start.Start() == begin(path)
    assert ROWS == verify(path)
    with closing(opened(path)) as journal:
        before = list(journal.rows())
        assert GONE == journal.purge(BEFORE)
    found = begin(path)
    assert (GONE, before[GONE - 1].hash, BEFORE, 0, "") == (
        found.seq,
        found.hash,
        found.before,
        found.unsigned,
        found.doubt,
    )
    assert device_key.load(path.with_name("device.key")).name == found.device
    assert ROWS - GONE == verify(path)


def test_purged_twice_is_purged_once(path: Path) -> None:
    """Nothing to do leaves everything as it is; the next date moves the start on."""
    fill(path)
    first = begin(path)
    with closing(opened(path)) as journal:
        assert 0 == journal.purge(BEFORE)
        assert 0 == journal.purge(0)
        assert first == journal.start()
        assert 1 == journal.purge(entry(GONE + 2).at)
    assert GONE + 1 == begin(path).seq
    assert ROWS - GONE - 1 == verify(path)


def test_a_purge_takes_its_time_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a summer without power the gate does not stand still: so many rows a call, and each piece is signed."""
    fill(path, gone=0)
    monkeypatch.setattr(store, "MOST_ROWS", 3)
    with closing(opened(path)) as journal:
        assert [3, 3, 2, 0] == [journal.purge(entry(ROWS + 1).at) for _ in range(4)]
        assert ROWS == sum(one.count for one in journal.hourly())
    assert 0 == verify(path)


def test_without_a_key_it_is_unsigned(path: Path) -> None:
    """It works and verifies where there is no key at all; where there is one, somebody may have taken it away."""
    fill(path, None)
    assert ("", b"") == (begin(path).device, begin(path).signature)
    assert ROWS - GONE == verify(path, None)
    assert "not signed, although this device has a key" in wrong(path)


def test_a_key_that_comes_later_signs_what_it_finds(path: Path) -> None:
    """Once, with nothing to purge; that earlier purges were not signed stays known for good."""
    fill(path, None)
    with closing(opened(path)) as journal:
        assert 0 == journal.purge(0)
    assert (GONE, BEFORE, GONE, "") == (
        begin(path).seq,
        begin(path).before,
        begin(path).unsigned,
        begin(path).doubt,
    )
    with closing(opened(path)) as journal:
        assert 1 == journal.purge(entry(GONE + 2).at)
    assert (GONE + 1, GONE) == (begin(path).seq, begin(path).unsigned)
    assert ROWS - GONE - 1 == verify(path)


def test_a_journal_of_another_device_is_told(path: Path) -> None:
    """A stolen or exchanged file: its own signature does not count here; nor does anybody's whose key is missing."""
    fill(path, "other.key")
    other = device_key.load(path.with_name("other.key")).name
    assert f"signed by another device ({other})" in wrong(path)
    assert f"signed by device {other}, whose public key is not here" in wrong(path, None)
    assert ROWS - GONE == verify(path, "other.key")


CHANGES = {
    "the signature": "UPDATE start SET signature = zeroblob(64)",
    "no signature": "UPDATE start SET signature = x''",
    "neither signature nor device": "UPDATE start SET signature = x'', device = ''",
    "the row": "UPDATE start SET seq = seq - 1",
    "the hash": "UPDATE start SET hash = zeroblob(32)",
    "the date": "UPDATE start SET before = before - 1",
    "the counts' digest": "UPDATE start SET hours = zeroblob(32)",
    "what was unsigned": "UPDATE start SET unsigned = 3",
    "a doubt": "UPDATE start SET doubt = 'none'",
    "a doubt that breaks the screen": "UPDATE start SET doubt = 'a' || char(10) || char(27) || '[2J'",
    "the device": "UPDATE start SET device = '0123456789abcdef'",
    "a device that breaks the screen": "UPDATE start SET device = char(10) || 'all is well'",
    "the start gone": "DELETE FROM start",
    "two starts": "INSERT INTO start SELECT * FROM start",
    "as if nothing had been purged": "UPDATE start SET seq = 0, hash = zeroblob(32), before = 0, hours = "
    f"x'{start.NO_HOURS.hex()}', device = '', signature = x''; DELETE FROM hourly",
    "rows purged by somebody else": "UPDATE start SET seq = 6, hash = (SELECT hash FROM entry WHERE seq = 6); "
    "DELETE FROM entry WHERE seq <= 6",
    "the same, and unsigned": "UPDATE start SET seq = 6, hash = (SELECT hash FROM entry WHERE seq = 6), signature = "
    "x'', device = ''; DELETE FROM entry WHERE seq <= 6",
    "a count": "UPDATE hourly SET count = count + 1 WHERE hour = (SELECT min(hour) FROM hourly)",
    "a count's hour": "UPDATE hourly SET hour = hour - 3600",
    "a count's reason": "UPDATE hourly SET reason = 'match'",
    "a count's bucket": "UPDATE hourly SET above_ms = above_ms + 7",
    "a count less": "DELETE FROM hourly WHERE hour = (SELECT max(hour) FROM hourly)",
    "no counts": "DELETE FROM hourly",
    "a count more": "INSERT INTO hourly VALUES (0, 'granted', 'match', 0, 1)",
    "a row altered": "UPDATE entry SET reason = 'match' WHERE seq = 7",
    "the first row gone": "DELETE FROM entry WHERE seq = 6",
    "the last row gone": "DELETE FROM entry WHERE seq = 8",
    "a purged row back": "INSERT INTO entry SELECT 5, at, gate, kind, decision, reason, detail, presentation, "
    "pseudonym, latency_ms, hash FROM entry WHERE seq = 6",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_behind_the_journals_back_is_found(change: str, path: Path) -> None:
    """Start, signature, counts and rows: whatever SQL can do without the device's key is told in one line."""
    fill(path)
    assert ROWS - GONE == verify(path)
    tamper(path, change)
    wrong(path)


def test_a_start_from_before_is_found(path: Path) -> None:
    """Signed by the very same device, but the rows after it are gone."""
    fill(path)
    older = begin(path)
    with closing(opened(path)) as journal:
        assert 2 == journal.purge(entry(GONE + 3).at)
    with closing(sqlite3.connect(path)) as db:
        values = (older.seq, older.hash, older.before, older.hours, older.signature)
        db.execute("UPDATE start SET seq = ?, hash = ?, before = ?, hours = ?, signature = ?", values)
        db.commit()
    wrong(path)


HEALS = {
    "a row that goes": ("UPDATE entry SET reason = 'match' WHERE seq = 6", "row 6 was altered"),
    "a row gone before": ("DELETE FROM entry WHERE seq = 6", "row 6 is missing"),
    "a row nobody can read": ("UPDATE entry SET detail = CAST(x'ff' AS TEXT) WHERE seq = 6", "row 6 could not be read"),
    "a count": ("UPDATE hourly SET count = count + 1", "the hourly counts were altered"),
    "an unreadable count": ("UPDATE hourly SET reason = CAST(x'ff' AS TEXT)", "the hourly counts were altered"),
    "the signature": ("UPDATE start SET signature = zeroblob(64)", "its start was altered"),
    "the device": ("UPDATE start SET device = 'x'", "its start is signed by another device (x)"),
}


@pytest.mark.parametrize(("change", "words"), HEALS.values(), ids=HEALS)
def test_a_purge_makes_nothing_good(change: str, words: str, path: Path) -> None:
    """What is past its date goes even then; that it had been altered is kept, signed, and told ever after."""
    fill(path)
    tamper(path, change)
    with closing(opened(path)) as journal:
        assert 0 < journal.purge(entry(GONE + 3).at) <= 2
        assert f"when rows up to 7 were purged, {words}" in wrong(path)
        journal.purge(entry(GONE + 4).at)
    assert "when rows up to 7 were purged, " in wrong(path)
    assert ("" if "count" in words else words) in wrong(path)
    tamper(path, "UPDATE start SET doubt = ''")
    wrong(path)


def test_a_row_put_back_does_not_move_the_start_back(path: Path) -> None:
    """A purge goes forward only, and takes what does not belong there."""
    fill(path)
    tamper(path, CHANGES["a purged row back"])
    with closing(opened(path)) as journal:
        journal.purge(BEFORE)
        assert GONE == journal.start().seq
        journal.purge(entry(GONE + 2).at)
    assert GONE + 1 == begin(path).seq
    assert [7, 8] == [row.seq for row in rows(path)]


def rows(path: Path) -> list[Row]:
    with closing(SqliteJournal(path, "Gate A")) as journal:
        return list(journal.rows())


def seen(journal: SqliteJournal) -> tuple[list[Row], list[HourCount]]:
    return list(journal.rows()), list(journal.hourly())


def test_each_flipped_bit_is_found_or_changes_nothing(path: Path) -> None:
    """One bit of each byte of a signed journal: an error in one line, or the same rows and the same counts."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA page_size = 512; VACUUM; PRAGMA user_version = 0")
    fill(path)
    verifier = device_key.load_public(path.with_name("device.key"))
    with closing(SqliteJournal(path, "Gate A")) as journal:
        expected = seen(journal)
    good, dice, found = path.read_bytes(), random.Random(4), 0
    for at in range(len(good)):
        for file in path.parent.glob("journal.db*"):
            file.unlink()
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << dice.randrange(8))]) + good[at + 1 :])
        try:
            journal = SqliteJournal(path, "Gate A", verifier=verifier)
        except StoreError as error:
            found += bool(said(error))
            continue
        with closing(journal):
            try:
                assert ROWS - GONE == journal.verify()
                assert expected == seen(journal)
            except EdgeGateError as error:
                found += bool(said(error))
    assert found > 1000


def test_killed_while_purging(path: Path) -> None:
    """kill -9 at any moment: the chain holds from its signed start, and no decision is counted twice or not at all."""
    dice, acknowledged = random.Random(6), 0
    command = [sys.executable, "-m", "tests.journal_child", str(path), str(path.with_name("device.key"))]
    for _ in range(12):
        arguments = [*command, str(acknowledged + 1)]
        with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert "ready\n" == child.stdout.readline()
            child.stdin.write("go\n")
            child.stdin.flush()
            for _ in range(dice.randrange(1, 40)):
                acknowledged = int(child.stdout.readline())
            child.kill()
            acknowledged = max([acknowledged, *(int(line) for line in child.stdout if line.endswith("\n"))])
        verify(path)
        with closing(SqliteJournal(path, "Gate")) as journal:
            kept = journal.head().seq
            assert kept - acknowledged in (0, 1)
            assert kept == sum(one.count for one in journal.hourly())
            assert journal.start().signature or kept < 12
        acknowledged = kept
    assert begin(path).seq > 20


@needs_tools
def test_an_outsider_checks_the_start(path: Path) -> None:
    """sqlite3, sha256sum and openssl say the same, without a line of our code; after a change they do not."""
    fill(path)
    folder = path.parent
    (folder / "text.sql").write_text(start.TEXT_SQL, "utf-8")
    hours = "SELECT hour, decision, reason, above_ms, count FROM hourly ORDER BY 1, 2, 3, 4"
    script = f"""set -e
        sqlite3 journal.db < text.sql > start.txt
        sqlite3 journal.db "SELECT hex(signature) FROM start" | tr -d '\\n' | python3 -c \
            "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))" > start.sig
        sqlite3 journal.db "{hours}" | sha256sum | cut -d' ' -f1 > hours.txt
        openssl pkeyutl -verify -rawin -pubin -inkey device.pub -in start.txt -sigfile start.sig"""

    def run() -> int:
        return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False).returncode

    assert 0 == run()
    assert begin(path).text() == (folder / "start.txt").read_bytes()
    assert f"hours: {(folder / 'hours.txt').read_text('ascii')}".encode() in begin(path).text()
    tamper(path, "UPDATE start SET before = before + 1")
    assert 0 != run()


@pytest.fixture
def old(path: Path) -> Callable[[int], list[Row]]:
    """Makes a journal of the first format, of which so many rows were purged. Gives those that are left."""

    def make(gone: int) -> list[Row]:
        made, before, purged = [], GENESIS, GENESIS
        with closing(open_database(path, application_id=APPLICATION_ID, migrations=MIGRATIONS[:1], create=True)) as db:
            for seq in range(1, ROWS + 1):
                row = Row(seq, NOW + seq, "Gate A", "decision", "refer", "no_face", "", seq, "ab" * 8, 1.5, b"")
                row = replace(row, hash=row_hash(before, row))
                before, purged = row.hash, row.hash if seq == gone else purged
                marks = ", ".join("?" * len(COLUMNS.split(", ")))
                values = tuple(getattr(row, name) for name in COLUMNS.split(", "))
                db.execute(f"INSERT INTO entry ({COLUMNS}) VALUES ({marks})", values)
                made.append(row)
            db.execute("UPDATE head SET seq = ?, hash = ?", (ROWS, before))
            db.execute("UPDATE purged SET seq = ?, hash = ?", (gone, purged))
            db.execute("DELETE FROM entry WHERE seq <= ?", (gone,))
        return made[gone:]

    return make


@pytest.mark.parametrize("gone", [0, 3, ROWS])
def test_a_journal_of_the_first_format_goes_on(gone: int, path: Path, old: Callable[[int], list[Row]]) -> None:
    """Every row is kept as it was and verifies; counts begin with them; the first purge with a key signs."""
    kept = old(gone)
    assert ROWS - gone == verify(path, None)
    assert kept == rows(path)
    with closing(opened(path)) as journal:
        assert ROWS - gone == sum(one.count for one in journal.hourly())
        journal.append(Entry(NOW + ROWS + 1, "decision", "refer", "no_face"))
        journal.purge(NOW + ROWS + 1)
        assert (ROWS, gone) == (journal.start().seq, journal.start().unsigned)
        assert [ROWS + 1] == [row.seq for row in journal.rows()]
        assert ROWS - gone + 1 == sum(one.count for one in journal.hourly())
    assert 1 == verify(path)


def test_what_is_signed_is_a_text_of_its_own_kind(path: Path) -> None:
    """Plain lines, so that no signature of this kind serves for another and everybody can read it."""
    fill(path)
    found = begin(path)
    first, *lines = found.text().decode("ascii").splitlines()
    assert "edgegate journal start 1" == first
    expected = ["row", "hash", "before", "hours", "unsigned", "doubt", "device"]
    assert expected == [line.partition(": ")[0] for line in lines]
    assert start.NO_HOURS != found.hours
