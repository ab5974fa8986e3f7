"""The signed badge: `EG1:` + Base45(COSE_Sign1(EdDSA, CBOR claims)), as the EU digital covid certificate
(HC1) but without its zlib layer.

Standards: COSE RFC 9052, CWT claims RFC 8392, Base45 RFC 9285, Ed25519 RFC 8032.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import base45
import cbor2
from cwt import COSE
from cwt.cose_key_interface import COSEKeyInterface

from edgegate.badges.plain import number_id, read_number
from edgegate.errors import EdgeGateError
from edgegate.model import Credential, Detail

PREFIX = "EG1:"
MAX_CHARS = 2200
"""Longer texts are not parsed: the longest claims allowed below make 2,117 characters."""
BADGE_ID_BYTES = 16
BADGE_KEY_BYTES = 32
MAX_SEALED_BYTES = 1024
MAX_ISSUER_CHARS = 64

_ISSUER, _EXPIRES, _ISSUED, _BADGE_ID, _BADGE_KEY, _SEALED = 1, 4, 6, 7, -70001, -70002
_SIGN1_TAG = 18
_KID = 4
_LAST_SECOND = 253_402_300_799  # 9999-12-31


def new_credential(issuer: str, *, issued: int, expires: int) -> Credential:
    """A badge with a fresh random id and key."""
    return Credential(
        issuer, secrets.token_bytes(BADGE_ID_BYTES), issued, expires, secrets.token_bytes(BADGE_KEY_BYTES)
    )


def encode(credential: Credential, key: COSEKeyInterface) -> str:
    """The text for the QR code, signed with the issuer's private key. Raises EdgeGateError for a template that is too
    long for a badge."""
    claims: dict[int, Any] = {
        _ISSUER: credential.issuer,
        _EXPIRES: credential.expires,
        _ISSUED: credential.issued,
        _BADGE_ID: credential.badge_id,
    }
    if credential.badge_key is not None:
        claims[_BADGE_KEY] = credential.badge_key
    if credential.sealed_template is not None:
        if len(credential.sealed_template) > MAX_SEALED_BYTES:
            raise EdgeGateError(
                f"a sealed template of {len(credential.sealed_template)} bytes is too long for a badge",
                next="keep it in the vault: --template badge-keyed",
            )
        claims[_SEALED] = credential.sealed_template
    cose = COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True)
    signed: bytes = base45.b45encode(cose.encode_and_sign(cbor2.dumps(claims), key))
    return PREFIX + signed.decode("ascii")


class CredentialBook:
    """Verifies badges against the public keys of the issuers this gate trusts (port `BadgeBook`)."""

    def __init__(
        self, issuers: Mapping[bytes, COSEKeyInterface], *, plain_typed: bool = False, plain_seen: bool = False
    ) -> None:
        """`issuers`: key id (8 bytes) to Ed25519 public key. Plain numbers count only where they are allowed:
        typed by a reader of its own, seen by the camera, or both."""
        self._issuers = dict(issuers)
        self._plain_typed, self._plain_seen = plain_typed, plain_seen

    def recognises(self, text: str) -> bool:
        return text.startswith(PREFIX)

    def verify(self, text: str) -> Credential | Detail | None:
        if len(text) > MAX_CHARS:
            return None
        if not self.recognises(text):
            # The gate asks again for a number it has already believed, without saying where it came from.
            return self.plain(text, typed=self._plain_typed)
        try:
            signed = base45.b45decode(text[len(PREFIX) :])
            message = cbor2.loads(signed)
            kid = message.value[1][_KID] if message.tag == _SIGN1_TAG else None
        except Exception:
            # Anything can be behind the prefix, and the parsers answer it with many kinds of error.
            return Detail.MALFORMED
        if not isinstance(kid, bytes):
            return Detail.MALFORMED
        if kid not in self._issuers:
            return Detail.UNKNOWN_ISSUER
        try:
            payload = COSE.new().decode(signed, self._issuers[kid])
        except Exception:
            # The same holds for headers and signature of a message that only looks like ours.
            return Detail.BAD_SIGNATURE
        try:
            return _credential(cbor2.loads(payload))
        except Exception:
            # What an issuer signs by mistake may hold any of CBOR's tags, and each has errors of its own.
            return Detail.MALFORMED

    def plain(self, text: str, *, typed: bool) -> Credential | None:
        number = read_number(text) if (self._plain_typed if typed else self._plain_seen) else None
        if number is None or self.recognises(number):
            return None
        return Credential("", number_id(number), 0, _LAST_SECOND, plain=True)


def _credential(claims: Any) -> Credential:
    """Claims of a message whose signature holds; an issuer's mistake is a ValueError or KeyError."""
    if not isinstance(claims, dict):
        raise KeyError("claims")
    issuer, badge_id = claims[_ISSUER], claims[_BADGE_ID]
    issued, expires = claims[_ISSUED], claims[_EXPIRES]
    badge_key, sealed = claims.get(_BADGE_KEY), claims.get(_SEALED)
    if not isinstance(issuer, str) or len(issuer) > MAX_ISSUER_CHARS:
        raise ValueError("issuer")
    if not isinstance(badge_id, bytes) or len(badge_id) != BADGE_ID_BYTES:
        raise ValueError("badge id")
    for moment in (issued, expires):
        if isinstance(moment, bool) or not isinstance(moment, int) or not 0 <= moment <= _LAST_SECOND:
            raise ValueError("date")
    if badge_key is not None and (not isinstance(badge_key, bytes) or len(badge_key) != BADGE_KEY_BYTES):
        raise ValueError("badge key")
    if sealed is not None and (not isinstance(sealed, bytes) or not 0 < len(sealed) <= MAX_SEALED_BYTES):
        raise ValueError("sealed template")
    if badge_key is not None and sealed is not None:
        raise ValueError("key and template on one badge")
    return Credential(issuer, badge_id, issued, expires, badge_key, sealed)
