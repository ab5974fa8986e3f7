"""One way to open a database: durable, private, with named migrations, and errors in one line."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from edgegate.errors import DiskFull, StoreError
from edgegate.files import exists, give_to_folder

BUSY_MS = 5000
MAX_VALUE = 1 << 20
"""No value or row of ours is a hundredth as long: a damaged size does not ask for 2 GB first."""

Migration: TypeAlias = tuple[str, str | Callable[[sqlite3.Connection], None]]
"""A name, and the statements or the function that bring a file from one version to the next."""


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a StoreError (DiskFull when there is no space)."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        # A damaged file shows in all four; some of what SQLite says quotes several lines.
        odd = {UnicodeDecodeError: "text is damaged", MemoryError: "a size is damaged"}
        said = odd.get(type(error)) or " ".join(str(error).split())
        if "full" in said:
            raise DiskFull("no space left to write", where=str(path), next="make room on this disk") from None
        raise StoreError(
            f"cannot be used ({said[:120]})",
            where=str(path),
            next="check that it is the right file and its permissions; if it is damaged, put back a copy",
        ) from None


def open_database(
    path: Path, *, application_id: int, migrations: Sequence[Migration], create: bool
) -> sqlite3.Connection:
    """Open (or create, mode 0600) and bring up to date, each migration in a transaction of its own.

    WAL with synchronous=FULL: what was committed survives a power cut. Raises StoreError for a file that is
    not SQLite, belongs to another program, or was written by a newer version; such a file is not touched.
    """
    if not exists(path):
        if not create:
            raise StoreError(
                "does not exist yet", where=str(path), next="it is made by `edgegate enroll add` and `run`"
            )
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            give_to_folder(path)
        except OSError as error:
            raise StoreError(
                f"cannot be made ({error.strerror})", where=str(path), next="check the folder and its permissions"
            ) from None
    with one_line(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    try:
        with one_line(path):
            _patiently(lambda: _prepare(connection, path, application_id, migrations))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """All of it or nothing."""
    with one_line(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def checkpoint(connection: sqlite3.Connection, path: Path) -> None:
    """Fold the write-ahead log into the file, so that what was overwritten does not live on beside it."""
    with suppress(StoreError), one_line(path):  # while another process reads, SQLite folds it in later
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def compact(connection: sqlite3.Connection, path: Path) -> None:
    """Write the file anew, page by page: what deleted rows left inside pages in use is gone. Raises StoreError."""
    with one_line(path):
        connection.execute("VACUUM")
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError("is being read by another process", where=str(path), next="try again when that has ended")


def with_logs(path: Path) -> tuple[Path, ...]:
    """A database and the files that SQLite keeps beside it."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _identify(connection: sqlite3.Connection, path: Path, application_id: int, known: int) -> None:
    connection.execute("BEGIN")  # one view of a file that another process may be making
    try:
        found = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if found != application_id and (found or tables):
        raise StoreError(
            "is a database of another kind", where=str(path), next="name the right file in the configuration"
        )
    if _cut_short(connection, path):
        raise StoreError("is cut short", where=str(path), next="it is damaged: put back a copy")
    if version < 0:
        raise StoreError(f"is damaged (format {version})", where=str(path), next="put back a copy")
    if version > known:
        raise StoreError(
            f"was written by a newer EdgeGate (format {version}, this one knows {known})",
            where=str(path),
            next="install that version again",
        )


def _cut_short(connection: sqlite3.Connection, path: Path) -> bool:
    """SQLite takes what lacks from the last page for zeros. The log beside the file, if any, may hold that page."""
    log = path.with_name(f"{path.name}-wal")
    if exists(log) and log.stat().st_size:
        return False
    return bool(path.stat().st_size % connection.execute("PRAGMA page_size").fetchone()[0])


def _prepare(connection: sqlite3.Connection, path: Path, application_id: int, migrations: Sequence[Migration]) -> None:
    _identify(connection, path, application_id, len(migrations))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA temp_store=MEMORY")  # what is sorted or vacuumed leaves no file below /tmp
    while _migrate_once(connection, application_id, migrations):
        pass


def _patiently(work: Callable[[], None]) -> None:
    """Another process may be making the same file: SQLite's own patience does not cover the change to WAL."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _migrate_once(connection: sqlite3.Connection, application_id: int, migrations: Sequence[Migration]) -> bool:
    """Apply the next migration, whole or not at all. False when there is none left."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = connection.execute("PRAGMA user_version").fetchone()[0]
        if done >= len(migrations):
            connection.execute("ROLLBACK")
            return False
        name, work = migrations[done]
        try:
            if callable(work):
                work(connection)
            else:
                for statement in statements(work):
                    connection.execute(statement)
        except sqlite3.Error as error:
            raise sqlite3.DatabaseError(f"migration {name}: {error}") from None
        connection.execute(f"PRAGMA application_id={application_id}")
        connection.execute(f"PRAGMA user_version={done + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def statements(sql: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end the transaction around them."""
    statement = ""
    for part in sql.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
