"""Sealing: a template opens only with the badge it was made for, on the site it was made at.

AES-256-GCM (NIST SP 800-38D) under HKDF-SHA256 (RFC 5869) of the badge key, salted with the site secret.
The associated data bind the ciphertext to badge and pack, so that it opens nowhere else.

A plain badge has no key to seal with: its template is sealed under the site secret alone, so whoever holds this
device with its secret can open it, without the badge. Such badges are weaker, and off unless a school allows them.
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

from edgegate.errors import TemplateUnreadable
from edgegate.model import Template
from edgegate.vault.secret import SiteSecret

_INFO = b"edgegate/template/1"
_PLAIN_INFO = b"edgegate/plain/1"
_FORMAT = 1
_NONCE = 12


def handle(secret: SiteSecret, badge_id: bytes) -> bytes:
    """The 32 bytes under which the vault knows a badge."""
    return hmac.digest(secret.value, badge_id, "sha256")


def card_hash(secret: SiteSecret, number: str) -> bytes:
    """The 32 bytes under which the vault knows a card number."""
    return hmac.digest(secret.value, b"edgegate/card/1" + number.encode("ascii"), "sha256")


def seal(template: Template, badge_key: bytes, badge_id: bytes, secret: SiteSecret) -> bytes:
    """Nonce and ciphertext, under the badge's key."""
    return _seal(template, _badge_cipher(badge_key, secret), badge_id)


def unseal(sealed: bytes, badge_key: bytes, badge_id: bytes, pack_id: str, secret: SiteSecret) -> Template:
    """The template again. Raises TemplateUnreadable for a wrong key, badge, pack or site, or altered bytes."""
    return _unseal(sealed, _badge_cipher(badge_key, secret), badge_id, pack_id)


def seal_plain(template: Template, badge_id: bytes, secret: SiteSecret) -> bytes:
    """Nonce and ciphertext, under the site secret alone."""
    return _seal(template, _plain_cipher(badge_id, secret), badge_id)


def unseal_plain(sealed: bytes, badge_id: bytes, pack_id: str, secret: SiteSecret) -> Template:
    """The template again. Raises TemplateUnreadable for a wrong number, pack or site, or altered bytes."""
    return _unseal(sealed, _plain_cipher(badge_id, secret), badge_id, pack_id)


def _badge_cipher(badge_key: bytes, secret: SiteSecret) -> AESGCM:
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=secret.value, info=_INFO).derive(badge_key))


def _plain_cipher(badge_id: bytes, secret: SiteSecret) -> AESGCM:
    info = _PLAIN_INFO + badge_id
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret.value))


def _seal(template: Template, cipher: AESGCM, badge_id: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    numbers = template.vector.astype("<f4").tobytes()
    return nonce + cipher.encrypt(nonce, numbers, _bound_to(badge_id, template.pack_id))


def _unseal(sealed: bytes, cipher: AESGCM, badge_id: bytes, pack_id: str) -> Template:
    nonce, body = sealed[:_NONCE], sealed[_NONCE:]
    try:
        numbers = cipher.decrypt(nonce, body, _bound_to(badge_id, pack_id))
        vector = np.frombuffer(numbers, dtype="<f4").astype(np.float32)
    except (InvalidTag, ValueError):
        raise TemplateUnreadable("the template does not open with this badge", next="enrol again") from None
    if not vector.size or not np.isfinite(vector).all():
        raise TemplateUnreadable("the template holds no usable numbers", next="enrol again")
    return Template(vector, pack_id)


def _bound_to(badge_id: bytes, pack_id: str) -> bytes:
    return cbor2.dumps([_FORMAT, badge_id, pack_id])
