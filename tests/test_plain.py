"""Plain badges: how a number is read, what is made of it, and the way from a printed code to the vault."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import assume, example, given
from hypothesis import strategies as st

from edgegate.badges.credential import PREFIX, CredentialBook
from edgegate.badges.decoders import decoder
from edgegate.badges.plain import MAX_CHARS, MIN_CHARS, number_id, read_number
from edgegate.badges.qr import QrReader
from edgegate.model import Credential, Frame, Status
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import CONSENT, NOW, PACK, SECRET, YEAR_S, credential, keys, template

NUMBER = "0008415732"
ANYWHERE = CredentialBook({}, plain_typed=True, plain_seen=True)

spaced = st.text(st.sampled_from("EGeg1: \t\r\n0aß-"), max_size=12)
"""Texts close to the prefix of a signed badge."""


def number_of(text: str) -> str:
    number = read_number(text)
    assert number is not None
    return number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (NUMBER, NUMBER),
        ("04 a1 b2 c3", "04A1B2C3"),
        (" 04:a1:b2:c3\r\n", "04:A1:B2:C3"),
        ("0000", "0000"),
        ("A40156B", "A40156B"),
        ("s-2026/147+$.%", "S-2026/147+$.%"),
        ("x" * MAX_CHARS, "X" * MAX_CHARS),
        (" ".join("1" * MAX_CHARS), "1" * MAX_CHARS),
    ],
)
def test_a_number_is_the_same_however_it_is_written(text: str, number: str) -> None:
    """Case and spaces do not count; leading zeros and signs do."""
    assert number == read_number(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "123", "1 2 3", "x" * (MAX_CHARS + 1)),
        *("1234\0", "12\t34", "12\n34", "0109\x1d217", "\x7f1234"),
        *("Zoë1", "groß", "&é\"'(", "12\u00a034", "\u0661\u0662\u0663\u0664", "\ufb01\ufb01", "\ud800" * 5),
    ],
)
def test_what_cannot_be_a_number_is_none(text: str) -> None:
    """Too short or long, with control characters, or with letters of other alphabets."""
    assert read_number(text) is None


@given(st.text() | spaced)
@example("ı234")
def test_reading_twice_changes_nothing(text: str) -> None:
    """What was enrolled from the office's list is what the gate makes of it, and stays so."""
    number = read_number(text)
    if number is not None:
        assert number == read_number(number) == read_number(f" {number.lower()}\r\n")
        assert MIN_CHARS <= len(number) <= MAX_CHARS
        assert not set(number) - {chr(code) for code in range(0x21, 0x7F)}


@given(spaced, st.text())
@example(" e G1", ": 1234")
@example("EG1:", "A" * 20)
def test_no_signed_badge_passes_for_a_number(head: str, tail: str) -> None:
    """However it is spaced or written: what reads as `EG1:` counts by its signature, or not at all."""
    for text in (head + tail, PREFIX + tail, f" {PREFIX.lower()} {tail}"):
        found = [ANYWHERE.plain(text, typed=typed) for typed in (True, False)]
        if "".join(text.split(" ")).strip().upper().startswith(PREFIX):
            assert [None, None] == found
        assert not isinstance(ANYWHERE.verify(PREFIX + tail), Credential)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=MIN_CHARS, max_size=MAX_CHARS))
def test_every_number_is_a_badge_without_a_date_of_its_own(text: str) -> None:
    """Nobody issued it, it never expires by itself, and it carries neither key nor template."""
    assume(not text.upper().startswith(PREFIX))
    found = ANYWHERE.plain(text, typed=True)
    badge_id = hashlib.sha256(b"edgegate/plain/1\0" + text.upper().encode()).digest()[:16]
    assert Credential("", badge_id, 0, 253_402_300_799, None, None, plain=True) == found
    assert ANYWHERE.plain(text, typed=False) == ANYWHERE.verify(text) == found


def test_the_number_is_in_nothing_that_is_printed() -> None:
    """Nor is the id that stands for it."""
    found = ANYWHERE.plain(NUMBER, typed=True)
    assert found is not None
    shown = f"{found!r} {found} {[found]}"
    assert "plain=True" in shown
    assert NUMBER not in shown
    assert repr(found.badge_id) not in shown


def test_different_numbers_are_different_badges() -> None:
    """A leading zero makes another card."""
    numbers = ["1234", "01234", "12340", "1234-", "123-4"]
    assert 5 == len({number_id(number_of(number)) for number in numbers})


def picture(text: str, kind: zxingcpp.BarcodeFormat) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """What a camera sees of a printed code."""
    code = np.array(zxingcpp.create_barcode(text, kind).to_image(scale=3, add_quiet_zones=True))
    view = np.full((720, 1280), 190, np.uint8)
    view[200 : 200 + code.shape[0], 300 : 300 + code.shape[1]] = code
    return np.asarray(cv2.GaussianBlur(cv2.cvtColor(view, cv2.COLOR_GRAY2BGR), (0, 0), 0.8), np.uint8)


@pytest.mark.parametrize("reader", ["zxing", "both"])
def test_a_library_card_opens_its_own_template(reader: str, tmp_path: Path) -> None:
    """Enrolled as the office typed it, read from the bars by the camera: one badge, one row, one template."""
    school = keys()
    book = CredentialBook({school.kid: school.public}, plain_seen=True)
    typed = ANYWHERE.plain(" 00084 15732 ", typed=True)
    assert typed is not None
    badge = replace(typed, issued=NOW, expires=NOW + YEAR_S)
    scanner = QrReader(decoder(reader, ["code128"]), book)
    with closing(SqliteVault(tmp_path / "vault.db", SECRET, create=True)) as vault:
        vault.enrol(badge, card_number="", template=template(), consent=CONSENT)
        handle = vault.handle_of(badge.badge_id)
        (seen,) = scanner.scan(Frame(1, 0.0, picture(NUMBER, zxingcpp.BarcodeFormat.Code128)))
        assert not seen.credible  # not before the vault was asked
        found = book.plain(seen.code.text, typed=not seen.code.steady)
        assert found is not None
        standing = vault.standing(found)
        assert (handle, Status.VOLUNTEER, NOW + YEAR_S) == (standing.handle, standing.status, standing.badge_expires)
        assert np.array_equal(template().vector, vault.unseal(found, PACK).take().vector)

        (seen,) = scanner.scan(Frame(2, 0.1, picture("0008415733", zxingcpp.BarcodeFormat.Code128)))
        stranger = book.plain(seen.code.text, typed=False)
        assert stranger is not None
        assert Status.UNKNOWN is vault.standing(stranger).status


def test_a_signed_badge_comes_before_a_number() -> None:
    """A school card with both: the signed code is offered first."""
    school = keys()
    book = CredentialBook({school.kid: school.public}, plain_seen=True)
    signed = school.sign(credential())

    class Both:
        name = "both codes"

        def decode(self, grey: object, now: float) -> list[str]:
            return [NUMBER, signed]

    seen = QrReader(Both(), book).scan(Frame(1, 0.0, np.zeros((9, 9, 3), np.uint8)))
    assert [(signed, True), (NUMBER, False)] == [(event.code.text, event.credible) for event in seen]
