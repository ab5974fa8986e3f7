"""Port `BadgeBook`: telling badges from everything else. Attacks on the credential are in tests/test_credential.py."""

from __future__ import annotations

import random

import base45
import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgegate.badges.credential import MAX_CHARS, PREFIX, CredentialBook
from edgegate.camera.stage import WIFI
from edgegate.model import Credential, Detail
from edgegate.ports import BadgeBook
from tests.contracts.kit import NOW, credential, keys

SCHOOL, STRANGER = keys("school"), keys("another school")
BOOK = SCHOOL.book()
MAX_BYTES = (MAX_CHARS - len(PREFIX)) * 2 // 3

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=80)
    | st.just(SCHOOL.kid),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(-9, 9) | st.text(max_size=3), inner),
    max_leaves=12,
)
"""Anything CBOR can say."""
headers = st.fixed_dictionaries({4: st.just(SCHOOL.kid)}, optional={1: values, 2: values, 5: values, -1: values})
protected = (
    st.just(cbor2.dumps({1: -8})) | values | st.dictionaries(st.integers(-9, 9), values, max_size=4).map(cbor2.dumps)
)
messages = (
    st.tuples(protected, headers, values, values)
    | st.tuples(protected, headers)
    | st.tuples(protected, headers, values)
    | st.lists(values, max_size=6)
    | st.dictionaries(st.integers(0, 3), headers)
)
often = settings(deadline=None, max_examples=200)


def badge(signed: bytes) -> str:
    """Bytes as the text of a badge."""
    return PREFIX + str(base45.b45encode(signed), "ascii")


@pytest.fixture(params=[SCHOOL.book], ids=["credential"])
def book(request: pytest.FixtureRequest) -> BadgeBook:
    """Each adapter, trusting the school."""
    made: BadgeBook = request.param()
    return made


def test_a_badge_of_ours_is_recognised_and_verified(book: BadgeBook) -> None:
    """What the issuer signed comes back as it was."""
    text = SCHOOL.sign(credential())
    assert book.recognises(text)
    assert credential() == book.verify(text)


@pytest.mark.parametrize("text", ["", WIFI, "4006381333931", "https://example.org/", "EG", "HC1:6BF", " EG1:"])
def test_other_codes_are_not_recognised(book: BadgeBook, text: str) -> None:
    """A snack's number, a Wi-Fi code, a certificate of another kind: no badges, so nobody is accused."""
    assert not book.recognises(text)
    assert book.verify(text) is None


def test_a_forged_badge_has_the_form_of_ours(book: BadgeBook) -> None:
    """A forgery starts a presentation, so it is recognised; `verify` tells what is wrong with it."""
    text = STRANGER.sign(credential())
    assert book.recognises(text)
    assert Detail.UNKNOWN_ISSUER == book.verify(text)


@pytest.mark.parametrize("expires", [0, 1, NOW - 1])
def test_dates_are_not_judged(book: BadgeBook, expires: int) -> None:
    """An expired badge verifies: whether it counts is the gate's decision, which knows the time."""
    found = book.verify(SCHOOL.sign(credential(expires=expires)))
    assert isinstance(found, Credential)
    assert expires == found.expires


def test_a_text_too_long_for_a_badge_is_none(book: BadgeBook) -> None:
    """It is not parsed, whatever it says."""
    assert book.verify("EG1:" + "A" * 4096) is None


def test_asking_twice_gives_the_same_answer(book: BadgeBook) -> None:
    """A badge stays valid: the book remembers nothing."""
    text = SCHOOL.sign(credential(1))
    assert book.verify(text) == book.verify(text) == credential(1)


@pytest.mark.parametrize(("typed", "seen"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_number_counts_only_where_it_is_allowed(typed: bool, seen: bool) -> None:
    """Typed by a reader, seen by the camera, both or neither; the form of a signed badge it never has."""
    book: BadgeBook = CredentialBook({SCHOOL.kid: SCHOOL.public}, plain_typed=typed, plain_seen=seen)
    number = "4006381333931"
    assert not book.recognises(number)
    assert (typed, seen) == tuple(book.plain(number, typed=way) is not None for way in (True, False))
    assert (typed or seen) is isinstance(book.verify(number), Credential)
    for text in ("", "12", "a\tnumber", "Zoë's card", PREFIX + "A" * 20, PREFIX.lower() + "A" * 20):
        assert [None, None] == [book.plain(text, typed=way) for way in (True, False)]
    assert credential() == book.verify(SCHOOL.sign(credential()))
    assert Detail.UNKNOWN_ISSUER == book.verify(STRANGER.sign(credential()))


def test_where_no_number_is_allowed_there_are_none(book: BadgeBook) -> None:
    """That is the case unless the configuration says otherwise."""
    assert [None, None] == [book.plain("4006381333931", typed=way) for way in (True, False)]


def test_the_same_number_is_the_same_badge() -> None:
    """However it came: typed or seen, in small letters or in groups."""
    book: BadgeBook = CredentialBook({}, plain_typed=True, plain_seen=True)
    ways = [book.plain("04a1 b2c3", typed=True), book.plain("04A1B2C3", typed=False), book.verify(" 04a1b2c3\n")]
    assert isinstance(ways[0], Credential)
    assert ways[0].plain
    assert ways == [ways[0]] * 3


@often
@given(st.text())
def test_any_text_behind_the_prefix_is_answered(text: str) -> None:
    """Whatever somebody prints on a card: it is forged, or too long, and no error."""
    assert BOOK.verify(PREFIX + text) in (*Detail, None)


@often
@given(st.binary(max_size=MAX_BYTES))
def test_any_bytes_behind_the_prefix_are_answered(signed: bytes) -> None:
    """The same for bytes that are proper Base45."""
    assert BOOK.verify(badge(signed)) in (*Detail,)


@often
@given(messages)
@example([cbor2.dumps([1]), {4: SCHOOL.kid}, b"", b""])
def test_any_message_with_our_key_id_is_answered(message: object) -> None:
    """Proper CBOR of the right kind, even under our key id, does not verify and does not raise."""
    assert BOOK.verify(badge(cbor2.dumps(cbor2.CBORTag(18, message)))) in (*Detail, None)


@pytest.mark.parametrize("seed", range(5))
def test_four_kilobytes_of_noise_are_none(seed: int) -> None:
    """A QR code holds up to 4,296 characters; so many are not parsed."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    noise = "".join(random.Random(seed).choices(alphabet, k=4092))
    assert BOOK.verify(PREFIX + noise) is None
    assert BOOK.verify(noise) is None
    assert BOOK.verify(PREFIX + noise[: MAX_CHARS - len(PREFIX)]) in (*Detail,)


@pytest.mark.parametrize(
    "head", [b"\x81", b"\xd2", b"\xd2\x81", b"\xa1\x01", b"\xc1", b"\x9f", b"\xbf", b"\x5f", b"\xd8\x1d"]
)
def test_deep_nesting_is_malformed(head: bytes) -> None:
    """As many levels as fit into a badge, closed or not, alone or as headers: no parser falls over it."""
    deep = head * (MAX_BYTES // len(head))
    levels = head * ((MAX_BYTES - 60) // len(head))
    inside = b"\xd2\x84" + cbor2.dumps(levels) + cbor2.dumps({4: SCHOOL.kid}) + b"\x40\x40"
    assert Detail.MALFORMED == BOOK.verify(badge(deep))
    assert Detail.MALFORMED == BOOK.verify(badge(deep[:-1] + b"\x01"))
    assert BOOK.verify(badge(inside)) in (Detail.BAD_SIGNATURE, Detail.MALFORMED)


@pytest.mark.parametrize("head", [b"\x5b", b"\x7b", b"\x9b", b"\xbb"])
def test_a_promise_of_exabytes_is_malformed(head: bytes) -> None:
    """A length of 2^63 bytes or items before a few bytes: nothing is set aside for it."""
    promise = head + b"\x7f" + b"\xff" * 7 + b"few"
    assert [Detail.MALFORMED] * 2 == [BOOK.verify(badge(message)) for message in (promise, b"\xd2\x84" + promise)]
