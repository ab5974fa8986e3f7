"""Port `Journal`: the append-only record. Tampering and power cuts are in tests/test_journal.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgegate.journal.store import SqliteJournal
from edgegate.model import DECISION_OF, Reason
from edgegate.ports import Entry, Journal
from tests.contracts.kit import DAY_S, NOW

MIDNIGHT = NOW - NOW % DAY_S
OPENERS: dict[str, Callable[[Path], Journal]] = {
    "sqlite": lambda folder: SqliteJournal(folder / "journal.db", "Gate A", create=True)
}


@pytest.fixture(params=OPENERS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens each adapter's record, again and again: the same one each time."""
    made: list[Journal] = []

    def again() -> Journal:
        made.append(OPENERS[request.param](tmp_path))
        return made[-1]

    yield again
    for journal in made:
        journal.close()


@pytest.fixture
def journal(opened: Callable[[], Journal]) -> Journal:
    """An empty journal."""
    return opened()


def entry(number: int = 1, *, at: int = MIDNIGHT, handle: bytes | None = None) -> Entry:
    """One decision; each number another reason."""
    reason = list(Reason)[number % len(Reason)]
    return Entry(
        at=at + number,
        kind="decision",
        decision=DECISION_OF[reason].value,
        reason=reason.value,
        detail="bad_signature" if reason is Reason.FORGED else "",
        presentation=number,
        handle=handle,
        latency_ms=10.0 + number / 7,
    )


def test_an_empty_journal_holds(journal: Journal) -> None:
    """Nothing recorded is a chain too."""
    assert [] == list(journal.rows())
    assert 0 == journal.verify()


def test_what_is_appended_is_what_is_read(opened: Callable[[], Journal]) -> None:
    """Rows come in order with the gate's name, all that was given, latency to a tenth; also after a restart."""
    entries = [entry(number) for number in range(1, 2 * len(Reason))]
    journal = opened()
    assert list(range(1, len(entries) + 1)) == [journal.append(one) for one in entries]
    for seen in (journal, opened()):
        rows = list(seen.rows())
        for number, (given, row) in enumerate(zip(entries, rows, strict=True), start=1):
            assert (number, "Gate A", "") == (row.seq, row.gate, row.pseudonym)
            for name in ("at", "kind", "decision", "reason", "detail", "presentation"):
                assert getattr(given, name) == getattr(row, name)
            assert pytest.approx(given.latency_ms, abs=0.051) == row.latency_ms
        assert len(entries) == seen.verify()


def test_numbers_go_on_after_a_restart(opened: Callable[[], Journal]) -> None:
    """The chain is one, however often the gate was started."""
    assert [1, 2, 3, 4] == [opened().append(entry(number)) for number in range(4)]
    assert 4 == opened().verify()


@pytest.mark.parametrize(
    ("last", "expected"), [(0, []), (1, [5]), (3, [3, 4, 5]), (5, [1, 2, 3, 4, 5]), (99, [1, 2, 3, 4, 5])]
)
def test_the_last_rows_come_in_order(journal: Journal, last: int, expected: list[int]) -> None:
    """`rows(n)` gives the newest n, oldest of them first."""
    for number in range(5):
        journal.append(entry(number))
    assert expected == [row.seq for row in journal.rows(last)]


def test_a_row_may_be_added_while_others_are_read(journal: Journal) -> None:
    """A listing under way does not stand in the gate's way, nor end in an error."""
    for number in range(3):
        journal.append(entry(number))
    seen = [journal.append(entry(9)) and row.seq for row in journal.rows(2)]
    assert [2, 3] == seen[:2]
    assert 3 + len(seen) == journal.verify()


def test_a_badge_has_one_pseudonym_a_day(journal: Journal) -> None:
    """The same badge can be followed through a day, not into the next; two badges are told apart; no badge has none."""
    first, second = bytes([1]) * 32, bytes([2]) * 32
    for at, handle in (
        (MIDNIGHT, first),
        (MIDNIGHT + DAY_S // 2, second),
        (MIDNIGHT + DAY_S // 2, None),
        (MIDNIGHT + DAY_S - 5, first),
        (MIDNIGHT + DAY_S, first),
        (MIDNIGHT + DAY_S, second),
    ):
        journal.append(entry(at=at, handle=handle))
    morning, other, nobody, evening, next_day, other_next_day = (row.pseudonym for row in journal.rows())
    assert "" == nobody
    assert morning == evening
    assert 5 == len({morning, other, next_day, other_next_day, nobody})
    assert all(len(name) == 16 for name in (morning, other, next_day, other_next_day))


def test_a_pseudonym_is_not_computed_from_the_badge_alone(tmp_path: Path) -> None:
    """Two gates, or the gate next year, cannot be matched: the key is random and never written."""
    names = set()
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        for make in OPENERS.values():
            journal = make(tmp_path / str(number))
            journal.append(entry(handle=bytes(32)))
            names |= {row.pseudonym for row in journal.rows()}
            journal.close()
    assert 2 * len(OPENERS) == len(names)


def test_purging_drops_the_oldest_and_keeps_the_chain(opened: Callable[[], Journal]) -> None:
    """What is older than the date goes, numbers go on, and the rest still holds; also after a restart."""
    journal = opened()
    for number in range(1, 11):
        journal.append(entry(number))
    assert 0 == journal.purge(MIDNIGHT + 1)
    assert 4 == journal.purge(MIDNIGHT + 5)
    assert 0 == journal.purge(MIDNIGHT + 5)
    for seen in (journal, opened()):
        assert list(range(5, 11)) == [row.seq for row in seen.rows()]
        assert 6 == seen.verify()
    assert 11 == journal.append(entry(11))
    assert 7 == opened().verify()


def test_purging_everything_leaves_a_chain_to_go_on_with(opened: Callable[[], Journal]) -> None:
    """After a long summer no row is left; the next one has the next number."""
    journal = opened()
    for number in range(1, 4):
        journal.append(entry(number))
    assert 3 == journal.purge(MIDNIGHT + DAY_S)
    assert 0 == journal.purge(MIDNIGHT + DAY_S)
    assert [] == list(opened().rows())
    assert 0 == opened().verify()
    assert 4 == opened().append(entry(4))
    assert 1 == journal.verify()


def test_purging_makes_no_holes(journal: Journal) -> None:
    """A clock that ran wrong for a while: an old date between newer ones stays until those go."""
    for at in (1, 100, 2, 101):
        journal.append(replace(entry(), at=at))
    assert 1 == journal.purge(50)
    assert [2, 3, 4] == [row.seq for row in journal.rows()]
    assert 3 == journal.verify()
    assert 3 == journal.purge(102)
