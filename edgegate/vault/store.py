"""The vault in SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgegate.errors import EdgeGateError, StoreError, TemplateUnreadable
from edgegate.model import Consent, Credential, Standing, Status, Template
from edgegate.sqlite import checkpoint, one_line, open_database, transaction
from edgegate.vault.seal import card_hash, handle, seal, seal_plain, unseal, unseal_plain
from edgegate.vault.secret import SiteSecret

APPLICATION_ID = 0x45475631  # "EGV1"
MIN_HANDLE_DIGITS = 12

MIGRATIONS = (
    (
        "first",
        """
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
        CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID
        """,
    ),
    ("plain", "ALTER TABLE badge ADD COLUMN plain INTEGER NOT NULL DEFAULT 0 CHECK (plain IN (0, 1))"),
)

_COLUMNS = "handle, status, badge_expires, pack_id, consent_by, consent_version, consent_given, consent_expires, plain"
_FORGET_FACE = (
    "sealed = NULL, pack_id = NULL, consent_by = NULL, consent_version = NULL, consent_given = NULL, "
    "consent_expires = NULL"
)


class SqliteVault:
    """Port `Vault`. One process writes at a time; others wait up to five seconds."""

    def __init__(self, path: Path, secret: SiteSecret, *, create: bool = False) -> None:
        self._path, self._secret = path, secret
        self._db = open_database(path, application_id=APPLICATION_ID, migrations=MIGRATIONS, create=create)

    def handle_of(self, badge_id: bytes) -> bytes:
        return handle(self._secret, badge_id)

    def standing(self, credential: Credential) -> Standing:
        key = self.handle_of(credential.badge_id)
        return self._standing(key) or Standing(key, Status.UNKNOWN)

    def unseal(self, credential: Credential, pack_id: str) -> Template:
        key = self.handle_of(credential.badge_id)
        with one_line(self._path):
            row = self._db.execute("SELECT sealed, pack_id FROM badge WHERE handle = ?", (key,)).fetchone()
        if row is None or row[0] is None:
            raise TemplateUnreadable("there is no template for this badge", next="enrol again")
        if row[1] != pack_id:
            raise TemplateUnreadable("the template was made with another pack", next="enrol again with this one")
        if credential.plain:
            return unseal_plain(row[0], credential.badge_id, pack_id, self._secret)
        if credential.badge_key is None:
            raise TemplateUnreadable("this badge carries no key", next="enrol again")
        return unseal(row[0], credential.badge_key, credential.badge_id, pack_id, self._secret)

    def enrol(
        self,
        credential: Credential,
        *,
        card_number: str,
        template: Template | None,
        consent: Consent | None,
    ) -> bytes:
        key = self.handle_of(credential.badge_id)
        if (template is None) != (consent is None):
            raise EdgeGateError("a template needs a consent, and a consent a template", next="give both or neither")
        values = (
            key,
            Status.DIARY if template is None else Status.VOLUNTEER,
            credential.expires,
            card_hash(self._secret, card_number) if card_number else None,
            template.pack_id if template is not None else None,
            self._seal(template, credential) if template is not None else None,
            consent.by if consent else None,
            consent.version if consent else None,
            consent.given if consent else None,
            consent.expires if consent else None,
            credential.plain,
        )
        gone = 0
        try:
            with transaction(self._db, self._path) as db:
                if credential.plain:
                    # A card that has served its time may be given out again, though `purge` has not come by yet.
                    expired = "DELETE FROM badge WHERE handle = ? AND badge_expires <= ?"
                    gone = db.execute(expired, (key, credential.issued)).rowcount
                db.execute(
                    "INSERT INTO badge (handle, status, badge_expires, card, pack_id, sealed, consent_by, "
                    "consent_version, consent_given, consent_expires, plain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
        except StoreError as error:
            if "UNIQUE" in error.what:
                raise self._known_already(credential) from None
            raise
        if gone:
            checkpoint(self._db, self._path)
        return key

    def find(self, who: str) -> Standing:
        text = who.strip().lower()
        with one_line(self._path):
            if len(text) >= MIN_HANDLE_DIGITS and not set(text) - set("0123456789abcdef"):
                query, argument = "lower(hex(handle)) LIKE ? || '%'", text
                rows = self._db.execute(f"SELECT {_COLUMNS} FROM badge WHERE {query}", (argument,)).fetchall()
            else:
                card = card_hash(self._secret, who) if who.isascii() else b""
                rows = self._db.execute(f"SELECT {_COLUMNS} FROM badge WHERE card = ?", (card,)).fetchall()
        if len(rows) != 1:
            # What was asked for is not repeated: it may be a plain badge, which is nothing but its number.
            what = "this number or handle " + ("matches several badges" if rows else "is not known to this vault")
            raise EdgeGateError(what, next="see `edgegate enroll list`, or check it")
        return self._read(rows[0])

    def revoke(self, handle: bytes) -> None:
        self._change(f"UPDATE badge SET status = 'revoked', {_FORGET_FACE} WHERE handle = ?", handle)

    def erase(self, handle: bytes) -> None:
        self._change(f"UPDATE badge SET status = 'revoked', card = NULL, {_FORGET_FACE} WHERE handle = ?", handle)

    def entries(self) -> list[Standing]:
        with one_line(self._path):
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM badge ORDER BY badge_expires, handle").fetchall()
        return [self._read(row) for row in rows]

    def purge(self, now: int) -> int:
        with transaction(self._db, self._path) as db:
            gone = db.execute("DELETE FROM badge WHERE badge_expires <= ?", (now,)).rowcount
            lapsed = db.execute(
                f"UPDATE badge SET status = 'diary', {_FORGET_FACE} WHERE consent_expires <= ?", (now,)
            ).rowcount
        if gone or lapsed:
            checkpoint(self._db, self._path)
        return int(gone + lapsed)

    def locked(self) -> bool:
        with one_line(self._path):
            row = self._db.execute("SELECT value FROM setting WHERE name = 'lockdown'").fetchone()
            # The gate asks every second, and believes a vault that answers: let the answer cover the badges too.
            self._db.execute("SELECT handle FROM badge LIMIT 1").fetchone()
        return bool(row and row[0])

    def set_locked(self, on: bool) -> None:
        with transaction(self._db, self._path) as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES ('lockdown', ?)", (int(on),))

    def close(self) -> None:
        self._db.close()

    def _seal(self, template: Template, credential: Credential) -> bytes:
        if credential.plain:
            return seal_plain(template, credential.badge_id, self._secret)
        if credential.badge_key is None:
            raise EdgeGateError("this badge carries no key to seal a template with", next="issue a new badge")
        return seal(template, credential.badge_key, credential.badge_id, self._secret)

    def _known_already(self, credential: Credential) -> EdgeGateError:
        if not credential.plain:
            return EdgeGateError("this badge is enrolled already", next="issue a new badge")
        instead = "give another card, or issue a signed badge"
        if self.standing(credential).status is Status.REVOKED:
            return EdgeGateError("this number was revoked, and is refused until it expires", next=instead)
        return EdgeGateError("this number is enrolled already, until it expires", next=instead)

    def _standing(self, key: bytes) -> Standing | None:
        with one_line(self._path):
            row = self._db.execute(f"SELECT {_COLUMNS} FROM badge WHERE handle = ?", (key,)).fetchone()
        return self._read(row) if row else None

    def _change(self, sql: str, handle: bytes) -> None:
        with transaction(self._db, self._path) as db:
            changed = db.execute(sql, (handle,)).rowcount
        if not changed:
            raise EdgeGateError("this badge is not known to this vault", next="see `edgegate enroll list`")
        checkpoint(self._db, self._path)

    def _read(self, row: tuple[Any, ...]) -> Standing:
        key, status, badge_expires, pack_id, by, version, given, expires, plain = row
        try:
            consent = Consent(str(by), str(version), int(given), int(expires)) if expires is not None else None
            pack = pack_id and str(pack_id)
            return Standing(key, Status(status), int(badge_expires), consent, pack, bool(int(plain)))
        except (ValueError, TypeError):
            raise StoreError(
                "holds a row that makes no sense", where=str(self._path), next="it is damaged: put back a copy"
            ) from None
