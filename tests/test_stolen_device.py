"""Whoever steals the device has its whole state and every secret on it, but no badge: no badge-keyed template opens.

The thief here is given more than a thief has: the numbers of the badges, which are on the badges only, and the order
in which they belong to the rows.
"""

from __future__ import annotations

import base64
import inspect
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgegate import device_key
from edgegate.adapters import open_book, open_journal, open_vault
from edgegate.errors import TemplateUnreadable
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.model import Credential, Template, TemplateForm
from edgegate.stores import Entry
from edgegate.vault import seal
from edgegate.vault.rows import COLUMNS, BadgeRow, RowCodes
from edgegate.vault.secret import SiteSecret, load
from tests.conftest import Site
from tests.contracts.kit import template

PEOPLE = ("ana", "ben", "chloe")
PACK = FAKE_PACK.id


@dataclass(frozen=True)
class Loot:
    """What the thief has, and the badges, of which the thief is given the numbers but not the keys."""

    site: Site
    secret: SiteSecret
    rows: tuple[BadgeRow, ...]
    badges: tuple[Credential, ...]
    """In the order of their rows."""
    files: dict[str, bytes]

    @property
    def sealed(self) -> list[bytes]:
        return [row.sealed for row in self.rows if row.sealed is not None]

    @property
    def ids(self) -> list[bytes]:
        return [badge.badge_id for badge in self.badges]

    def secrets(self) -> list[bytes]:
        """Every value of 32 bytes that has a name."""
        private = [data for name, data in self.files.items() if name.endswith((".key", ".pub", ".pem"))]
        values = [value for row in self.rows for value in (row.handle, row.card, RowCodes(self.secret).code(row))]
        values += [piece[at : at + 32] for piece in self.sealed for at in (0, 12, len(piece) - 32)]
        values += [self.secret.value, bytes(32), b"\xff" * 32, *(data[:32].ljust(32, b"\0") for data in private)]
        return [value for value in values if value is not None]


@pytest.fixture
def loot(site: Site) -> Loot:
    """A gate with three badge-keyed volunteers and every kind of key and file it can have, the daemon still running."""
    config = site.configure()
    book, now = open_book(config), int(time.time())
    badges = [found for person in PEOPLE if isinstance(found := book.verify(site.enrol(person).text), Credential)]
    device_key.make(config.gate.device_key)
    with closing(open_vault(config)) as vault, closing(open_journal(config, create=True)) as journal:
        for badge in badges:
            assert TemplateForm.BADGE_KEYED is vault.standing(badge).template
            vault.unseal(badge, PACK).wipe()
            journal.append(Entry(now, "decision", "granted", "match", handle=vault.handle_of(badge.badge_id)))
        kept = {path.name: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    assert {"vault.db", "vault.db-wal", "journal.db", "site.key", "issuer.key", "device.key", "config.yaml"} <= set(
        kept
    )
    with closing(sqlite3.connect(config.vault.path)) as db:
        rows = tuple(BadgeRow(*row) for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM badge ORDER BY handle"))
    secret = load(config.vault.site_secret)
    badges.sort(key=lambda badge: seal.handle(secret, badge.badge_id))
    assert 3 == len(rows) == len(badges)
    return Loot(site, secret, rows, tuple(badges), kept)


def based(text: bytes) -> bytes:
    """What these base64 digits stand for; one too many is left out."""
    text = text[:-1] if len(text) % 4 == 1 else text
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def windows(data: bytes) -> Iterator[bytes]:
    """Every 32 bytes of a file, and of what it holds as hexadecimal or base64 digits."""
    decoded = [based(text[at:]) for text in re.findall(rb"[A-Za-z0-9+/]{43,}", data) for at in range(4)]
    decoded += [bytes.fromhex(text.decode()) for text in re.findall(rb"(?:[0-9a-fA-F]{2}){32,}", data)]
    for part in (data, *decoded):
        for at in range(len(part) - 31):
            yield part[at : at + 32]


def opened(loot: Loot, key: bytes) -> int:
    """How many templates this badge key opens, each under its own badge's number; by the documented form alone."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=loot.secret.value, info=b"edgegate/template/1").derive(
        key
    )
    cipher, count = AESGCM(derived), 0
    for sealed, badge_id in zip(loot.sealed, loot.ids, strict=True):
        try:
            cipher.decrypt(sealed[:12], sealed[12:], cbor2.dumps([1, badge_id, PACK]))
            count += 1
        except InvalidTag:
            pass
    return count


def test_the_search_finds_a_key_where_there_is_one(loot: Loot) -> None:
    """It is no formality: a badge's key left in a file, in whatever digits, would open its template."""
    for badge in loot.badges:
        assert badge.badge_key is not None
        for left in (badge.badge_key, badge.badge_key.hex().encode(), base64.b64encode(badge.badge_key)):
            assert 1 == sum(opened(loot, key) for key in set(windows(b"..." + left + b"\n")))


def test_no_32_bytes_of_any_file_are_a_badge_key(loot: Loot) -> None:
    """Everything that lies in the folder, logs beside the databases included, tried as a key."""
    tried = {key for data in loot.files.values() for key in windows(data)}
    assert len(tried) > 5_000
    assert 0 == sum(opened(loot, key) for key in tried)
    assert 0 == sum(opened(loot, key) for key in loot.secrets())


def test_no_function_that_opens_templates_opens_one(loot: Loot) -> None:
    """Each of them, with every secret, ciphertext and number there is, in every place they fit."""
    openers: dict[str, Callable[..., object]] = {
        name: function for name, function in inspect.getmembers(seal, inspect.isfunction) if "unseal" in name
    }
    assert {"unseal", "unseal_plain", "unseal_on_badge", "_unseal"} == set(openers)  # another one has to be tried too
    del openers["_unseal"]  # which the others call
    secrets = [loot.secret, *(SiteSecret(value) for value in loot.secrets())]
    ids = [*loot.ids, *(row.handle for row in loot.rows), bytes(16)]
    for opener in openers.values():
        keyed = "badge_key" in inspect.signature(opener).parameters
        for sealed, badge_id, secret in product(loot.sealed, ids, secrets):
            for key in loot.secrets() if keyed and secret is loot.secret else [secret.value] if keyed else [None]:
                given = (sealed, badge_id) if key is None else (sealed, key, badge_id)
                with pytest.raises(TemplateUnreadable):
                    opener(*given, PACK, secret)


def forgeries(loot: Loot) -> Iterator[Credential]:
    """Badges as the thief can make them, who has the issuer's key if it was left here, too."""
    for badge, row in zip(loot.badges, loot.rows, strict=True):
        bare = replace(badge, badge_key=None)
        yield bare
        yield replace(bare, plain=True)
        yield replace(bare, sealed_template=row.sealed)
        yield replace(bare, plain=True, sealed_template=row.sealed)
        for key in loot.secrets():
            yield replace(bare, badge_key=key)
        for other in loot.badges:
            if other is not badge:
                yield replace(bare, badge_key=other.badge_key)  # one stolen badge opens one template only


def test_the_vault_opens_for_no_forged_badge(loot: Loot) -> None:
    """Right number, no key, another's key, as a plain badge, as one that carries its own row's ciphertext."""
    with closing(open_vault(loot.site.config)) as vault:
        for forged in forgeries(loot):
            with pytest.raises(TemplateUnreadable):
                vault.unseal(forged, PACK)


def test_rows_rewritten_with_the_site_secret_open_no_sooner(loot: Loot) -> None:
    """Who has the secret can vouch for any row; what is sealed under a badge's key stays so, whatever the row says."""
    codes = RowCodes(loot.secret)
    changes: list[Callable[[BadgeRow], BadgeRow]] = [
        lambda row: replace(row, plain=1),
        lambda row: replace(row, sealed=None),
        lambda row: replace(row, sealed=loot.sealed[0]),
        lambda row: replace(row, badge_expires=2**40, consent_expires=2**40),
    ]
    for change in changes:
        with closing(sqlite3.connect(loot.site.config.vault.path)) as db, db:
            for row in loot.rows:
                new = change(row)
                values = (new.sealed, new.plain, new.badge_expires, new.consent_expires, codes.code(new), row.handle)
                db.execute(
                    "UPDATE badge SET sealed = ?, plain = ?, badge_expires = ?, consent_expires = ?, mac = ? "
                    "WHERE handle = ?",
                    values,
                )
        with closing(open_vault(loot.site.config)) as vault:
            assert not any(entry.altered for entry in vault.entries())
            for forged in forgeries(loot):
                with pytest.raises(TemplateUnreadable):
                    vault.unseal(forged, PACK)


def test_what_a_thief_can_open(loot: Loot) -> None:
    """So that nobody promises more: a plain badge's template with its number, and an on-badge one with a photograph."""
    face, badge_id = Template(template().vector, PACK), bytes(range(16))
    whole = face.vector.tolist()
    for sealed, opener in (
        (seal.seal_plain(face, badge_id, loot.secret), seal.unseal_plain),
        (seal.seal_on_badge(face, badge_id, loot.secret), seal.unseal_on_badge),
    ):
        assert whole == pytest.approx(opener(sealed, badge_id, PACK, loot.secret).vector.tolist(), abs=0.01)
