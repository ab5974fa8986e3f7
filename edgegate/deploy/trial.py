"""A new version on trial: it runs as the service, while `current` still names the old one.

The trial is a unit below /run, which hides the installed one until the next boot at the latest. So whatever happens to
this program or to the power, the device comes back with the version that is known to work.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from edgegate.deploy import assets, unit
from edgegate.deploy.host import Host, write
from edgegate.deploy.versions import FOLDER
from edgegate.errors import EdgeGateError

UNIT = "/run/systemd/system/edgegate.service"
_COPIES = f"{FOLDER}/before-upgrade"


def orphaned(host: Host) -> bool:
    """Did an upgrade end without an end, such as by kill -9, and leave its trial running?"""
    return host.path(UNIT).exists()


def end(host: Host) -> None:
    """Take the trial's unit away; the installed one is what systemd knows again."""
    host.path(UNIT).unlink(missing_ok=True)
    host.systemctl("daemon-reload")


def discard(host: Host) -> None:
    """Take away the copies of an upgrade that was killed: what is erased must not live on in them."""
    shutil.rmtree(host.path(_COPIES), ignore_errors=True)


def run(host: Host, version: Path, stores: list[Path], within_s: float) -> str:
    """Start a version in place of the one that runs. Returns "" when it is READY: it goes on running. Else the reason,
    and nothing of it runs any more; what it made of the databases is undone.
    """
    with _ended_in_order(), _copies(host, stores) as undo:
        try:
            _start(host, version)
            reason = unit.ready(host, within_s)
        except BaseException:
            _take_back(host, undo)
            raise
        if reason:
            _take_back(host, undo)
        return reason


def _start(host: Host, version: Path) -> None:
    text = assets.unit(unit.NAME, version).replace(f"{FOLDER}/current/", f"{version}/")
    host.systemctl("stop", unit.NAME)
    write(host.path(UNIT), text)
    host.systemctl("daemon-reload")
    fragment = unit.State.ask(host)["FragmentPath"]
    if fragment != UNIT:
        raise EdgeGateError(
            "hides the unit that upgrades are tried with", where=fragment, next="use a drop-in (systemctl edit) instead"
        )
    host.systemctl("reset-failed", unit.NAME, check=False)
    host.systemctl("start", "--no-block", unit.NAME)


def _take_back(host: Host, undo: dict[Path, Path]) -> None:
    host.systemctl("stop", unit.NAME, check=False)
    end(host)
    for store, copy in undo.items():
        if _form(store) != _form(copy):
            # The new version changed the tables, and the old one could not read them any more.
            _forget_since(store, copy)
            owner = store.stat()
            for suffix in ("-wal", "-shm"):
                store.with_name(store.name + suffix).unlink(missing_ok=True)
            shutil.copyfile(copy, store.with_name(f".{store.name}.part"))
            store.with_name(f".{store.name}.part").chmod(0o600)
            os.chown(store.with_name(f".{store.name}.part"), owner.st_uid, owner.st_gid)
            store.with_name(f".{store.name}.part").replace(store)
    host.systemctl("reset-failed", unit.NAME, check=False)


@contextmanager
def _copies(host: Host, stores: list[Path]) -> Iterator[dict[Path, Path]]:
    """Copies of the databases, for as long as the trial takes."""
    folder = host.path(_COPIES)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        made = {}
        for store in stores:
            if store.exists():
                made[store] = folder / store.name
                with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(made[store])) as new:
                    old.backup(new)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_since(store: Path, copy: Path) -> None:
    """Going back must not bring back a template or a consent that was given up during the trial: its badge becomes
    unknown, so that a person decides."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(store)) as database:
        volunteers = database.execute("SELECT handle FROM badge WHERE status = 'volunteer'").fetchall()
        with closing(sqlite3.connect(copy)) as older:
            older.execute("PRAGMA secure_delete=ON")
            older.execute("CREATE TEMP TABLE still (handle BLOB PRIMARY KEY)")
            older.executemany("INSERT INTO still VALUES (?)", volunteers)
            older.execute("DELETE FROM badge WHERE status = 'volunteer' AND handle NOT IN (SELECT handle FROM still)")
            older.commit()
            older.execute("VACUUM")


def _form(path: Path) -> tuple[Any, ...]:
    """Version and tables of a database."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
        version = database.execute("PRAGMA user_version").fetchone()
        return version, *database.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return ()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """A `kill` in the middle goes back too."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
