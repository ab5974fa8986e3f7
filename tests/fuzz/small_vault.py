"""A small vault of known content, kept as the bytes of its files; and what must hold of one that somebody has changed.

It opens or is refused in words; a row is as this site wrote it, at some time, or says that it was altered; a template
opens only for its own badge, and is the one that was sealed.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgegate.errors import EdgeGateError
from edgegate.model import Credential, Standing, Status, Vector
from edgegate.vault.seal import unseal_on_badge
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import CONSENT, DAY_S, NOW, PACK, SECRET, YEAR_S, card_number, credential, template

NAME = "vault.db"
KEYED, ON_BADGE, PLAIN, DIARY, REVOKED, WITHDRAWN = range(6)
_MEMORY = Path("/dev/shm")


class Small:
    """The files, and what is in them."""

    def __init__(self) -> None:
        self.badges: list[Credential] = []
        self.handles: list[bytes] = []
        self.stood: list[set[Standing]] = []
        """Of each badge, every standing that this vault ever gave it."""
        self.templates: list[Vector] = [template(number).vector for number in range(6)]
        with scratch() as folder, closing(SqliteVault(folder / NAME, SECRET, create=True)) as vault:
            for number in (KEYED, ON_BADGE, PLAIN, DIARY, REVOKED, WITHDRAWN):
                self._enrol(vault, number)
            vault.revoke(self.handles[REVOKED])
            vault.withdraw(self.handles[WITHDRAWN])
            self._note(vault)
            self.settled = (folder / NAME).read_bytes()
            """With nothing in the write-ahead log."""
            vault.set_locked(True)
            self.file, self.log = (folder / NAME).read_bytes(), (folder / f"{NAME}-wal").read_bytes()
            """The same with the last change in the log alone."""

    def _enrol(self, vault: SqliteVault, number: int) -> None:
        badge, made, consent = credential(number), template(number), CONSENT
        if number == ON_BADGE:
            sealed = vault.seal_for_badge(made, badge.badge_id)
            badge = replace(badge, badge_key=None, sealed_template=sealed)
            self.templates[number] = unseal_on_badge(sealed, badge.badge_id, PACK, SECRET).vector
        if number == PLAIN:
            badge = replace(badge, badge_key=None, plain=True, issued=NOW)
        whose = {"template": None, "consent": None} if number == DIARY else {"template": made, "consent": consent}
        vault.enrol(badge, card_number="" if number == PLAIN else card_number(number), **whose)
        self.badges.append(badge)
        self.handles.append(vault.handle_of(badge.badge_id))
        self.stood.append(set())
        self._note(vault)

    def _note(self, vault: SqliteVault) -> None:
        for badge, stood in zip(self.badges, self.stood, strict=True):
            stood.add(vault.standing(badge))

    def survives(self, folder: Path, lot: int) -> int:
        """What a gate asks of a vault, then two things that an office does with it, drawn by `lot`, and the questions
        again. Fails where the vault lies, or says what nobody can understand. Returns how many templates opened at
        first."""
        opened = 0
        with suppress(EdgeGateError), closing(SqliteVault(folder / NAME, SECRET)) as vault:
            opened = self._ask(vault)
            works = list(self._work(vault))
            for work in (works[lot % len(works)], works[lot // len(works) % len(works)]):
                with suppress(EdgeGateError):
                    work()
            self._ask(vault, changed=True)
        return opened

    def _ask(self, vault: SqliteVault, *, changed: bool = False) -> int:
        opened = 0
        for number, badge in enumerate(self.badges):
            with suppress(EdgeGateError):
                standing = vault.standing(badge)
                believed = not standing.altered and standing.status is not Status.UNKNOWN
                ours = standing in self.stood[number] or (changed and standing.status is not Status.VOLUNTEER)
                assert ours or not believed
            with suppress(EdgeGateError):
                found = vault.unseal(badge, PACK).take()
                opened += 1
                assert np.array_equal(self.templates[number], found.vector)
                assert not vault.standing(badge).altered
            with suppress(EdgeGateError):
                vault.unseal(replace(badge, badge_id=bytes(16)), PACK).take()
                raise AssertionError("a template opened for another badge")
        for ask in (vault.entries, vault.locked, lambda: vault.find(card_number(KEYED))):
            with suppress(EdgeGateError):
                ask()
        return opened

    def _work(self, vault: SqliteVault) -> Iterator[Callable[[], object]]:
        handles = self.handles
        yield vault.take_withdrawal
        yield lambda: vault.held(handles[KEYED])
        yield lambda: vault.find(handles[ON_BADGE].hex()[:12])
        yield lambda: vault.withdraw(handles[KEYED])
        yield lambda: vault.revoke(handles[PLAIN])
        yield lambda: vault.erase(handles[DIARY])
        yield lambda: vault.set_locked(False)
        yield lambda: vault.purge(NOW + 100 * DAY_S)
        yield lambda: vault.purge(NOW + 2 * YEAR_S)
        yield vault.compact
        yield vault.erase_all


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory, where the system has one."""
    folder = Path(tempfile.mkdtemp(prefix="edgegate-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def loosened(data: bytes) -> bytes:
    """The file with tables that take any value in any column, as whoever can write the file can make them."""
    with scratch() as folder:
        path = folder / NAME
        path.write_bytes(data)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=DELETE")
            columns = [row[1] for row in db.execute("PRAGMA table_info(badge)")]
            for table, names in (("badge", columns), ("setting", ["name", "value"])):
                db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
                db.execute(f"CREATE TABLE {table} ({', '.join(names)})")
                db.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")
                db.execute(f"DROP TABLE old_{table}")
            db.execute("VACUUM")
        return path.read_bytes()
