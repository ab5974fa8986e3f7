"""The short number on the card: read over the telephone, typed by the office."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegate.badges.card import ALPHABET, LENGTH, new_number, read_number

NUMBERS = [new_number() for _ in range(200)]


def test_new_numbers_are_read_and_differ() -> None:
    """Eight characters of the alphabet, random, valid as they are."""
    assert 200 == len(set(NUMBERS))
    assert {LENGTH} == {len(number) for number in NUMBERS}
    assert not set("".join(NUMBERS)) - set(ALPHABET)
    assert NUMBERS == [read_number(number) for number in NUMBERS]


def test_the_alphabet_has_no_letters_that_look_alike() -> None:
    """Digits, and capitals without those that are taken for a digit or make words."""
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert set("0123456789") < set(ALPHABET) < set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_every_wrong_character_is_found() -> None:
    """Each character of each number, replaced by each other one."""
    missed = [
        (number, position, wrong)
        for number in NUMBERS
        for position in range(LENGTH)
        for wrong in ALPHABET
        if wrong != number[position] and read_number(number[:position] + wrong + number[position + 1 :]) is not None
    ]
    assert [] == missed


def test_every_swap_of_neighbours_is_found() -> None:
    """The commonest slip of a typing hand, at each place of each number."""
    missed = []
    for number in NUMBERS:
        for left in range(LENGTH - 1):
            swapped = number[:left] + number[left + 1] + number[left] + number[left + 2 :]
            if swapped != number and read_number(swapped) is not None:
                missed.append((number, swapped))
    assert [] == missed


LOOKALIKES = [("O", "0"), ("o", "0"), ("I", "1"), ("i", "1"), ("L", "1"), ("l", "1"), ("Z", "2"), ("z", "2")]


@pytest.mark.parametrize(("written", "meant"), LOOKALIKES)
def test_letters_that_look_like_digits_are_read_as_those(written: str, meant: str) -> None:
    """Who reads a zero as an O still names the right badge."""
    numbers = [number for number in (new_number() for _ in range(2000)) if meant in number][:20]
    assert 20 == len(numbers)
    assert numbers == [read_number(number.replace(meant, written)) for number in numbers]


@pytest.mark.parametrize("shape", ["{0}-{1}", "{0} {1}", "  {0}{1}\n", "-{0}--{1} "])
def test_case_spaces_and_dashes_do_not_matter(shape: str) -> None:
    """However the number was noted down, it is kept in one form."""
    for number in NUMBERS[:20]:
        assert number == read_number(shape.format(number[:4], number[4:]).lower())


@pytest.mark.parametrize(
    "text",
    ["", "0", "0000000", "000000000", "0000000U", "ÀÉÎÖÜ123", "٠٠٠٠٠٠٠٠", "①②③④⑤⑥⑦⑧", "ß" * 4, "\0" * 8, "f" * 64],
)
def test_what_is_no_number_is_none(text: str) -> None:
    """Another length, another alphabet, digits of other scripts."""
    assert read_number(text) is None


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=20))
def test_any_text_is_answered(text: str) -> None:
    """A number in its kept form, or none; never an error."""
    number = read_number(text)
    assert number is None or number == read_number(number)


def test_the_check_character_belongs_to_the_number() -> None:
    """Of all the last characters, exactly one is right."""
    for number in NUMBERS[:20]:
        assert [number[-1]] == [last for last in ALPHABET if read_number(number[:-1] + last) is not None]
