"""The signed badge: what it keeps, and what nobody can do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import base45
import cbor2
import pytest
from cwt import COSE, COSEKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgegate.badges.credential import (
    BADGE_ID_BYTES,
    BADGE_KEY_BYTES,
    MAX_CHARS,
    MAX_ISSUER_CHARS,
    MAX_SEALED_BYTES,
    PREFIX,
    CredentialBook,
    new_credential,
)
from edgegate.model import Credential, Detail
from tests.contracts.kit import NOW, YEAR_S, credential, keys

OURS, OTHER = keys("school"), keys("another school")
BOOK = OURS.book()
BADGE = OURS.sign(credential())
SIGNED: bytes = base45.b45decode(BADGE[len(PREFIX) :])
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
LAST_SECOND = 253_402_300_799

seconds = st.integers(0, LAST_SECOND)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_ISSUER_CHARS)
key_or_template = st.one_of(
    st.tuples(st.none(), st.none()),
    st.tuples(st.binary(min_size=BADGE_KEY_BYTES, max_size=BADGE_KEY_BYTES), st.none()),
    st.tuples(st.none(), st.binary(min_size=1, max_size=MAX_SEALED_BYTES)),
)
badge_ids = st.binary(min_size=BADGE_ID_BYTES, max_size=BADGE_ID_BYTES)

quick = settings(deadline=None, max_examples=200)


def as_text(signed: bytes) -> str:
    """Bytes as a badge's text."""
    return PREFIX + str(base45.b45encode(signed), "ascii")


def signed_by_us(payload: object) -> str:
    """Any payload under our issuer's true signature; bytes go in as they are."""
    body = payload if isinstance(payload, bytes) else cbor2.dumps(payload)
    return as_text(COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True).encode_and_sign(body, OURS.private))


def claims(**changes: Any) -> dict[Any, Any]:
    """A badge's claims, some of them wrong; None leaves one out."""
    all_claims = {"issuer": 1, "expires": 4, "issued": 6, "id": 7, "key": -70001, "sealed": -70002}
    good: dict[str, Any] = {"issuer": "School", "expires": NOW, "issued": NOW, "id": bytes(16), "key": bytes(32)}
    return {all_claims[name]: value for name, value in (good | changes).items() if value is not None}


@quick
@given(names, badge_ids, seconds, seconds, key_or_template)
@example("n" * MAX_ISSUER_CHARS, bytes(16), LAST_SECOND, LAST_SECOND, (None, bytes(MAX_SEALED_BYTES)))
@example("\U0001f3eb" * MAX_ISSUER_CHARS, bytes(16), 0, LAST_SECOND, (None, bytes(MAX_SEALED_BYTES)))
def test_every_badge_comes_back_as_it_was(
    issuer: str, badge_id: bytes, issued: int, expires: int, carried: tuple[bytes | None, bytes | None]
) -> None:
    """Whatever claims are allowed: signed, written as text and verified, they are the same."""
    badge = Credential(issuer, badge_id, issued, expires, *carried)
    text = OURS.sign(badge)
    assert BOOK.recognises(text)
    assert badge == BOOK.verify(text)


def test_a_signed_badge_is_never_plain() -> None:
    """No claim can say so: a plain badge's template opens without any key."""
    assert credential() == BOOK.verify(OURS.sign(replace(credential(), plain=True)))


def test_a_badge_holds_only_what_a_qr_code_packs_well() -> None:
    """Prefix and Base45: all of it is in the QR code's alphanumeric set, and a keyed badge fits version 9-M."""
    assert BADGE.startswith("EG1:")
    assert not set(BADGE) - set(BASE45)
    assert len(BADGE) <= 262  # ISO/IEC 18004, table 7: 9-M, alphanumeric


def test_new_badges_are_never_alike() -> None:
    """Number and key are fresh random bytes."""
    badges = [new_credential("School", issued=NOW, expires=NOW + YEAR_S) for _ in range(50)]
    assert 50 == len({badge.badge_id for badge in badges}) == len({badge.badge_key for badge in badges})
    assert {(BADGE_ID_BYTES, BADGE_KEY_BYTES)} == {(len(b.badge_id), len(b.badge_key or b"")) for b in badges}


def test_no_flipped_bit_makes_another_badge() -> None:
    """Each bit of the signed message in turn: it is refused, or it was the same badge all along."""
    for position in range(len(SIGNED)):
        for bit in range(8):
            changed = bytearray(SIGNED)
            changed[position] ^= 1 << bit
            assert BOOK.verify(as_text(bytes(changed))) in (*Detail, credential())


def test_a_flip_in_claims_or_signature_is_refused() -> None:
    """What the signature covers, and the signature itself, cannot change at all."""
    for part in (cbor2.loads(SIGNED).value[2], cbor2.loads(SIGNED).value[3]):
        start = SIGNED.index(part)
        for position in range(start, start + len(part)):
            changed = bytearray(SIGNED)
            changed[position] ^= 0x01
            assert Detail.BAD_SIGNATURE == BOOK.verify(as_text(bytes(changed)))


def test_no_changed_character_makes_another_badge() -> None:
    """Each character in turn, to every fourth one of the alphabet and to some outside it."""
    for position in range(len(PREFIX), len(BADGE)):
        for character in BASE45[::4] + "aé\0":
            changed = BADGE[:position] + character + BADGE[position + 1 :]
            found = BOOK.verify(changed)
            assert changed == BADGE or isinstance(found, Detail)


@pytest.mark.parametrize("length", [1, 4, 5, 50, len(BADGE) - 1])
def test_a_cut_badge_is_forged(length: int) -> None:
    """Part of a badge is no badge."""
    assert BOOK.verify(BADGE[:length]) in (None, Detail.MALFORMED, Detail.BAD_SIGNATURE)
    assert (BOOK.verify(BADGE[:length]) is None) is (length < len(PREFIX))


def test_an_issuer_we_do_not_trust_is_unknown() -> None:
    """A badge of another school, and any badge at a gate that trusts nobody."""
    assert Detail.UNKNOWN_ISSUER == BOOK.verify(OTHER.sign(credential()))
    assert Detail.UNKNOWN_ISSUER == CredentialBook({}).verify(BADGE)


def test_a_gate_may_trust_several_issuers() -> None:
    """Each badge is checked with its own issuer's key."""
    book = CredentialBook({OURS.kid: OURS.public, OTHER.kid: OTHER.public})
    assert [credential(1), credential(2)] == [
        book.verify(OURS.sign(credential(1))),
        book.verify(OTHER.sign(credential(2))),
    ]


def test_another_key_under_our_key_id_is_a_bad_signature() -> None:
    """Anybody can claim our key id; only our key signs."""
    forger = keys("forger", kid=OURS.kid)
    assert Detail.BAD_SIGNATURE == BOOK.verify(forger.sign(credential()))


def test_a_signature_of_another_badge_does_not_hold() -> None:
    """Claims of one badge with the true signature of another."""
    parts = cbor2.loads(SIGNED).value
    other = cbor2.loads(base45.b45decode(OURS.sign(credential(1))[len(PREFIX) :])).value
    mixed = cbor2.dumps(cbor2.CBORTag(18, [*parts[:3], other[3]]))
    assert Detail.BAD_SIGNATURE == BOOK.verify(as_text(mixed))


def test_another_kind_of_message_is_not_taken_for_a_signature() -> None:
    """A MAC keyed with our public key, which everybody knows, or a message without its tag, verifies nothing."""
    shared = COSEKey.from_symmetric_key(OURS.public.to_dict()[-2], alg="HS256", kid=OURS.kid)
    mac = COSE.new(alg_auto_inclusion=True, kid_auto_inclusion=True).encode_and_mac(cbor2.dumps(claims()), shared)
    untagged = cbor2.dumps(cbor2.loads(SIGNED).value)
    as_mac = cbor2.dumps(cbor2.CBORTag(17, cbor2.loads(SIGNED).value))
    assert [Detail.MALFORMED] * 3 == [BOOK.verify(as_text(message)) for message in (mac, untagged, as_mac)]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
        "a text that is long enough",
        b"\x4fbytes that are long enough",
        7,
        None,
        True,
        cbor2.CBORTag(1, NOW),
        cbor2.undefined,
        b"",
        b"\xff",
        b"\xbf\x01",
        b"\x81" * 700,
        b"\xa1" * 700,
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        claims(issuer=None),
        claims(issuer=b"School"),
        claims(issuer=7),
        claims(issuer="n" * 65),
        claims(expires=None),
        claims(expires="2027-06-30"),
        claims(expires=float(NOW)),
        claims(expires=True),
        claims(expires=-1),
        claims(expires=LAST_SECOND + 1),
        claims(expires=10**40),
        claims(issued=None),
        claims(issued=-1),
        claims(issued=[NOW]),
        claims(id=None),
        claims(id="0123456789abcdef"),
        claims(id=bytes(15)),
        claims(id=bytes(17)),
        claims(key="k" * 32),
        claims(key=bytes(31)),
        claims(key=bytes(33)),
        claims(key=list(range(32))),
        claims(key=None, sealed=b""),
        claims(key=None, sealed="sealed"),
        claims(key=None, sealed=bytes(MAX_SEALED_BYTES + 1)),
        claims(sealed=b"sealed"),
        b"\xd8\x23\x00",  # tagged as a pattern, which a number is not
        b"\xd8\x24\x00",  # the same as a mail
        b"\xc5\x82\x1a\x7f\xff\xff\xff\x01",  # two to the power of two thousand million
    ],
    ids=lambda wrong: repr(wrong)[:40],
)
def test_an_issuers_mistake_is_malformed(wrong: object) -> None:
    """Our own signature over claims of the wrong kind: no badge, and no error that stops the gate."""
    assert Detail.MALFORMED == BOOK.verify(signed_by_us(wrong))


def test_the_claims_of_these_tests_are_good_unless_changed() -> None:
    """The tests above fail for the change they make, not for another reason."""
    assert Credential("School", bytes(16), NOW, NOW, bytes(32)) == BOOK.verify(signed_by_us(claims()))


def test_a_text_longer_than_any_badge_is_not_parsed() -> None:
    """At the limit it is looked at, above it is not."""
    assert Detail.MALFORMED == BOOK.verify(PREFIX.ljust(MAX_CHARS, "0"))
    assert BOOK.verify(PREFIX.ljust(MAX_CHARS + 1, "0")) is None
    assert BOOK.verify(BADGE.ljust(MAX_CHARS + 1)) is None
