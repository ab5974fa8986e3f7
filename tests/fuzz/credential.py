"""The credential parser, `CredentialBook.verify`: whatever is held before the camera.

It says credential, forged or no badge, and raises nothing; and a credential comes of nothing but what the issuer
signed. The first byte of an input says what the others are: a text, what is behind the prefix, claims that the issuer
does sign, or the parts of a signed message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import base45
import cbor2
from cwt import COSE

from edgegate.badges.credential import (
    BADGE_ID_BYTES,
    BADGE_KEY_BYTES,
    MAX_ISSUER_CHARS,
    MAX_SEALED_BYTES,
    PREFIX,
    CredentialBook,
)
from edgegate.model import Credential, Detail
from tests.contracts.kit import credential, keys

MAX_LEN = 2400
TEXT, CODED, CLAIMS, PARTS = range(4)
KEYS = keys()
BOOK = CredentialBook({KEYS.kid: KEYS.public}, plain_typed=True, plain_seen=True)
BADGES = (
    credential(0),
    credential(1, keyed=False),
    replace(credential(2, keyed=False), sealed_template=bytes(range(160))),
)
SIGNED = tuple(KEYS.sign(badge) for badge in BADGES)
SIGNER = COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True)
SIGN1 = b"\xd2"
"""The CBOR tag of a signed message."""
LAST_SECOND = 253_402_300_799


def seeds() -> Iterator[bytes]:
    """Badges that hold, some that do not, and codes of other people's."""
    texts = [*SIGNED, keys("other").sign(BADGES[0]), SIGNED[0][:-9], PREFIX, "4006381333931", "WIFI:T:WPA;S:x;;"]
    for text in texts:
        yield bytes([TEXT]) + text.encode()
    for text in SIGNED:
        signed = base45.b45decode(text[len(PREFIX) :])
        protected, unprotected, payload, signature = cbor2.loads(signed).value
        yield bytes([CODED]) + signed
        yield bytes([CLAIMS]) + payload
        yield bytes([PARTS]) + cbor2.dumps([protected, unprotected, payload, signature])
    # Tagged as what they are not: a pattern, a mail, a date, a number with a large exponent.
    for tagged in (b"\xd8\x23\x00", b"\xd8\x24\x00", b"\xc0\x00", b"\xc5\x82\x1a\x7f\xff\xff\xff\x01"):
        yield bytes([CODED]) + tagged
        yield bytes([CLAIMS]) + tagged
    yield bytes([CODED]) + b"\x81" * 900
    yield bytes([CLAIMS]) + cbor2.dumps({1: "S", 4: 2**70, 6: True, 7: bytes(BADGE_ID_BYTES), (1, 2): [None, 1.5]})
    yield bytes([PARTS]) + cbor2.dumps([b"\xa1\x01\x27", {4: KEYS.kid}, b"", bytes(64)])


def check(data: bytes) -> None:
    """Fails when the parser raises, believes what nobody signed, or gives out what is longer than it may be."""
    kind, rest = data[0] % 4 if data else TEXT, data[1:]
    if kind == TEXT:
        unsigned(rest.decode("utf-8", "surrogateescape"))
    elif kind == CODED:
        unsigned(_text(rest))
    elif kind == CLAIMS:
        bounded(BOOK.verify(_text(SIGNER.encode_and_sign(rest, KEYS.private))))
    else:
        unsigned(_text(SIGN1 + rest))


def _text(message: bytes) -> str:
    coded: bytes = base45.b45encode(message)
    return PREFIX + coded.decode("ascii")


def unsigned(text: str) -> None:
    """Nobody signed this, unless it is one of ours, letter by letter or at least in its meaning."""
    found = BOOK.verify(text)
    assert BOOK.recognises(text) == text.startswith(PREFIX)
    if isinstance(found, Credential):
        assert found.plain or found in BADGES
        assert found.plain is not BOOK.recognises(text)
    else:
        assert found is None or isinstance(found, Detail)
    for typed in (False, True):
        plain = BOOK.plain(text, typed=typed)
        assert plain is None or (plain.plain and len(plain.badge_id) == BADGE_ID_BYTES)


def bounded(found: Credential | Detail | None) -> None:
    """The issuer signed it; it is still no longer than it may be, and of the right kind."""
    if not isinstance(found, Credential):
        assert found is None or found is Detail.MALFORMED
        return
    assert len(found.issuer) <= MAX_ISSUER_CHARS
    assert isinstance(found.badge_id, bytes)
    assert len(found.badge_id) == BADGE_ID_BYTES
    assert 0 <= found.issued <= LAST_SECOND
    assert 0 <= found.expires <= LAST_SECOND
    assert found.badge_key is None or len(found.badge_key) == BADGE_KEY_BYTES
    assert found.sealed_template is None or 0 < len(found.sealed_template) <= MAX_SEALED_BYTES
    assert found.badge_key is None or found.sealed_template is None
