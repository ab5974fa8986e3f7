"""Enrolling, in the office: from photographs and a consent to a badge and a row in the vault; and a new badge for an
old one.

The photographs are compared, averaged and dropped; the badge's text exists only in the picture that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Self

from edgegate.adapters import FaceSide
from edgegate.badges import card
from edgegate.badges.credential import PREFIX, CredentialBook, new_credential
from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.badges.draw import draw
from edgegate.badges.issuer import Issuer
from edgegate.errors import EdgeGateError
from edgegate.faces.photos import Photo, enrol
from edgegate.files import write_private
from edgegate.images import SUFFIXES, grey, read_image
from edgegate.model import Consent, Credential, Detail, Standing, Status, Template, TemplateForm
from edgegate.ports import BadgeBook
from edgegate.stores import Erased, Vault

AGREE_FMR = 1e-3
"""Photographs of one enrolment must agree at the threshold of this rate: the operator vouches for the person,
so a stricter one would only refuse good photographs."""
NOTHING = Erased(0)
_ANY_NUMBER = CredentialBook({}, plain_typed=True)
"""Knows a plain number also where the gate takes none any more: its badge can still be revoked or erased."""


@dataclass(frozen=True, slots=True)
class BadgeOut:
    """Where the picture of a badge, which is its key, goes: a new file (0600), or a stream such as a printer's pipe."""

    target: Path | BinaryIO
    suffix: str
    """.png or .svg"""
    size_mm: float | None = None

    @classmethod
    def file(cls, path: Path, size_mm: float | None = None) -> Self:
        return cls(path, path.suffix.lower(), size_mm)

    def write(self, text: str) -> None:
        """Raises EdgeGateError."""
        picture = draw(text, self.suffix, self.size_mm)
        if isinstance(self.target, Path):
            write_private(self.target, picture)
            return
        left = memoryview(picture)
        try:
            while left:
                left = left[self.target.write(left) :]
            self.target.flush()
        except OSError as error:
            raise EdgeGateError(
                f"the badge could not be handed on ({error.strerror})", next="see what reads it, and do it again"
            ) from None

    def take_back(self) -> None:
        """Leave no picture of a badge that nobody knows; what went down a stream opens nothing."""
        if isinstance(self.target, Path):
            self.target.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What the office notes beside the name, in its own file. `text` is the badge itself."""

    handle: bytes = field(repr=False)
    card_number: str
    expires: int
    text: str = field(repr=False)
    erased: Erased = NOTHING
    """What the badge that this one replaces has left."""


def template_from(photos: Sequence[Photo], faces: FaceSide) -> Template:
    """Raises PhotoRefused naming the photograph and the reason."""
    agree = faces.per_pair.threshold(max(AGREE_FMR, min(faces.per_pair.manifest.thresholds)))
    return enrol(photos, faces.engine, faces.pack.id, agree)


def issue(
    vault: Vault,
    issuer: Issuer,
    *,
    template: Template | None,
    consent: Consent | None,
    expires: int,
    now: int,
    form: TemplateForm = TemplateForm.BADGE_KEYED,
    badge_out: BadgeOut | None = None,
    replaces: bytes | None = None,
) -> Enrolled:
    """Issue a badge, draw it and keep its row. Without template and consent it is a diary badge.

    `form` is badge-keyed or on-badge. `replaces` is the handle of the old badge, revoked in the same breath. When the
    row cannot be kept, no picture is left behind.
    """
    credential = new_credential(issuer.name, issued=now, expires=expires)
    try:
        if template is not None and form is TemplateForm.ON_BADGE:
            sealed = vault.seal_for_badge(template, credential.badge_id)
            credential = replace(credential, badge_key=None, sealed_template=sealed)
        text = issuer.sign(credential)
        number = card.new_number()
        if badge_out is not None:
            badge_out.write(text)
        try:
            erased = vault.enrol(credential, card_number=number, template=template, consent=consent, replaces=replaces)
        except BaseException:
            if badge_out is not None:
                badge_out.take_back()
            raise
    finally:
        if template is not None:
            template.wipe()
    return Enrolled(vault.handle_of(credential.badge_id), number, expires, text, erased)


def renewable(vault: Vault, book: BadgeBook, text: str, now: int) -> tuple[Credential, Standing]:
    """The old badge in hand, and its row. Raises EdgeGateError for one that cannot be renewed."""
    if not book.recognises(text):
        raise EdgeGateError(
            "this is no signed badge; a plain card is nothing but its number, so that there is nothing to renew",
            next="when it has expired, or is erased, enrol it again with `enroll add --plain`",
        )
    old = _verified(text, book)
    standing = vault.standing(old)
    enrol_again = "enrol again with `enroll add`"
    if standing.altered:
        raise EdgeGateError("the row of this badge was altered", next=f"erase it, and {enrol_again}")
    if standing.status is Status.UNKNOWN:
        raise EdgeGateError("this badge is not known to this vault", next=enrol_again)
    if standing.status is Status.REVOKED:
        raise EdgeGateError("this badge is revoked, and its template gone", next=enrol_again)
    if min(old.expires, standing.badge_expires or old.expires) <= now:
        raise EdgeGateError("this badge has expired", next=enrol_again)
    if standing.consent is not None and standing.consent.expires <= now:
        raise EdgeGateError("its consent has come to its end", next=enrol_again)
    return old, standing


def renew(
    vault: Vault,
    issuer: Issuer,
    old: Credential,
    standing: Standing,
    *,
    pack_id: str,
    consent: Consent | None,
    expires: int,
    now: int,
    form: TemplateForm | None = None,
    badge_out: BadgeOut | None = None,
) -> Enrolled:
    """A new badge that shares nothing with the old one, which is revoked; a volunteer's template is unsealed once and
    sealed anew, in the `form` it had unless another is named. `old` and `standing` are those of `renewable`.

    Without a new consent the old one goes on, to its own end. Raises TemplateUnreadable for another pack's template.
    """
    template = None
    if standing.status is Status.VOLUNTEER:
        consent, form = consent or standing.consent, form or standing.template
        template = vault.unseal(old, pack_id).take()
    return issue(
        vault,
        issuer,
        template=template,
        consent=consent,
        expires=expires,
        now=now,
        form=form or TemplateForm.BADGE_KEYED,
        badge_out=badge_out,
        replaces=standing.handle,
    )


def plain_badge(text: str) -> Credential:
    """The badge that is nothing but this number. Raises EdgeGateError when it cannot be one."""
    found = _ANY_NUMBER.plain(text, typed=True)
    if found is None:
        raise EdgeGateError(
            "this is not the number of a plain badge", next="give it as the reader does: 4 to 64 letters, digits, signs"
        )
    return found


def register(
    vault: Vault, number: Credential, *, template: Template | None, consent: Consent | None, expires: int, now: int
) -> bytes:
    """Keep the row of a plain badge, whose card is there already. Without template and consent it is a diary badge.
    Returns the handle; there is no card number, since the badge's own serves."""
    badge = replace(number, issued=now, expires=expires)
    try:
        vault.enrol(badge, card_number="", template=template, consent=consent)
    finally:
        if template is not None:
            template.wipe()
    return vault.handle_of(badge.badge_id)


def find(who: str, vault: Vault, book: BadgeBook) -> Standing:
    """The row of a card number, a plain number, a handle, a badge's text or a badge's picture."""
    who = badge_text(who, book)
    if book.recognises(who):
        standing = vault.standing(_verified(who, book))
        return vault.find(standing.handle.hex())
    number = _ANY_NUMBER.plain(who, typed=True)
    if number is not None:
        standing = vault.standing(number)
        if standing.altered or standing.status is not Status.UNKNOWN:
            return standing
    return vault.find(card.read_number(who) or who)


def badge_text(who: str, book: BadgeBook) -> str:
    """What a badge's picture says, where `who` names one; otherwise `who` itself."""
    path = Path(who)
    if book.recognises(who):
        return who
    if path.suffix.lower() == ".svg":
        raise EdgeGateError("an SVG drawing is not read", where=who, next="use a PNG picture or the card number")
    return read_badge(path) if path.suffix.lower() in SUFFIXES else who


def read_badge(path: Path) -> str:
    """The text of the badge in a picture. Raises EdgeGateError when there is not exactly one."""
    picture = grey(read_image(path))
    texts = ZxingDecoder().decode(picture, 0.0) or PyzbarDecoder().decode(picture, 0.0)
    badges = sorted({text for text in texts if text.startswith(PREFIX)})
    if len(badges) != 1:
        what = "shows several badges" if badges else "shows no badge"
        raise EdgeGateError(what, where=str(path), next="use the picture written at enrolment, or the card number")
    return badges[0]


def _verified(text: str, book: BadgeBook) -> Credential:
    found = book.verify(text)
    if found is None or isinstance(found, Detail):
        why = found.value.replace("_", " ") if found else "too long"
        raise EdgeGateError(
            f"this badge is not one of ours ({why})", next="check badges.issuers, or use the card number"
        )
    return found
