"""The vault on SQLite: what survives a kill, what is really gone, and what a damaged file can do."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgegate.badges.credential import CredentialBook
from edgegate.errors import EdgeGateError, StoreError, TemplateUnreadable
from edgegate.model import Consent, Credential, Standing, Status
from edgegate.vault.seal import card_hash, handle, unseal_plain
from edgegate.vault.store import APPLICATION_ID, SqliteVault
from tests.contracts.child import SPACE
from tests.contracts.kit import (
    CONSENT,
    DAY_S,
    NOW,
    PACK,
    SECRET,
    YEAR_S,
    begin,
    card_number,
    child,
    credential,
    files,
    holding,
    line,
    lines,
    said,
    template,
)

NUMBER = "0008415732-A"
SCHEMA_1 = """
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
SEALED_1 = bytes.fromhex("e5bce389772e67c7172fe1c616d3a0e4d320fc9043c065161e495cf29b9626ddffc0806a90e4ce361ffd0ff2")
"""What that version sealed for badge 7: the template (0.5, -0.5, 0.5, -0.5)."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[SqliteVault]:
    """An empty vault, open as the daemon has it."""
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        yield store


def enrol(vault: SqliteVault, number: int = 0, consent: Consent = CONSENT) -> bytes:
    """Volunteer `number`."""
    return vault.enrol(credential(number), card_number=card_number(number), template=template(number), consent=consent)


def plain(text: str = NUMBER, *, issued: int = NOW, expires: int = NOW + YEAR_S) -> Credential:
    """A plain badge, as the office enrols it."""
    found = CredentialBook({}, plain_typed=True).plain(text, typed=True)
    assert found is not None
    return replace(found, issued=issued, expires=expires)


def sealed(path: Path, handle: bytes) -> bytes:
    """The ciphertext of a row, read past the vault."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT sealed FROM badge WHERE handle = ?", (handle,)).fetchone()[0]
    assert isinstance(found, bytes)
    return found


def whole(path: Path, numbers: range) -> list[int]:
    """Those of the numbers whose template opens."""
    with closing(SqliteVault(path, SECRET)) as store:
        return [
            number
            for number in numbers
            if store.standing(credential(number)).status is Status.VOLUNTEER
            and np.array_equal(template(number).vector, store.unseal(credential(number), PACK).vector)
        ]


def test_every_acknowledged_enrolment_outlives_a_kill(path: Path) -> None:
    """kill -9 in the middle of many: each that was acknowledged is there and opens, and the file is sound."""
    with child("vault", path, 0, 100_000) as process:
        begin(process)
        acknowledged = [int(line(process)) for _ in range(25)]
        process.kill()
        acknowledged += [int(text) for text in lines(process)]
    assert len(acknowledged) < 100_000
    assert acknowledged == whole(path, range(len(acknowledged)))
    with closing(SqliteVault(path, SECRET)) as store:
        assert len(store.entries()) - len(acknowledged) in (0, 1)  # one may be kept that nobody was told of
        enrol(store, 100_001)
    with closing(sqlite3.connect(path)) as db:
        assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()


def test_two_processes_may_enrol_at_once(path: Path) -> None:
    """Each waits for the other; nothing is lost, and nobody is turned away."""
    with child("vault", path, 0, 60) as one, child("vault", path, 60, 60) as other:
        begin(one, other)
        assert [str(number) for number in range(60)] == lines(one)
        assert [str(number) for number in range(60, 120)] == lines(other)
    assert list(range(120)) == whole(path, range(120))


def test_without_space_nothing_stored_is_lost(path: Path) -> None:
    """Files that cannot grow: the enrolment is refused in one line, those before it stay, and later it goes on."""
    with child("vault-starved", path, 0, 10_000) as process:
        begin(process)
        *acknowledged, last = lines(process)
    assert last.startswith(("StoreError", "DiskFull"))
    assert str(path) in last
    assert len(acknowledged) > 3
    assert max(len(data) for data in files(path.parent).values()) <= SPACE
    assert [int(number) for number in acknowledged] == whole(path, range(len(acknowledged)))
    with closing(SqliteVault(path, SECRET)) as store:
        enrol(store, 20_000)
        assert len(acknowledged) + 1 == len(store.entries())


@pytest.mark.parametrize("act", ["revoke", "erase", "lapse", "expire"])
def test_a_template_that_is_gone_is_gone_from_every_file(act: str, vault: SqliteVault, path: Path) -> None:
    """Not in the database, not in the log beside it, not while the daemon has it open, nor after."""
    handle = enrol(vault, 0, replace(CONSENT, expires=NOW + DAY_S))
    stays = enrol(vault, 1)
    gone, kept = sealed(path, handle), sealed(path, stays)
    assert holding(path.parent, gone)
    with closing(SqliteVault(path, SECRET)) as office:
        if act == "lapse":
            assert 1 == office.purge(NOW + DAY_S)
        elif act == "expire":
            assert 2 == office.purge(credential().expires)
        else:
            getattr(office, act)(handle)
        assert [] == holding(path.parent, gone)
        assert [] == holding(path.parent, gone[12:60])
        assert (act != "expire") is bool(holding(path.parent, kept))
    assert [] == holding(path.parent, gone)


def test_the_card_number_of_an_erased_badge_is_gone(vault: SqliteVault, path: Path) -> None:
    """Nothing is left by which the office's list could be matched with the row."""
    handle = enrol(vault)
    with closing(sqlite3.connect(path)) as db:
        card = db.execute("SELECT card FROM badge").fetchone()[0]
    assert holding(path.parent, card)
    vault.erase(handle)
    assert [] == holding(path.parent, card)
    assert holding(path.parent, handle)


def test_nothing_of_a_badge_or_face_is_stored_in_the_clear(vault: SqliteVault, path: Path) -> None:
    """Neither badge number nor key, card number, embedding, or site secret: in no file, raw or as digits."""
    enrol(vault)
    vault.revoke(enrol(vault, 1))
    for number in range(2):
        badge = credential(number)
        assert badge.badge_key is not None
        vector = template(number).vector
        for hidden in (
            badge.badge_id,
            badge.badge_key,
            card_number(number).encode(),
            SECRET.value,
            vector.tobytes()[:16],
            vector.astype(">f4").tobytes()[:16],
            vector.astype(np.float64).tobytes()[:32],
        ):
            assert [] == holding(path.parent, hidden)


def _first_version(path: Path) -> None:
    """A vault with a volunteer (7), a diary badge (8), a revoked (9) and an erased one (10), and a lockdown."""
    face = (PACK, SEALED_1, "both", "2026-09", NOW, NOW + DAY_S)
    rows = {
        7: ("volunteer", face),
        8: ("diary", (None,) * 6),
        9: ("revoked", (None,) * 6),
        10: ("revoked", (None,) * 6),
    }
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(SCHEMA_1)
        for number, (status, rest) in rows.items():
            key = handle(SECRET, credential(number).badge_id)
            card = card_hash(SECRET, card_number(number)) if number < 10 else None
            values = (key, status, NOW + YEAR_S, card, *rest)
            db.execute("INSERT INTO badge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        db.execute("INSERT INTO setting VALUES ('lockdown', 1)")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA user_version=1")


def test_a_vault_of_the_first_version_opens_as_it_was(path: Path) -> None:
    """Every row, template, consent, card number and the lockdown; none becomes plain; numbers can be added."""
    _first_version(path)
    statuses = [Status.VOLUNTEER, Status.DIARY, Status.REVOKED, Status.REVOKED]
    for _ in range(2):
        with closing(SqliteVault(path, SECRET)) as store:
            assert statuses == [store.standing(credential(number)).status for number in range(7, 11)]
            assert Consent("both", "2026-09", NOW, NOW + DAY_S) == store.standing(credential(7)).consent
            assert [0.5, -0.5, 0.5, -0.5] == store.unseal(credential(7), PACK).vector.tolist()
            assert [8, 9] == [
                number
                for number in (8, 9)
                if store.find(card_number(number)).handle == store.handle_of(credential(number).badge_id)
            ]
            assert store.locked()
            assert [False] * 4 == [entry.plain for entry in store.entries()]
    with closing(SqliteVault(path, SECRET)) as store:
        key = store.enrol(plain(), card_number="", template=template(), consent=CONSENT)
        store.erase(store.handle_of(credential(7).badge_id))
        assert [] == holding(path.parent, SEALED_1)
        assert [key] == [entry.handle for entry in store.entries() if entry.plain]


def test_a_first_version_that_is_damaged_is_told_in_one_line(path: Path) -> None:
    """A migration that cannot be done changes nothing."""
    _first_version(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE badge RENAME TO something")
    with pytest.raises(StoreError) as caught:
        SqliteVault(path, SECRET)
    assert str(path) in said(caught.value)
    assert "migration plain" in str(caught.value)
    with closing(sqlite3.connect(path)) as db:
        assert 1 == db.execute("PRAGMA user_version").fetchone()[0]
        assert 4 == db.execute("SELECT count(*) FROM something").fetchone()[0]


def test_a_plain_number_is_in_no_file(vault: SqliteVault, path: Path) -> None:
    """Neither as it is printed on the card nor as it counts, its id or any hash that needs no secret."""
    for number, keep in (("0008415732-a", True), ("04 a1 b2 c3 d4", False)):
        badge = plain(number)
        key = vault.enrol(badge, card_number="", template=template(), consent=CONSENT)
        if not keep:
            vault.erase(key)
        counts = number.upper().replace(" ", "")
        hashes = [hashlib.sha256(text).digest()[:16] for text in (counts.encode(), number.encode())]
        for hidden in (number.encode(), counts.encode(), badge.badge_id, *hashes, template().vector.tobytes()[:16]):
            assert [] == holding(path.parent, hidden)
        assert holding(path.parent, key)  # the search finds what is there


def test_the_device_alone_opens_a_plain_template(vault: SqliteVault, path: Path) -> None:
    """With the site secret and the number's id, no badge is needed; with another secret nothing opens."""
    key = vault.enrol(plain(), card_number="", template=template(), consent=CONSENT)
    opened = unseal_plain(sealed(path, key), plain().badge_id, PACK, SECRET)
    assert np.array_equal(template().vector, opened.vector)
    with closing(SqliteVault(path, type(SECRET)(bytes(32)))) as elsewhere:
        assert Status.UNKNOWN is elsewhere.standing(plain()).status
    with pytest.raises(TemplateUnreadable):
        unseal_plain(sealed(path, key), plain().badge_id, PACK, type(SECRET)(bytes(32)))


def test_what_a_card_given_out_again_had_before_is_gone(vault: SqliteVault, path: Path) -> None:
    """The template of last year's holder is in no file, while the daemon has the vault open."""
    key = vault.enrol(plain(), card_number="", template=template(), consent=CONSENT)
    gone = sealed(path, key)
    with closing(SqliteVault(path, SECRET)) as office:
        again = plain(issued=NOW + YEAR_S, expires=NOW + 2 * YEAR_S)
        office.enrol(again, card_number="", template=template(1), consent=CONSENT)
        assert [] == holding(path.parent, gone)
        assert [] == holding(path.parent, gone[12:60])
    assert np.array_equal(template(1).vector, vault.unseal(plain(), PACK).vector)


def test_a_handle_that_names_two_badges_names_none(vault: SqliteVault, path: Path) -> None:
    """Two handles that begin alike: the office is asked to be more precise."""
    handle = enrol(vault)
    twin = handle[:8] + bytes(24)
    with closing(sqlite3.connect(path)) as db, db:
        columns = "status, badge_expires, pack_id, sealed, consent_by, consent_version, consent_given, consent_expires"
        db.execute(f"INSERT INTO badge (handle, {columns}) SELECT ?, {columns} FROM badge", (twin,))
    with pytest.raises(EdgeGateError) as caught:
        vault.find(handle.hex()[:12])
    assert "several" in said(caught.value)
    assert handle == vault.find(handle.hex()[:20]).handle
    assert twin == vault.find(twin.hex()).handle


def test_another_site_secret_knows_nobody(vault: SqliteVault, path: Path) -> None:
    """A vault carried to another school is a list of strangers."""
    enrol(vault)
    with closing(SqliteVault(path, type(SECRET)(bytes(32)))) as elsewhere:
        assert Status.UNKNOWN == elsewhere.standing(credential()).status
        with pytest.raises(EdgeGateError):
            elsewhere.find(card_number())


def _damaged(path: Path) -> Iterator[bytes]:
    """A small vault with one bit of each byte changed; pages of 512 bytes keep it small."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA page_size = 512; VACUUM; PRAGMA user_version = 0")
    with closing(SqliteVault(path, SECRET)) as store:
        enrol(store, 0)
        store.enrol(credential(1), card_number=card_number(1), template=None, consent=None)
    good = path.read_bytes()
    dice = random.Random(1)
    for at in range(len(good)):
        yield good[:at] + bytes([good[at] ^ (1 << dice.randrange(8))]) + good[at + 1 :]


def _well_formed(standing: Standing) -> bool:
    consent = standing.consent
    numbers = [standing.badge_expires] + ([consent.given, consent.expires] if consent else [])
    words = [standing.pack_id] + ([consent.by, consent.version] if consent else [])
    return all(isinstance(number, int) or number is None for number in numbers) and all(
        isinstance(word, str) or word is None for word in words
    )


def test_a_damaged_file_is_told_or_does_no_harm(path: Path) -> None:
    """One bit of each byte: whatever the vault then says is well formed or one line, and no template is another."""
    asked: tuple[Callable[[SqliteVault], object], ...] = (
        lambda store: [store.standing(credential(number)) for number in range(2)],
        lambda store: store.entries(),
        lambda store: [store.find(card_number(1))],
        lambda store: store.unseal(credential(), PACK).vector,
        lambda store: store.locked(),
    )
    told = 0
    for data in list(_damaged(path)):
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(data)
        try:
            store = SqliteVault(path, SECRET)
        except StoreError as error:
            told += bool(said(error))
            continue
        with closing(store):
            for ask in asked:
                try:
                    answer = ask(store)
                except EdgeGateError as error:
                    told += bool(said(error))
                    continue
                if isinstance(answer, np.ndarray):
                    assert np.array_equal(template().vector, answer)
                elif isinstance(answer, list):
                    assert all(_well_formed(standing) for standing in answer)
    assert told > 500
