"""Rows that somebody changed without this site's secret: known as such, never believed, and forgotten all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.model import Credential, Standing, Status
from edgegate.vault import seal
from edgegate.vault.rows import COLUMNS, BadgeRow, RowCodes
from edgegate.vault.secret import SiteSecret
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import CONSENT, NOW, PACK, SECRET, YEAR_S, card_number, credential, holding, said, template

KEYED, DIARY, REVOKED, ON_BADGE, SECOND = range(5)
NOT_NULL = {"handle", "status", "badge_expires", "plain", "mac"}
FILLED = {"card": bytes(32), "sealed": bytes(60), "consent_given": NOW, "consent_expires": NOW + YEAR_S}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A vault with two volunteers, a diary badge, a revoked one, and a volunteer who carries the template."""
    path = tmp_path / "vault.db"
    with closing(SqliteVault(path, SECRET, create=True)) as store:
        for number in (KEYED, DIARY, REVOKED, ON_BADGE, SECOND):
            face = number != DIARY
            store.enrol(
                badge(number),
                card_number=card_number(number),
                template=template(number) if face else None,
                consent=CONSENT if face else None,
            )
        store.revoke(handle(REVOKED))
    return path


def badge(number: int) -> Credential:
    bare = credential(number, keyed=number != ON_BADGE)
    carried = seal.seal_on_badge(template(number), bare.badge_id, SECRET) if number == ON_BADGE else None
    return replace(bare, sealed_template=carried)


def handle(number: int) -> bytes:
    return seal.handle(SECRET, credential(number).badge_id)


def tamper(path: Path, sql: str, *values: object) -> None:
    """What somebody can do who has the file and sqlite3, but no secret."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        assert 1 <= db.execute(sql, values).rowcount


def stored(path: Path, number: int, column: str) -> object:
    """A value, read past the vault."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT {column} FROM badge WHERE handle = ?", (handle(number),)).fetchone()[0]


def entries(path: Path) -> list[Standing]:
    with closing(SqliteVault(path, SECRET)) as store:
        return store.entries()


def refused(path: Path, number: int) -> bool:
    """Does the template stay shut, with one line that says so?"""
    with closing(SqliteVault(path, SECRET)) as store:
        try:
            store.unseal(badge(number), PACK)
        except TemplateUnreadable as error:
            return bool(said(error))
    return False


def changed(value: object) -> object:
    """Another value of the same kind, as near as can be."""
    match value:
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case int():
            return 1 - value if value in (0, 1) else value + 1
        case str():
            return {"volunteer": "diary", "diary": "revoked", "revoked": "diary"}.get(value, value + "x")
    raise AssertionError(value)


@pytest.mark.parametrize("number", [KEYED, DIARY, REVOKED, ON_BADGE], ids=["keyed", "diary", "revoked", "on badge"])
@pytest.mark.parametrize("column", [*COLUMNS, "mac"])
def test_every_column_of_every_row_is_vouched_for(column: str, number: int, path: Path) -> None:
    """Changed by the least there is, emptied, or filled where it was empty: this row is known as altered, no other."""
    whole, was = path.read_bytes(), stored(path, number, column)
    others = [entry for entry in entries(path) if entry.handle != handle(number)]
    new = FILLED.get(column, "fr") if was is None else changed(was)
    for value in (new, None) if was is not None and column not in NOT_NULL else (new,):
        tamper(path, f"UPDATE badge SET {column} = ? WHERE handle = ?", value, handle(number))
        after = entries(path)
        assert [value if column == "handle" else handle(number)] == [entry.handle for entry in after if entry.altered]
        assert others == [entry for entry in after if not entry.altered]
        assert refused(path, number)
        path.write_bytes(whole)
    assert [] == [entry for entry in entries(path) if entry.altered]


def test_ciphertexts_exchanged_between_badges_open_with_neither(path: Path) -> None:
    """With or without their codes, and a whole row under another's handle: the badge's own key does not open them."""
    whole, pair = path.read_bytes(), (handle(KEYED), handle(SECOND))
    for columns in ("sealed", "sealed, mac", ", ".join((*COLUMNS[3:], "mac"))):
        with closing(sqlite3.connect(path)) as db, db:
            one, other = (
                db.execute(f"SELECT {columns} FROM badge WHERE handle = ?", (key,)).fetchone() for key in pair
            )
            db.execute("UPDATE badge SET card = NULL WHERE handle IN (?, ?)", pair)  # card numbers are unique
            marks = ", ".join("?" * len(one))
            for values, key in ((other, pair[0]), (one, pair[1])):
                db.execute(f"UPDATE badge SET ({columns}) = ({marks}) WHERE handle = ?", (*values, key))
        assert {True} == {entry.altered for entry in entries(path) if entry.handle in pair}
        assert refused(path, KEYED)
        assert refused(path, SECOND)
        path.write_bytes(whole)
    assert not refused(path, KEYED)


def test_a_ciphertext_under_another_handle_opens_for_nobody(path: Path) -> None:
    """Not for the badge it is put under; not even when this site's own secret vouches for the row."""
    sealed = stored(path, KEYED, "sealed")
    assert isinstance(sealed, bytes)
    row = BadgeRow(handle(DIARY), "volunteer", NOW + YEAR_S, None, PACK, sealed, "both", "1", NOW, NOW + 1, "fr")
    tamper(path, "DELETE FROM badge WHERE handle = ?", handle(DIARY))
    names = ", ".join((*COLUMNS, "mac"))
    marks = ", ".join("?" * (len(COLUMNS) + 1))
    tamper(path, f"INSERT INTO badge ({names}) VALUES ({marks})", *row.values(), RowCodes(SECRET).code(row))
    assert [] == [entry for entry in entries(path) if entry.altered]
    assert refused(path, DIARY)
    with closing(SqliteVault(path, SECRET)) as store, pytest.raises(TemplateUnreadable):
        store.unseal(replace(badge(DIARY), badge_key=badge(KEYED).badge_key), PACK)


def test_a_row_written_with_another_secret_is_not_believed(path: Path) -> None:
    """Whoever can write the file, but not read the secret, enrols nobody."""
    row = BadgeRow(bytes(range(32)), "volunteer", NOW + YEAR_S, None, PACK, bytes(540), "both", "1", NOW, NOW + 9, "fr")
    names, marks = ", ".join((*COLUMNS, "mac")), ", ".join("?" * (len(COLUMNS) + 1))
    for code in (RowCodes(SiteSecret(bytes(32))).code(row), bytes(32)):
        tamper(path, f"INSERT OR REPLACE INTO badge ({names}) VALUES ({marks})", *row.values(), code)
        assert [row.handle] == [entry.handle for entry in entries(path) if entry.altered]


@pytest.mark.parametrize("act", ["revoke", "erase"])
def test_an_altered_badge_can_be_refused_for_good(act: str, path: Path) -> None:
    """The office is not helpless: template and consent go, and the refusal is believed."""
    sealed = stored(path, KEYED, "sealed")
    assert isinstance(sealed, bytes)
    tamper(path, "UPDATE badge SET consent_by = 'nobody' WHERE handle = ?", handle(KEYED))
    with closing(SqliteVault(path, SECRET)) as store:
        erased = getattr(store, act)(handle(KEYED))
        assert (1, True) == (erased.rows, sealed in erased.traces)
        assert Standing(handle(KEYED), Status.REVOKED, NOW + YEAR_S) == store.standing(badge(KEYED))
        assert [] == holding(path.parent, sealed)


def test_an_altered_refusal_can_be_made_a_believed_one_again(path: Path) -> None:
    """The row says nothing new, but it is this site that says it."""
    tamper(path, "UPDATE badge SET mac = zeroblob(32) WHERE handle = ?", handle(REVOKED))
    with closing(SqliteVault(path, SECRET)) as store:
        assert store.standing(badge(REVOKED)).altered
        assert 1 == store.revoke(handle(REVOKED)).rows
        assert Standing(handle(REVOKED), Status.REVOKED, NOW + YEAR_S) == store.standing(badge(REVOKED))


@pytest.mark.parametrize("act", ["withdraw", "lapse"])
def test_nothing_makes_an_altered_row_a_believed_one_but_a_refusal(act: str, path: Path) -> None:
    """A revoked badge dressed up as a volunteer's does not become a diary badge by losing that consent again."""
    columns = "status, pack_id, sealed, consent_by, consent_version, consent_given, consent_expires, consent_language"
    face = ("volunteer", PACK, bytes(range(60)), "both", "1", NOW, NOW + 1, "fr")
    tamper(path, f"UPDATE badge SET ({columns}) = (?, ?, ?, ?, ?, ?, ?, ?) WHERE handle = ?", *face, handle(REVOKED))
    with closing(SqliteVault(path, SECRET)) as store:
        erased = store.withdraw(handle(REVOKED)) if act == "withdraw" else store.purge(NOW + 1)
        assert (1, True) == (erased.rows, face[2] in erased.traces)
        assert store.standing(badge(REVOKED)).altered
        assert store.standing(badge(REVOKED)).consent is None
        with pytest.raises(TemplateUnreadable):
            store.unseal(badge(REVOKED), PACK)
        assert [] == holding(path.parent, face[2])
        store.withdraw(handle(REVOKED))  # again: it stays what it is
        assert store.standing(badge(REVOKED)).altered


def test_a_row_that_makes_no_sense_is_altered_and_can_be_erased(path: Path) -> None:
    """A status that no version knows, a consent without its dates: listed, refused, erased like any other."""
    tamper(path, "UPDATE badge SET status = 'queen' WHERE handle = ?", handle(DIARY))
    tamper(path, "UPDATE badge SET consent_given = NULL WHERE handle = ?", handle(KEYED))
    odd = {entry.handle: entry.status for entry in entries(path) if entry.altered}
    assert {handle(DIARY): Status.UNKNOWN, handle(KEYED): Status.UNKNOWN} == odd
    with closing(SqliteVault(path, SECRET)) as store:
        assert store.find(handle(DIARY).hex()).altered
        assert store.find(card_number(KEYED)).altered
        for key in odd:
            assert 1 == store.erase(key).rows
    assert [] == [entry for entry in entries(path) if entry.altered]


def test_what_the_codes_cannot_tell(path: Path) -> None:
    """A row that is taken away, and one that is put back as it once was: for these the journal's head is kept."""
    with closing(sqlite3.connect(path)) as db:
        before = db.execute("SELECT * FROM badge WHERE handle = ?", (handle(KEYED),)).fetchone()
    with closing(SqliteVault(path, SECRET)) as store:
        store.revoke(handle(KEYED))
    tamper(path, "DELETE FROM badge WHERE handle = ?", handle(KEYED))
    with closing(SqliteVault(path, SECRET)) as store:
        assert Status.UNKNOWN is store.standing(badge(KEYED)).status
    tamper(path, f"INSERT INTO badge VALUES ({', '.join('?' * len(before))})", *before)
    assert [] == [entry for entry in entries(path) if entry.altered]
    assert not refused(path, KEYED)


def test_an_altered_row_is_not_replaced_in_a_renewal_but_refused(path: Path) -> None:
    """Its template does not open, so nobody renews from it; the office may still give a new badge in its place."""
    tamper(path, "UPDATE badge SET badge_expires = badge_expires + 1 WHERE handle = ?", handle(KEYED))
    with closing(SqliteVault(path, SECRET)) as store:
        with pytest.raises(EdgeGateError):
            store.unseal(badge(KEYED), PACK)
        fresh = credential(9)
        done = store.enrol(fresh, card_number="", template=template(), consent=CONSENT, replaces=handle(KEYED))
        assert 1 == done.rows
        assert Status.REVOKED is store.standing(badge(KEYED)).status
        assert not store.standing(badge(KEYED)).altered
