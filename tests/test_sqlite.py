"""One way to open a database: durable, private, brought up to date step by step, and foreign files left alone."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from edgegate.errors import DiskFull, StoreError
from edgegate.journal.store import SqliteJournal
from edgegate.sqlite import Migration, compact, one_line, open_database, statements, transaction, with_logs
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import SECRET, files, said

ID = 0x54455354
FIRST = ("first", "CREATE TABLE thing (number INTEGER PRIMARY KEY) STRICT;\nINSERT INTO thing VALUES (1)")
SECOND = ("second", "CREATE TABLE other (word TEXT NOT NULL) STRICT;\nINSERT INTO other VALUES ('there')")
BROKEN = ("second", "CREATE TABLE other (word TEXT NOT NULL) STRICT;\nINSERT INTO nowhere VALUES (1)")

STORES: dict[str, Callable[..., SqliteVault | SqliteJournal]] = {
    "vault": lambda path, create=True: SqliteVault(path, SECRET, create=create),
    "journal": lambda path, create=True: SqliteJournal(path, "Gate", create=create),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Callable[..., SqliteVault | SqliteJournal]:
    """Opens the vault, or the journal."""
    return STORES[request.param]


def things(path: Path, *migrations: Migration, create: bool = True) -> sqlite3.Connection:
    return open_database(path, application_id=ID, migrations=migrations or (FIRST,), create=create)


def pragma(db: sqlite3.Connection, name: str) -> Any:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def test_what_is_committed_survives_a_power_cut(path: Path) -> None:
    """Write-ahead log, every commit synced, what is deleted overwritten; also for who opens it again."""
    for _ in range(2):
        with closing(things(path)) as db:
            wanted = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "trusted_schema": 0, "temp_store": 2}
            assert wanted == {name: pragma(db, name) for name in wanted}
            assert (ID, 1) == (pragma(db, "application_id"), pragma(db, "user_version"))


def test_files_are_their_owners_alone(path: Path) -> None:
    """The database and its log beside it: 0600 all."""
    with closing(things(path)) as db, transaction(db, path):
        db.execute("INSERT INTO thing VALUES (2)")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert {"things.db": 0o600, "things.db-wal": 0o600, "things.db-shm": 0o600} == modes


def test_migrations_run_once_and_in_order(path: Path) -> None:
    """An old file gets what it lacks and keeps what it holds."""
    with closing(things(path, FIRST)) as db:
        db.execute("INSERT INTO thing VALUES (2)")
    for _ in range(2):
        with closing(things(path, FIRST, SECOND)) as db:
            assert [(1,), (2,)] == db.execute("SELECT number FROM thing").fetchall()
            assert [("there",)] == db.execute("SELECT word FROM other").fetchall()
            assert 2 == pragma(db, "user_version")


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """The step is named in one line and undone whole; with a good step the same file goes on."""
    things(path, FIRST).close()
    with pytest.raises(StoreError) as caught:
        things(path, FIRST, BROKEN)
    assert "second" in said(caught.value)
    with closing(things(path, FIRST)) as db:
        assert 1 == pragma(db, "user_version")
        assert [("thing",)] == db.execute("SELECT name FROM sqlite_schema").fetchall()
    things(path, FIRST, SECOND).close()


def doubled(db: sqlite3.Connection) -> None:
    """A migration that SQL alone could not do, as far as SQL knows."""
    for statement in statements(SECOND[1]):
        db.execute(statement)
    for (number,) in db.execute("SELECT number FROM thing").fetchall():
        db.execute("INSERT INTO thing VALUES (?)", (number + 10,))


def test_a_migration_may_be_a_function(path: Path) -> None:
    """It works in the same transaction, once."""
    things(path, FIRST).close()
    for _ in range(2):
        with closing(things(path, FIRST, ("second", doubled))) as db:
            assert [(1,), (11,)] == db.execute("SELECT number FROM thing").fetchall()
            assert 2 == pragma(db, "user_version")


@pytest.mark.parametrize(
    "error", [sqlite3.IntegrityError("no"), ZeroDivisionError(), UnicodeDecodeError("u", b"", 0, 1, "")]
)
def test_a_function_that_fails_changes_nothing(error: Exception, path: Path) -> None:
    """Whatever goes wrong in it: undone whole, and what SQLite says is one line that names the step."""

    def failing(db: sqlite3.Connection) -> None:
        doubled(db)
        raise error

    things(path, FIRST).close()
    with pytest.raises((StoreError, ZeroDivisionError)) as caught:
        things(path, FIRST, ("second", failing))
    if isinstance(error, sqlite3.Error):
        assert "migration second: no" in said(caught.value)
    with closing(things(path, FIRST)) as db:
        assert 1 == pragma(db, "user_version")
        assert [(1,)] == db.execute("SELECT number FROM thing").fetchall()


def temporary_files() -> list[str]:
    """What SQLite has opened and unlinked."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed by now
            found.append(str(descriptor.readlink()))
    return [name for name in found if "etilqs" in name]


def test_what_is_sorted_leaves_no_temporary_file(path: Path) -> None:
    """Rows that are sorted stay in memory; SQLite's own way would write them to a file in between."""
    words = ("words", "CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT) STRICT")
    with closing(things(path, words)) as db:
        with transaction(db, path):
            db.executemany("INSERT INTO words (word) VALUES (?)", ((f"{number:0200d}",) for number in range(40_000)))
        seen = {}
        for store in ("MEMORY", "FILE"):
            if store == "FILE":
                db.execute("PRAGMA temp_store = FILE")
            rows = db.execute("SELECT word FROM words ORDER BY word DESC")
            assert (f"{39_999:0200d}",) == rows.fetchone()
            seen[store] = bool(temporary_files())
            rows.close()
    assert {"MEMORY": False, "FILE": True} == seen


def test_a_file_cut_short_is_refused_unless_its_log_has_the_rest(path: Path) -> None:
    """A last page that lacks its end is no page of zeros; beside a log, it may be one that was being written."""
    with closing(things(path)) as db:
        db.execute("INSERT INTO thing VALUES (2)")
        log = with_logs(path)[1].read_bytes()
    whole = path.read_bytes()
    for missing in (1, 100, 4095):
        path.write_bytes(whole[:-missing])
        with pytest.raises(StoreError) as caught:
            things(path)
        assert "cut short" in said(caught.value)
        assert whole[:-missing] == path.read_bytes()
    with_logs(path)[1].write_bytes(log)
    with closing(things(path)) as db:
        assert [(1,), (2,)] == db.execute("SELECT number FROM thing").fetchall()


def test_compacting_writes_the_file_anew(path: Path) -> None:
    """Smaller, whole, nothing beside it once it is closed; two may have it open meanwhile."""
    words = ("words", "CREATE TABLE words (word TEXT) STRICT")
    with closing(things(path, words)) as db, closing(things(path, words)) as other:
        with transaction(db, path):
            db.executemany("INSERT INTO words VALUES (?)", ((f"{number:0500d}",) for number in range(1000)))
            db.execute("DELETE FROM words WHERE word < ?", (f"{990:0500d}",))
        compact(db, path)
        assert path.stat().st_size < 50_000
        assert (10,) == other.execute("SELECT count(*) FROM words").fetchone()
    assert {path.name} == set(files(path.parent))


@pytest.mark.parametrize("attempt", range(5))
def test_several_may_make_the_same_file_at_once(attempt: int, path: Path) -> None:
    """The daemon's first start and an enrolment at the same moment: both work, the file is made once."""
    together, failed = threading.Barrier(4), list[str]()

    def make() -> None:
        together.wait()
        try:
            things(path, FIRST, SECOND).close()
        except StoreError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failed
    with closing(things(path, FIRST, SECOND, create=False)) as db:
        assert [(1,)] == db.execute("SELECT number FROM thing").fetchall()


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    """An error in the middle, ours or SQLite's, leaves nothing of it, and the next one works."""
    with closing(things(path)) as db:
        with pytest.raises(ZeroDivisionError), transaction(db, path):
            db.execute("INSERT INTO thing VALUES (2)")
            raise ZeroDivisionError
        with pytest.raises(StoreError) as caught, transaction(db, path):
            db.execute("INSERT INTO thing VALUES (3)")
            db.execute("INSERT INTO thing VALUES (1)")
        assert str(path) in said(caught.value)
        with transaction(db, path):
            db.execute("INSERT INTO thing VALUES (4)")
        assert [(1,), (4,)] == db.execute("SELECT number FROM thing").fetchall()


def test_no_space_is_told_apart(path: Path) -> None:
    """A full disk is DiskFull: nothing of that write is kept, everything before it is, and with space it goes on."""
    with closing(things(path, ("first", "CREATE TABLE thing (words TEXT) STRICT"))) as db:
        db.execute("INSERT INTO thing VALUES ('before')")
        db.execute(f"PRAGMA max_page_count = {pragma(db, 'page_count')}")
        with pytest.raises(DiskFull) as caught, transaction(db, path):
            db.execute("INSERT INTO thing VALUES (?)", ("w" * 100_000,))
        assert str(path) in said(caught.value)
        assert [("before",)] == db.execute("SELECT words FROM thing").fetchall()
        db.execute("PRAGMA max_page_count = 100000")
        with transaction(db, path):
            db.execute("INSERT INTO thing VALUES ('after')")
        assert [("before",), ("after",)] == db.execute("SELECT words FROM thing").fetchall()


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError('near "\n": syntax error'),
        sqlite3.DatabaseError("database disk image is malformed"),
        sqlite3.InterfaceError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=["lines", "damaged", "wordless", "undecodable"],
)
def test_whatever_sqlite_says_is_one_line(error: Exception, path: Path) -> None:
    """Python's binding fails with UnicodeDecodeError where the damaged file itself is quoted in the message."""
    with pytest.raises(StoreError) as caught, one_line(path):
        raise error
    assert str(path) in said(caught.value)


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE mine (word TEXT); INSERT INTO mine VALUES ('precious')")


def _foreign_with_id(path: Path) -> None:
    _foreign(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 1196444487")  # GeoPackage


def _newer(path: Path) -> None:
    """What a later version might have made of the file this version opens."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE later (word TEXT); PRAGMA user_version = 99")


FOREIGN: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("not a database, whatever its name\n" * 100, "utf-8"),
    "two bytes": lambda path: path.write_bytes(b"SQ"),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "cut": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(30)),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 32),
    "another program's": _foreign,
    "another program's, with its id": _foreign_with_id,
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_and_left_as_it_is(
    make: Callable[[Path], object], store: Callable[..., SqliteVault | SqliteJournal], path: Path
) -> None:
    """One line with its name; not a byte of it changes, and nothing is left beside it."""
    make(path)
    before = files(path.parent)
    for create in (True, False):
        with pytest.raises(StoreError) as caught:
            store(path, create)
        assert str(path) in said(caught.value)
    assert before == files(path.parent)


def test_a_newer_format_is_refused_and_left_as_it_is(
    store: Callable[..., SqliteVault | SqliteJournal], path: Path
) -> None:
    """A file of a later version is not touched by this one; the line says what to do."""
    store(path).close()
    _newer(path)
    before = files(path.parent)
    with pytest.raises(StoreError) as caught:
        store(path)
    assert "newer" in said(caught.value)
    assert before == files(path.parent)


def test_vault_and_journal_do_not_take_each_other(path: Path) -> None:
    """The right file under the wrong key of the configuration."""
    for made, other in (("vault", "journal"), ("journal", "vault")):
        file = path.with_name(made)
        STORES[made](file).close()
        before = file.read_bytes()
        with pytest.raises(StoreError) as caught:
            STORES[other](file)
        said(caught.value)
        assert before == file.read_bytes()


def test_what_is_not_there_is_made_only_when_asked(
    store: Callable[..., SqliteVault | SqliteJournal], path: Path
) -> None:
    """Looking at a gate that never ran makes no file; a missing folder, or a folder in the file's place, is told."""
    (path.parent / "folder").mkdir()
    for where, create in ((path, False), (path.parent / "missing" / "file.db", True), (path.parent / "folder", True)):
        with pytest.raises(StoreError) as caught:
            store(where, create)
        assert str(where) in said(caught.value)
    assert {} == files(path.parent)


def test_an_empty_file_becomes_a_database(store: Callable[..., SqliteVault | SqliteJournal], path: Path) -> None:
    """A start that was killed before the first page was written is no obstacle to the next."""
    path.touch(0o600)
    store(path, False).close()
    store(path, False).close()
    assert path.stat().st_size > 0
