"""Sealing: a template opens only with the badge it was made for, on the site it was made at.

AES-256-GCM (NIST SP 800-38D) under keys from HKDF-SHA256 (RFC 5869). The associated data bind the ciphertext to badge
and pack, so that it opens nowhere else. Three forms (`TemplateForm`), by what opens them:

- badge-keyed: the key is the badge's, salted with the site secret. This device holds only half of what it takes.
- on-badge: the badge carries the ciphertext, the site secret opens it. This device holds nothing to open, but whoever
  has its secret and a photograph of the badge has the template.
- plain: the badge has no key to seal with, so the site secret alone opens what is in the vault. Such badges are
  weaker, and off unless a school allows them.
"""

from __future__ import annotations

import hmac
import os

import cbor2
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.model import Template
from edgegate.vault.secret import SiteSecret

_FORMAT = 1
_NONCE, _TAG, _SCALE = 12, 16, 4
_STEPS = 127
"""An on-badge number is one of -127..127, times the scale."""


def handle(secret: SiteSecret, badge_id: bytes) -> bytes:
    """The 32 bytes under which the vault knows a badge."""
    return hmac.digest(secret.value, badge_id, "sha256")


def card_hash(secret: SiteSecret, number: str) -> bytes:
    """The 32 bytes under which the vault knows a card number."""
    return hmac.digest(secret.value, b"edgegate/card/1" + number.encode("ascii"), "sha256")


def site_key(secret: SiteSecret, info: bytes) -> bytes:
    """A 32-byte key for one purpose, of the site secret alone."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret.value)


def seal(template: Template, badge_key: bytes, badge_id: bytes, secret: SiteSecret) -> bytes:
    """Nonce and ciphertext, under the badge's key."""
    return _seal(_floats(template), template.pack_id, _badge_cipher(badge_key, secret), badge_id)


def unseal(sealed: bytes, badge_key: bytes, badge_id: bytes, pack_id: str, secret: SiteSecret) -> Template:
    """The template again. Raises TemplateUnreadable for a wrong key, badge, pack or site, or altered bytes."""
    return _from_floats(_unseal(sealed, _badge_cipher(badge_key, secret), badge_id, pack_id), pack_id)


def seal_plain(template: Template, badge_id: bytes, secret: SiteSecret) -> bytes:
    """Nonce and ciphertext, under the site secret alone."""
    return _seal(_floats(template), template.pack_id, _plain_cipher(badge_id, secret), badge_id)


def unseal_plain(sealed: bytes, badge_id: bytes, pack_id: str, secret: SiteSecret) -> Template:
    """The template again. Raises TemplateUnreadable for a wrong number, pack or site, or altered bytes."""
    return _from_floats(_unseal(sealed, _plain_cipher(badge_id, secret), badge_id, pack_id), pack_id)


def seal_on_badge(template: Template, badge_id: bytes, secret: SiteSecret) -> bytes:
    """Nonce and ciphertext for a badge to carry: 32 bytes more than the template has dimensions.

    The numbers are rounded to int8 with one scale (float32, in front), since a QR code is small. Raises EdgeGateError
    for numbers that cannot be.
    """
    vector = template.vector
    scale = np.float32(np.abs(vector).max(initial=0.0) / _STEPS)
    if not np.isfinite(scale) or scale <= 0:
        raise EdgeGateError("this template holds no usable numbers", next="enrol with other photographs")
    numbers = np.empty(_SCALE + vector.size, np.uint8)
    numbers[:_SCALE].view("<f4")[0] = scale
    numbers[_SCALE:].view(np.int8)[:] = np.rint(vector / scale)
    return _seal(numbers, template.pack_id, _on_badge_cipher(secret), badge_id)


def unseal_on_badge(sealed: bytes, badge_id: bytes, pack_id: str, secret: SiteSecret) -> Template:
    """The template again, rounded. Raises TemplateUnreadable for a wrong badge, pack or site, or altered bytes."""
    numbers = _unseal(sealed, _on_badge_cipher(secret), badge_id, pack_id)
    if numbers.size <= _SCALE:
        raise _unusable()
    scale = numbers[:_SCALE].view("<f4")[0]
    with np.errstate(all="ignore"):  # a scale that makes no numbers is found below
        vector = np.multiply(numbers[_SCALE:].view(np.int8), scale, dtype=np.float32)
    numbers.fill(0)
    return _checked(Template(vector, pack_id))


def _badge_cipher(badge_key: bytes, secret: SiteSecret) -> AESGCM:
    info = b"edgegate/template/1"
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=secret.value, info=info).derive(badge_key))


def _plain_cipher(badge_id: bytes, secret: SiteSecret) -> AESGCM:
    return AESGCM(site_key(secret, b"edgegate/plain/1" + badge_id))


def _on_badge_cipher(secret: SiteSecret) -> AESGCM:
    return AESGCM(site_key(secret, b"edgegate/on-badge/1"))


def _floats(template: Template) -> NDArray[np.uint8]:
    return np.array(template.vector, "<f4").view(np.uint8)


def _from_floats(numbers: NDArray[np.uint8], pack_id: str) -> Template:
    """A template on these very bytes, so that wiping it leaves no second copy."""
    if not numbers.size or numbers.size % 4:
        numbers.fill(0)
        raise _unusable()
    return _checked(Template(numbers.view("<f4").astype(np.float32, copy=False), pack_id))


def _checked(template: Template) -> Template:
    if not np.isfinite(template.vector).all():
        template.wipe()
        raise _unusable()
    return template


def _unusable() -> TemplateUnreadable:
    return TemplateUnreadable("the template holds no usable numbers", next="enrol again")


def _seal(numbers: NDArray[np.uint8], pack_id: str, cipher: AESGCM, badge_id: bytes) -> bytes:
    """Seals the numbers, and wipes them."""
    nonce = os.urandom(_NONCE)
    try:
        return nonce + cipher.encrypt(nonce, numbers.data, _bound_to(badge_id, pack_id))
    finally:
        numbers.fill(0)


def _unseal(sealed: bytes, cipher: AESGCM, badge_id: bytes, pack_id: str) -> NDArray[np.uint8]:
    numbers = np.zeros(max(0, len(sealed) - _NONCE - _TAG), np.uint8)
    try:
        cipher.decrypt_into(sealed[:_NONCE], sealed[_NONCE:], _bound_to(badge_id, pack_id), numbers.data)
    except (InvalidTag, ValueError):
        numbers.fill(0)
        raise TemplateUnreadable("the template does not open with this badge", next="enrol again") from None
    return numbers


def _bound_to(badge_id: bytes, pack_id: str) -> bytes:
    return cbor2.dumps([_FORMAT, badge_id, pack_id])
