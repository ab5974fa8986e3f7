"""Enrolling, in the office: from photographs and a consent to a badge and a row in the vault.

The photographs are compared, averaged and dropped; the badge's text exists only in the picture that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgegate.adapters import FaceSide
from edgegate.badges import card
from edgegate.badges.credential import PREFIX, CredentialBook, new_credential
from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.badges.draw import SIZE_MM, draw
from edgegate.badges.issuer import Issuer
from edgegate.errors import EdgeGateError
from edgegate.faces.photos import Photo, enrol
from edgegate.files import write_private
from edgegate.images import SUFFIXES, grey, read_image
from edgegate.model import Consent, Credential, Detail, Standing, Status, Template
from edgegate.ports import BadgeBook, Vault

AGREE_FMR = 1e-3
"""Photographs of one enrolment must agree at the threshold of this rate: the operator vouches for the person,
so a stricter one would only refuse good photographs."""
_ANY_NUMBER = CredentialBook({}, plain_typed=True)
"""Knows a plain number also where the gate takes none any more: its badge can still be revoked or erased."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What the office notes beside the name, in its own file. `text` is the badge itself."""

    handle: bytes = field(repr=False)
    card_number: str
    expires: int
    text: str = field(repr=False)


def template_from(photos: Sequence[Photo], faces: FaceSide) -> Template:
    """Raises PhotoRefused naming the photograph and the reason."""
    agree = faces.pack.threshold(max(AGREE_FMR, min(faces.pack.manifest.thresholds)))
    return enrol(photos, faces.engine, faces.pack.id, agree)


def issue(
    vault: Vault,
    issuer: Issuer,
    *,
    template: Template | None,
    consent: Consent | None,
    expires: int,
    now: int,
    badge_out: Path | None = None,
    size_mm: float = SIZE_MM,
) -> Enrolled:
    """Issue a badge, draw it to `badge_out` (0600) and keep its row. Without template and consent it is a
    diary badge. When the row cannot be kept, no picture is left behind."""
    credential = new_credential(issuer.name, issued=now, expires=expires)
    text = issuer.sign(credential)
    number = card.new_number()
    if badge_out is not None:
        write_private(badge_out, draw(text, badge_out.suffix.lower(), size_mm))
    try:
        handle = vault.enrol(credential, card_number=number, template=template, consent=consent)
    except BaseException:
        if badge_out is not None:
            badge_out.unlink(missing_ok=True)
        raise
    finally:
        if template is not None:
            template.wipe()
    return Enrolled(handle, number, expires, text)


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
        return vault.enrol(badge, card_number="", template=template, consent=consent)
    finally:
        if template is not None:
            template.wipe()


def find(who: str, vault: Vault, book: BadgeBook) -> Standing:
    """The row of a card number, a plain number, a handle, a badge's text or a badge's picture."""
    path = Path(who)
    if path.suffix.lower() in SUFFIXES and not book.recognises(who):
        who = read_badge(path)
    if path.suffix.lower() == ".svg" and not book.recognises(who):
        raise EdgeGateError("an SVG drawing is not read", where=who, next="use a PNG picture or the card number")
    if book.recognises(who):
        standing = vault.standing(_verified(who, book))
        return vault.find(standing.handle.hex())
    number = _ANY_NUMBER.plain(who, typed=True)
    if number is not None and (standing := vault.standing(number)).status is not Status.UNKNOWN:
        return standing
    return vault.find(card.read_number(who) or who)


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
