"""Vaults of other versions, cut short, or without room: brought up to date, refused in one line, or whole."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgegate.errors import EdgeGateError, StoreError, TemplateUnreadable
from edgegate.model import Consent, Standing, Status, TemplateForm
from edgegate.sqlite import with_logs
from edgegate.vault.seal import card_hash, handle, seal_plain
from edgegate.vault.store import APPLICATION_ID, SqliteVault
from tests.contracts.kit import (
    CONSENT,
    DAY_S,
    NOW,
    PACK,
    SECRET,
    YEAR_S,
    card_number,
    credential,
    files,
    holding,
    said,
    template,
)

FIRST = """
    CREATE TABLE badge (
        handle BLOB PRIMARY KEY CHECK (length(handle) = 32),
        status TEXT NOT NULL CHECK (status IN ('volunteer', 'diary', 'revoked')),
        badge_expires INTEGER NOT NULL,
        card BLOB UNIQUE,
        pack_id TEXT,
        sealed BLOB,
        consent_by TEXT,
        consent_version TEXT,
        consent_given INTEGER,
        consent_expires INTEGER,
        CHECK ((status = 'volunteer') = (sealed IS NOT NULL)),
        CHECK ((sealed IS NULL) = (pack_id IS NULL)),
        CHECK ((sealed IS NULL) = (consent_expires IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
"""The vault as the first version made it."""
SECOND = "ALTER TABLE badge ADD COLUMN plain INTEGER NOT NULL DEFAULT 0 CHECK (plain IN (0, 1));"
SEALED = bytes.fromhex("e5bce389772e67c7172fe1c616d3a0e4d320fc9043c065161e495cf29b9626ddffc0806a90e4ce361ffd0ff2")
"""What those versions sealed for badge 7: the template (0.5, -0.5, 0.5, -0.5)."""
PLAIN = replace(credential(11, keyed=False), issuer="", plain=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


def key(number: int) -> bytes:
    return handle(SECRET, credential(number).badge_id)


def old(path: Path, version: int) -> None:
    """A volunteer (7), a diary badge (8), a revoked (9) and an erased one (10), and a lockdown; in the second version
    a plain volunteer (11) too."""
    face, none = (PACK, SEALED, "both", "2026-09", NOW, NOW + DAY_S), (None,) * 6
    rows = {7: ("volunteer", face), 8: ("diary", none), 9: ("revoked", none), 10: ("revoked", none)}
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(FIRST + (SECOND if version == 2 else ""))
        for number, (status, rest) in rows.items():
            card = card_hash(SECRET, card_number(number)) if number < 10 else None
            values = (key(number), status, NOW + YEAR_S, card, *rest, *([0] if version == 2 else []))
            db.execute(f"INSERT INTO badge VALUES ({', '.join('?' * len(values))})", values)
        if version == 2:
            sealed = seal_plain(template(), PLAIN.badge_id, SECRET)
            values = (handle(SECRET, PLAIN.badge_id), "volunteer", NOW + YEAR_S, None, PACK, sealed, *face[2:], 1)
            db.execute(f"INSERT INTO badge VALUES ({', '.join('?' * len(values))})", values)
        db.execute("INSERT INTO setting VALUES ('lockdown', 1)")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={version}")


@pytest.mark.parametrize("version", [1, 2])
def test_a_vault_of_an_older_version_opens_as_it_was(
    version: int, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every row, template, consent, card number and the lockdown; consents that named no language were in French.
    That rows without codes were believed is said once."""
    old(path, version)
    consent = Consent("both", "2026-09", NOW, NOW + DAY_S, "fr")
    form = TemplateForm.BADGE_KEYED
    keyed = Standing(key(7), Status.VOLUNTEER, NOW + YEAR_S, consent, PACK, template=form)
    for _ in range(2):
        with closing(SqliteVault(path, SECRET)) as store:
            assert keyed == store.standing(credential(7))
            assert [Status.DIARY, Status.REVOKED, Status.REVOKED] == [
                store.standing(credential(number)).status for number in (8, 9, 10)
            ]
            assert [0.5, -0.5, 0.5, -0.5] == store.unseal(credential(7), PACK).take().vector.tolist()
            for number in (7, 8, 9):
                assert key(number) == store.find(card_number(number)).handle
            assert store.locked()
            assert (version == 2) is any(entry.plain for entry in store.entries())
            assert 3 + version == len([entry for entry in store.entries() if not entry.altered])
    assert [f"vault: {3 + version} badges of an older version"] == [
        text.partition(" are ")[0] for text in caplog.messages
    ]
    with closing(SqliteVault(path, SECRET)) as store:
        if version == 2:
            assert TemplateForm.PLAIN is store.standing(PLAIN).template
            assert template().vector.tolist() == store.unseal(PLAIN, PACK).take().vector.tolist()
        store.enrol(credential(12), card_number="", template=template(), consent=CONSENT)
        store.erase(key(7))
        assert [] == holding(path.parent, SEALED)


def test_a_migrated_vault_has_one_copy_of_each_template(path: Path) -> None:
    """The old table is overwritten, not only dropped: what is erased later was nowhere else."""
    old(path, 1)
    assert 1 == path.read_bytes().count(SEALED)
    with closing(SqliteVault(path, SECRET)) as store:
        store.compact()
        assert 1 == sum(data.count(SEALED) for data in files(path.parent).values())
        store.withdraw(key(7))
        assert [] == holding(path.parent, SEALED)
    assert [] == holding(path.parent, SEALED)


@pytest.mark.parametrize(
    ("damage", "step"),
    [
        ("ALTER TABLE badge RENAME TO something", "plain"),
        ("UPDATE badge SET consent_by = NULL WHERE status = 'volunteer'", "authenticated"),
    ],
)
def test_an_older_version_that_is_damaged_is_told_in_one_line(damage: str, step: str, path: Path) -> None:
    """A migration that cannot be done is undone whole: the version before it opens the file as ever."""
    old(path, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(damage)
        before = list(db.iterdump())
    with pytest.raises(StoreError) as caught:
        SqliteVault(path, SECRET)
    assert str(path) in said(caught.value)
    assert f"migration {step}" in str(caught.value)
    with closing(sqlite3.connect(path)) as db:
        assert {"plain": 1, "authenticated": 2}[step] == db.execute("PRAGMA user_version").fetchone()[0]
        if step == "plain":
            assert before == list(db.iterdump())


def test_a_newer_version_is_refused_with_both_versions(path: Path) -> None:
    """The line names the format of the file and the one this program knows, and nothing is touched."""
    SqliteVault(path, SECRET, create=True).close()
    with closing(sqlite3.connect(path)) as db:
        (known,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version={known + 1}")
    before = files(path.parent)
    with pytest.raises(StoreError) as caught:
        SqliteVault(path, SECRET)
    assert f"format {known + 1}, this one knows {known}" in said(caught.value)
    assert 3 == known
    assert before == files(path.parent)


def small(path: Path) -> dict[str, object]:
    """A vault in pages of 512 bytes: a volunteer, a diary badge, a lockdown; and all it answers."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA page_size = 512; VACUUM")
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        enrol(store, 0)
        store.enrol(credential(1), card_number=card_number(1), template=None, consent=None)
        store.set_locked(True)
        return answers(store)


def enrol(store: SqliteVault, number: int) -> None:
    store.enrol(credential(number), card_number=card_number(number), template=template(number), consent=CONSENT)


def numbers(store: SqliteVault, number: int) -> list[float]:
    return [float(value) for value in store.unseal(credential(number), PACK).take().vector]


def answers(store: SqliteVault) -> dict[str, object]:
    """Everything there is to ask; an error, in one line, is no answer."""
    asked: dict[str, Callable[[], object]] = {
        "keyed": lambda: store.standing(credential(0)),
        "diary": lambda: store.standing(credential(1)),
        "all": lambda: tuple(store.entries()),
        "card": lambda: store.find(card_number(1)),
        "template": lambda: numbers(store, 0),
        "lockdown": store.locked,
    }
    given = {}
    for name, ask in asked.items():
        try:
            given[name] = ask()
        except EdgeGateError as error:
            assert said(error)
    return given


def test_a_vault_cut_short_is_refused_or_whole(path: Path) -> None:
    """At every length but none at all, which is how a first start that was killed leaves it."""
    whole = small(path)
    data, opened = path.read_bytes(), list[int]()
    assert 6 == len(whole)
    for length in range(1, len(data)):
        path.write_bytes(data[:length])
        try:
            store = SqliteVault(path, SECRET)
        except EdgeGateError as error:
            assert str(path) in said(error)
            continue
        with closing(store):
            opened.append(length)
            assert whole == answers(store)
    assert [] == opened
    path.write_bytes(data)
    with closing(SqliteVault(path, SECRET)) as store:
        assert whole == answers(store)


def test_a_log_cut_short_loses_its_last_changes_only(path: Path) -> None:
    """A power cut while a page is written, or between two: the vault is what it was after one of the changes."""
    live = path.with_name("live.db")
    states = list[dict[str, object]]()
    with closing(sqlite3.connect(live)) as db:
        db.executescript("PRAGMA page_size = 512; VACUUM")
    with closing(SqliteVault(live, SECRET, create=True)) as store:
        states.append(answers(store))
        enrol(store, 0)
        states.append(answers(store))
        store.set_locked(True)
        states.append(answers(store))
        main, log = (file.read_bytes() for file in with_logs(live)[:2])
    seen = set[int]()
    frames = range(32, len(log) + 1, 24 + 512)  # after the log's own head: a page each, with a head of its own
    for length in sorted({frame + near for frame in frames for near in (-1, 0, 1, 24, 280)} | {0}):
        for file in with_logs(path):
            file.unlink(missing_ok=True)
        path.write_bytes(main)
        with_logs(path)[1].write_bytes(log[:length])
        try:
            store = SqliteVault(path, SECRET)
        except EdgeGateError as error:
            assert said(error)
            continue
        with closing(store):
            seen.add(states.index(answers(store)))
    assert {0, 1, 2} == seen


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file can grow past this many bytes; what is written there fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


ACTS: dict[str, Callable[[SqliteVault], object]] = {
    "enrol": lambda store: enrol(store, 7),
    "renew": lambda store: store.enrol(
        credential(7), card_number="", template=template(), consent=CONSENT, replaces=key(0)
    ),
    "withdraw": lambda store: store.withdraw(key(0)),
    "revoke": lambda store: store.revoke(key(0)),
    "erase": lambda store: store.erase(key(0)),
    "lapse": lambda store: store.purge(CONSENT.expires),
    "everything": lambda store: store.erase_all(),
    "lockdown": lambda store: store.set_locked(True),
    "arm": lambda store: store.arm_withdrawal(),
}
"""All that is written."""


def everything(store: SqliteVault) -> tuple[object, ...]:
    opened = []
    for number in (0, 1, 7):
        try:
            opened.append(numbers(store, number))
        except TemplateUnreadable:
            opened.append([])
    return store.entries(), store.locked(), opened


@pytest.mark.parametrize("act", ACTS)
def test_without_room_nothing_is_half_done(act: str, path: Path, tmp_path: Path) -> None:
    """However little room there is: the change is made whole and said to be, or refused in one line and not made."""
    base = tmp_path / "base"
    base.mkdir()
    with closing(SqliteVault(base / "vault.db", SECRET, create=True)) as store:
        for number in range(3):
            enrol(store, number)
        before = everything(store)
    shutil.copy(base / "vault.db", path)
    with closing(SqliteVault(path, SECRET)) as store:
        ACTS[act](store)
        after = everything(store)
    outcomes = set[bool]()
    for size in range(0, 64 * 1024, 2048):
        for file in with_logs(path):
            file.unlink(missing_ok=True)
        shutil.copy(base / "vault.db", path)
        with closing(SqliteVault(path, SECRET)) as store:
            try:
                with room(size):
                    ACTS[act](store)
                done = True
            except StoreError as error:
                assert str(path) in said(error)
                done = False
            outcomes.add(done)
            assert (after if done else before) == everything(store)
        with closing(SqliteVault(path, SECRET)) as store:
            assert (after if done else before) == everything(store)
            if not done:
                ACTS[act](store)
            assert (after if act != "arm" else before) == everything(store)
            assert (act == "arm") is store.take_withdrawal()
    assert {True, False} == outcomes
