"""The vault in SQLite."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgegate.errors import EdgeGateError, StoreError, TemplateUnreadable
from edgegate.model import Consent, Credential, Standing, Status, Template, Unsealed
from edgegate.sqlite import checkpoint, compact, one_line, open_database, transaction, with_logs
from edgegate.stores import Erased
from edgegate.traces import Traces
from edgegate.vault import seal
from edgegate.vault.badges import Badges, Gone
from edgegate.vault.rows import COLUMNS, BadgeRow, RowCodes, site_mark
from edgegate.vault.secret import SiteSecret
from edgegate.vault.settings import LOCKDOWN, PUT, SITE, UNFINISHED, WITHDRAWAL, Settings
from edgegate.vault.tables import migrations

APPLICATION_ID = 0x45475631  # "EGV1"
MIN_HANDLE_DIGITS = 12


class SqliteVault:
    """Port `Vault`. One process writes at a time; others wait up to five seconds."""

    def __init__(self, path: Path, secret: SiteSecret, *, create: bool = False) -> None:
        """Raises StoreError; and EdgeGateError for a vault that was made with another site secret."""
        self._path, self._secret = path, secret
        self._db = open_database(path, application_id=APPLICATION_ID, migrations=migrations(secret), create=create)
        self._badges, self._settings = Badges(self._db, path, RowCodes(secret)), Settings(self._db, path)
        try:
            self._require_own_secret()
            if self._settings.get(UNFINISHED) is not None:
                self._overwrite(Traces(()), anew=True)
        except BaseException:
            self._db.close()
            raise

    def handle_of(self, badge_id: bytes) -> bytes:
        return seal.handle(self._secret, badge_id)

    def standing(self, credential: Credential) -> Standing:
        key = self.handle_of(credential.badge_id)
        kept = self._badges.one(key)
        return kept.standing if kept else Standing(key, Status.UNKNOWN)

    def unseal(self, credential: Credential, pack_id: str) -> Unsealed:
        kept = self._badges.one(self.handle_of(credential.badge_id))
        if kept is not None and kept.standing.altered:
            raise TemplateUnreadable("this badge's row was altered", next="erase it, and enrol again")
        if kept is None or kept.standing.status is not Status.VOLUNTEER:
            raise TemplateUnreadable("there is no template for this badge", next="enrol again")
        if kept.row.pack_id != pack_id:
            raise TemplateUnreadable("the template was made with another pack", next="enrol again with this one")
        if kept.standing.plain is not credential.plain:
            raise TemplateUnreadable("this badge was enrolled as one of another kind", next="enrol again")
        return Unsealed(self._open(kept.row.sealed, credential, pack_id))

    def seal_for_badge(self, template: Template, badge_id: bytes) -> bytes:
        return seal.seal_on_badge(template, badge_id, self._secret)

    def enrol(
        self,
        credential: Credential,
        *,
        card_number: str,
        template: Template | None,
        consent: Consent | None,
        replaces: bytes | None = None,
    ) -> Erased:
        row = self._new_row(credential, card_number, template, consent)

        def work(gone: Gone) -> None:
            if credential.plain:
                # A card that has served its time may be given out again, though `purge` has not come by yet.
                expired = "WHERE handle = ? AND badge_expires <= ?"
                self._badges.drop(expired, row.handle, credential.issued, gone=gone)
            if replaces is not None:
                self._badges.change([self._badges.known(replaces)], _revoked, gone)
            self._badges.insert(row, gone)

        try:
            return self._forget(work)
        except StoreError as error:
            if "UNIQUE" in error.what:
                raise self._known_already(credential) from None
            raise

    def find(self, who: str) -> Standing:
        text = who.strip().lower()
        if len(text) >= MIN_HANDLE_DIGITS and not set(text) - set("0123456789abcdef"):
            found = self._badges.select("WHERE lower(hex(handle)) LIKE ? || '%'", text)
        else:
            found = self._badges.select("WHERE card = ?", seal.card_hash(self._secret, who) if who.isascii() else b"")
        if len(found) != 1:
            # What was asked for is not repeated: it may be a plain badge, which is nothing but its number.
            what = "this number or handle " + ("matches several badges" if found else "is not known to this vault")
            raise EdgeGateError(what, next="see `edgegate enroll list`, or check it")
        return found[0].standing

    def withdraw(self, handle: bytes) -> Erased:
        return self._change(handle, _withdrawn)

    def revoke(self, handle: bytes) -> Erased:
        return self._change(handle, _revoked)

    def erase(self, handle: bytes) -> Erased:
        return self._change(handle, _erased)

    def erase_all(self) -> Erased:
        return self._forget(lambda gone: self._badges.drop("", gone=gone))

    def held(self, handle: bytes) -> dict[str, Any]:
        """All that is held of one badge, column by column, for whoever asks what that is. Raises EdgeGateError when it
        is not known."""
        kept = self._badges.known(handle)
        return dict(zip((*COLUMNS, "mac"), (*kept.row.values(), kept.code), strict=True))

    def entries(self) -> list[Standing]:
        return [kept.standing for kept in self._badges.select("ORDER BY badge_expires, handle")]

    def purge(self, now: int) -> Erased:
        def work(gone: Gone) -> None:
            self._badges.drop("WHERE badge_expires <= ?", now, gone=gone)
            self._badges.change(self._badges.select("WHERE consent_expires <= ?", now), _lapsed, gone)

        return self._forget(work)

    def locked(self) -> bool:
        with one_line(self._path):
            # The gate asks every second, and believes a vault that answers: let the answer cover the badges too.
            self._db.execute("SELECT handle FROM badge LIMIT 1").fetchone()
        return bool(self._settings.get(LOCKDOWN))

    def set_locked(self, on: bool) -> None:
        self._settings.put(LOCKDOWN, int(on))

    def arm_withdrawal(self) -> None:
        self._settings.put(WITHDRAWAL, 1)

    def take_withdrawal(self) -> bool:
        return self._settings.remove(WITHDRAWAL)

    def compact(self) -> None:
        """Write the file anew, without what SQLite left between the rows. Raises StoreError."""
        compact(self._db, self._path)
        self._settings.remove(UNFINISHED)

    def close(self) -> None:
        self._db.close()

    def _require_own_secret(self) -> None:
        mark = self._settings.get(SITE)
        if not isinstance(mark, bytes):
            raise StoreError(
                "has lost the mark of its site secret", where=str(self._path), next="it is damaged: put back a copy"
            )
        if not hmac.compare_digest(mark, site_mark(self._secret)):
            raise EdgeGateError(
                "was made with another site secret",
                where=str(self._path),
                next="put that secret back (vault.site_secret), or name another vault and enrol again",
            )

    def _open(self, sealed: bytes | None, credential: Credential, pack_id: str) -> Template:
        """The template, from what the row holds or, where it holds none, from what the badge carries."""
        badge_id = credential.badge_id
        if sealed is None:
            if credential.sealed_template is None:
                raise TemplateUnreadable("this badge carries no template", next="enrol again")
            return seal.unseal_on_badge(credential.sealed_template, badge_id, pack_id, self._secret)
        if credential.plain:
            return seal.unseal_plain(sealed, badge_id, pack_id, self._secret)
        if credential.badge_key is None:
            raise TemplateUnreadable("this badge carries no key", next="enrol again")
        return seal.unseal(sealed, credential.badge_key, badge_id, pack_id, self._secret)

    def _seal(self, template: Template, credential: Credential) -> bytes | None:
        """What the row is to hold; None where the badge carries it."""
        if credential.plain:
            return seal.seal_plain(template, credential.badge_id, self._secret)
        if credential.sealed_template is not None:
            self._open(None, credential, template.pack_id).wipe()  # a badge that does not open now never will
            return None
        if credential.badge_key is None:
            raise EdgeGateError("this badge carries no key to seal a template with", next="issue a new badge")
        return seal.seal(template, credential.badge_key, credential.badge_id, self._secret)

    def _new_row(
        self, credential: Credential, card_number: str, template: Template | None, consent: Consent | None
    ) -> BadgeRow:
        key, plain = self.handle_of(credential.badge_id), int(credential.plain)
        card = seal.card_hash(self._secret, card_number) if card_number else None
        if template is None and consent is None:
            return BadgeRow(key, Status.DIARY.value, credential.expires, card, plain=plain)
        if template is None or consent is None:
            raise EdgeGateError("a template needs a consent, and a consent a template", next="give both or neither")
        return BadgeRow(
            key,
            Status.VOLUNTEER.value,
            credential.expires,
            card,
            template.pack_id,
            self._seal(template, credential),
            consent.by,
            consent.version,
            consent.given,
            consent.expires,
            consent.language,
            plain,
        )

    def _known_already(self, credential: Credential) -> EdgeGateError:
        if not credential.plain:
            return EdgeGateError("this badge is enrolled already", next="issue a new badge")
        instead = "give another card, or issue a signed badge"
        if self.standing(credential).status is Status.REVOKED:
            return EdgeGateError("this number was revoked, and is refused until it expires", next=instead)
        return EdgeGateError("this number is enrolled already, until it expires", next=instead)

    def _change(self, handle: bytes, into: Callable[[BadgeRow], BadgeRow]) -> Erased:
        return self._forget(lambda gone: self._badges.change([self._badges.known(handle)], into, gone))

    def _forget(self, work: Callable[[Gone], None]) -> Erased:
        """Make a change, and overwrite what it takes away. Whoever is killed in between leaves a mark, and the next
        change or start goes on from there."""
        gone, unfinished = Gone(), self._settings.get(UNFINISHED) is not None
        with transaction(self._db, self._path) as db:
            work(gone)
            if gone.rows:
                db.execute(PUT, (UNFINISHED, 1))
        erased = gone.erased()
        if gone.rows or unfinished:
            self._overwrite(Traces(erased.traces), anew=unfinished)
        return erased

    def _overwrite(self, traces: Traces, *, anew: bool) -> None:
        """Fold the log into the file, and write that anew where SQLite, which moves rows about, left a piece of one."""
        checkpoint(self._db, self._path)
        with suppress(StoreError):  # it is forgotten all the same; `edgegate.erasure` tells what is left
            if anew or self._holds(traces):
                self.compact()
            else:
                self._settings.remove(UNFINISHED)

    def _holds(self, traces: Traces) -> bool:
        try:
            return any(traces.inside(file) for file in with_logs(self._path) if file.exists())
        except OSError:
            return True


def _withdrawn(row: BadgeRow) -> BadgeRow:
    if row.status == Status.REVOKED:
        raise EdgeGateError("this badge is revoked: it has no consent to withdraw", next="see `edgegate enroll list`")
    return row.without_face(Status.DIARY)


def _lapsed(row: BadgeRow) -> BadgeRow:
    return row.without_face(Status.DIARY)


def _revoked(row: BadgeRow) -> BadgeRow:
    return row.without_face(Status.REVOKED)


def _erased(row: BadgeRow) -> BadgeRow:
    return row.without_face(Status.REVOKED, card=False)
