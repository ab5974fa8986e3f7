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
from edgegate.vault.seal import unseal_plain
from edgegate.vault.secret import SiteSecret
from edgegate.vault.store import SqliteVault
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
ELSEWHERE = SiteSecret(bytes(32))


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
    vault.enrol(credential(number), card_number=card_number(number), template=template(number), consent=consent)
    return vault.handle_of(credential(number).badge_id)


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
            and np.array_equal(template(number).vector, store.unseal(credential(number), PACK).take().vector)
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
            assert 1 == office.purge(NOW + DAY_S).rows
        elif act == "expire":
            assert 2 == office.purge(credential().expires).rows
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


def test_an_erased_badge_leaves_handle_refusal_and_expiry(vault: SqliteVault, path: Path) -> None:
    """Every other column is empty, but whether it was a plain one and the code over the row; at its expiry all goes."""
    handle = enrol(vault)
    vault.erase(handle)
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        (row,) = (dict(row) for row in db.execute("SELECT * FROM badge"))
        assert 32 == len(row.pop("mac"))
        left = {name: value for name, value in row.items() if value is not None}
        assert {"handle": handle, "status": "revoked", "badge_expires": NOW + YEAR_S, "plain": 0} == left
        assert 1 == vault.purge(NOW + YEAR_S).rows
        assert [] == db.execute("SELECT * FROM badge").fetchall()
    assert [] == holding(path.parent, handle)


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


def test_a_plain_number_is_in_no_file(vault: SqliteVault, path: Path) -> None:
    """Neither as it is printed on the card nor as it counts, its id or any hash that needs no secret."""
    for number, keep in (("0008415732-a", True), ("04 a1 b2 c3 d4", False)):
        badge = plain(number)
        vault.enrol(badge, card_number="", template=template(), consent=CONSENT)
        key = vault.handle_of(badge.badge_id)
        if not keep:
            vault.erase(key)
        counts = number.upper().replace(" ", "")
        hashes = [hashlib.sha256(text).digest()[:16] for text in (counts.encode(), number.encode())]
        for hidden in (number.encode(), counts.encode(), badge.badge_id, *hashes, template().vector.tobytes()[:16]):
            assert [] == holding(path.parent, hidden)
        assert holding(path.parent, key)  # the search finds what is there


def test_the_device_alone_opens_a_plain_template(vault: SqliteVault, path: Path) -> None:
    """With the site secret and the number's id, no badge is needed; with another secret nothing opens."""
    vault.enrol(plain(), card_number="", template=template(), consent=CONSENT)
    key = vault.handle_of(plain().badge_id)
    opened = unseal_plain(sealed(path, key), plain().badge_id, PACK, SECRET)
    assert np.array_equal(template().vector, opened.vector)
    with pytest.raises(TemplateUnreadable):
        unseal_plain(sealed(path, key), plain().badge_id, PACK, ELSEWHERE)


def test_what_a_card_given_out_again_had_before_is_gone(vault: SqliteVault, path: Path) -> None:
    """The template of last year's holder is in no file, while the daemon has the vault open."""
    vault.enrol(plain(), card_number="", template=template(), consent=CONSENT)
    key = vault.handle_of(plain().badge_id)
    gone = sealed(path, key)
    with closing(SqliteVault(path, SECRET)) as office:
        again = plain(issued=NOW + YEAR_S, expires=NOW + 2 * YEAR_S)
        office.enrol(again, card_number="", template=template(1), consent=CONSENT)
        assert [] == holding(path.parent, gone)
        assert [] == holding(path.parent, gone[12:60])
    assert np.array_equal(template(1).vector, vault.unseal(plain(), PACK).take().vector)


def test_a_handle_that_names_two_badges_names_none(vault: SqliteVault, path: Path) -> None:
    """Two handles that begin alike: the office is asked to be more precise."""
    handle = enrol(vault)
    twin = handle[:8] + bytes(24)
    with closing(sqlite3.connect(path)) as db, db:
        columns = "status, badge_expires, pack_id, sealed, consent_by, consent_version, consent_given, consent_expires"
        columns += ", consent_language, plain, mac"
        db.execute(f"INSERT INTO badge (handle, {columns}) SELECT ?, {columns} FROM badge", (twin,))
    with pytest.raises(EdgeGateError) as caught:
        vault.find(handle.hex()[:12])
    assert "several" in said(caught.value)
    assert handle == vault.find(handle.hex()[:20]).handle
    assert twin == vault.find(twin.hex()).handle


def test_another_site_secret_is_refused(vault: SqliteVault, path: Path) -> None:
    """A vault carried to another school, or a secret exchanged: one line, which no waiting heals, and no change."""
    enrol(vault)
    before = path.read_bytes()
    with pytest.raises(EdgeGateError) as caught:
        SqliteVault(path, ELSEWHERE)
    assert str(path) in said(caught.value)
    assert "vault.site_secret" in said(caught.value)
    assert not isinstance(caught.value, StoreError)
    assert before == path.read_bytes()


def test_a_vault_without_the_mark_of_its_secret_is_refused(vault: SqliteVault, path: Path) -> None:
    """Nobody takes the mark away to have another secret believed."""
    enrol(vault)
    vault.close()
    for damage in ("UPDATE setting SET value = 1 WHERE name = 'site'", "DELETE FROM setting WHERE name = 'site'"):
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(damage)
        for site in (SECRET, ELSEWHERE):
            with pytest.raises(StoreError) as caught:
                SqliteVault(path, site)
            assert str(path) in said(caught.value)


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
    words = [standing.pack_id] + ([consent.by, consent.version, consent.language] if consent else [])
    return (
        isinstance(standing.handle, bytes)
        and all(isinstance(number, int) or number is None for number in numbers)
        and all(isinstance(word, str) or word is None for word in words)
    )


def test_a_damaged_file_is_told_or_does_no_harm(path: Path) -> None:
    """One bit of each byte: whatever the vault then says is well formed or one line; what it says of a badge is what
    was written, or known as altered; and no template is another."""
    asked: tuple[Callable[[SqliteVault], object], ...] = (
        lambda store: [store.standing(credential(number)) for number in range(2)],
        lambda store: store.entries(),
        lambda store: [store.find(card_number(1))],
        lambda store: store.unseal(credential(), PACK).take().vector,
        lambda store: store.locked(),
    )
    told, damaged = 0, list(_damaged(path))
    with closing(SqliteVault(path, SECRET)) as store:
        whole = store.entries()
    for data in damaged:
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(data)
        try:
            store = SqliteVault(path, SECRET)
        except EdgeGateError as error:
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
                    assert all(s in whole or s.altered or s.status is Status.UNKNOWN for s in answer)
    assert told > 500
