"""The fuzz targets without the fuzzer: every seed, and some thousand bytes changed at random."""

from __future__ import annotations

from random import Random
from types import ModuleType

import pytest

from tests.fuzz import credential, pages, rows

TRIES = 300


@pytest.mark.parametrize("target", [credential, rows, pages])
def test_no_seed_breaks_a_promise(target: ModuleType) -> None:
    """What is known to be difficult."""
    seeds = list(target.seeds())
    assert len(seeds) > 10
    for seed in seeds:
        target.check(seed)


@pytest.mark.parametrize("target", [credential, rows, pages])
def test_nothing_at_random_breaks_a_promise(target: ModuleType) -> None:
    """The same with some bytes changed, always in the same way; the fuzzer goes further."""
    dice, seeds = Random(7), list(target.seeds())
    for _ in range(TRIES):
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        target.check(bytes(data))


def test_the_small_vault_is_what_it_should_be() -> None:
    """Untouched, every badge stands as it was enrolled, and three templates open: else nothing is tried here."""
    made = rows.small()[0]
    assert [1, 1, 1, 1, 2, 2] == [len(stood) for stood in made.stood]
    assert made.log
    assert 3 == rows.check(b"") == pages.check(b"") == pages.check(b"\1") == pages.check(b"\2")


@pytest.mark.parametrize("row", range(6))
def test_a_changed_row_opens_nothing(row: int) -> None:
    """Its badge's end put off by some years: none of the templates opens that would have, and the others do."""
    data = bytes([row, rows.PLACES.index("badge_expires"), rows.INTEGER, 5]) + (2**33).to_bytes(5, "big")
    assert 2 <= rows.check(data) <= 3
