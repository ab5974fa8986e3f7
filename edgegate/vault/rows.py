"""One badge as a row of the vault, and the code by which the vault knows its own rows again."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field, fields
from typing import Any

import cbor2

from edgegate.model import Consent, Standing, Status, TemplateForm
from edgegate.vault.seal import site_key
from edgegate.vault.secret import SiteSecret


@dataclass(frozen=True, slots=True)
class BadgeRow:
    """The columns of the table `badge`, in order, but for the last: the code over all the others."""

    handle: bytes = field(repr=False)
    status: str
    badge_expires: int
    card: bytes | None = field(default=None, repr=False)
    pack_id: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    consent_by: str | None = None
    consent_version: str | None = None
    consent_given: int | None = None
    consent_expires: int | None = None
    consent_language: str | None = None
    plain: int = 0

    def values(self) -> list[Any]:
        return [getattr(self, name) for name in COLUMNS]

    def without_face(self, status: Status, *, card: bool = True) -> BadgeRow:
        """The same badge without template and consent, and on request without its card number."""
        kept = self.card if card else None
        return BadgeRow(self.handle, status.value, self.badge_expires, kept, plain=self.plain)

    def standing(self, *, altered: bool) -> Standing:
        """What this row says. Raises ValueError or TypeError when that makes no sense."""
        expires = int(self.badge_expires)
        if self.status != Status.VOLUNTEER:
            return Standing(self.handle, Status(self.status), expires, plain=bool(self.plain), altered=altered)
        if self.consent_given is None or self.consent_expires is None:
            raise ValueError("a volunteer without a consent")
        consent = Consent(
            str(self.consent_by),
            str(self.consent_version),
            int(self.consent_given),
            int(self.consent_expires),
            str(self.consent_language),
        )
        form = TemplateForm.PLAIN if self.plain else TemplateForm.BADGE_KEYED
        if self.sealed is None:
            form = TemplateForm.ON_BADGE
        return Standing(
            self.handle,
            Status.VOLUNTEER,
            expires,
            consent,
            str(self.pack_id),
            plain=bool(self.plain),
            template=form,
            altered=altered,
        )


COLUMNS = tuple(column.name for column in fields(BadgeRow))
INSERT = f"INSERT INTO badge ({', '.join(COLUMNS)}, mac) VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"


class RowCodes:
    """HMAC-SHA256 of a row under a key of the site secret's: who has no secret can neither write nor change one.

    What it cannot tell: that a row was taken away, or put back as it once was, or that the whole vault was given the
    form of a version that had no codes.
    """

    def __init__(self, secret: SiteSecret) -> None:
        self._key = site_key(secret, b"edgegate/row/1")

    def code(self, row: BadgeRow) -> bytes:
        return hmac.digest(self._key, cbor2.dumps(row.values(), canonical=True), "sha256")

    def holds(self, row: BadgeRow, code: bytes) -> bool:
        return isinstance(code, bytes) and hmac.compare_digest(code, self.code(row))

    def after(self, row: BadgeRow, *, altered: bool) -> bytes:
        """The code for what an older row becomes. What an altered row said stays unbelievable, whatever is taken from
        it, unless all that it says from now on is that the badge is refused."""
        return os.urandom(32) if altered and row.status != Status.REVOKED else self.code(row)


def site_mark(secret: SiteSecret) -> bytes:
    """32 bytes by which a vault tells whether it is opened with the secret it was made with."""
    return site_key(secret, b"edgegate/vault/1")
