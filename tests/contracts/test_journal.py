"""Port `Journal`: the append-only record. Tampering and power cuts are in tests/test_journal.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgegate.device_key import DeviceKey
from edgegate.errors import EdgeGateError
from edgegate.journal.store import SqliteJournal
from edgegate.model import DECISION_OF, Reason
from edgegate.stores import CLOCK_ACCEPTED, SESSION, Entry, Head, HourCount, Journal
from tests.contracts.kit import DAY_S, NOW, said

HOUR_S = 3600
MIDNIGHT = NOW - NOW % DAY_S
KEY = DeviceKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OPENERS: dict[str, Callable[[Path], Journal]] = {
    "sqlite": lambda folder: SqliteJournal(folder / "journal.db", "Gate A", create=True),
    "sqlite, signed": lambda folder: SqliteJournal(folder / "journal.db", "Gate A", create=True, signer=KEY),
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


def test_a_day_that_was_ended_has_no_pseudonyms_any_more(journal: Journal) -> None:
    """Ended by the next day, not by a later hour; even if the clock then goes back, its key is gone."""
    handle = bytes([1]) * 32
    journal.append(entry(at=MIDNIGHT, handle=handle))
    journal.end_day(MIDNIGHT + DAY_S - 1)
    journal.append(entry(at=MIDNIGHT, handle=handle))
    journal.end_day(MIDNIGHT + DAY_S)
    journal.append(entry(at=MIDNIGHT, handle=handle))
    first, same, other = (row.pseudonym for row in journal.rows())
    assert first == same != other


def test_a_pseudonym_is_not_computed_from_the_badge_alone(tmp_path: Path) -> None:
    """Two gates, or the gate next year, cannot be matched: the key is random and never written."""
    names = set()
    for number in range(2):
        for name, make in OPENERS.items():
            (tmp_path / f"{name} {number}").mkdir()
            journal = make(tmp_path / f"{name} {number}")
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


def test_a_date_that_was_taken_back_holds_nothing_up(journal: Journal) -> None:
    """A clock far ahead, then accepted as it is: rows from before are older than that moment, whatever they say."""
    for at in (MIDNIGHT, MIDNIGHT + 300 * DAY_S):
        journal.append(replace(entry(), at=at))
    journal.append(Entry(MIDNIGHT + 2, CLOCK_ACCEPTED))
    journal.append(replace(entry(), at=MIDNIGHT + 3))
    assert 1 == journal.purge(MIDNIGHT + 1)
    assert 3 == journal.purge(MIDNIGHT + DAY_S)
    assert 0 == journal.verify()


# The head, kept elsewhere


def test_the_head_is_the_last_row(journal: Journal) -> None:
    """Nothing at first; then the newest row's number and hash, on one line."""
    assert Head(0, bytes(32)) == journal.head()
    for number in range(1, 4):
        journal.append(entry(number))
        *_, last = journal.rows()
        assert Head(last.seq, last.hash) == journal.head()
        assert f"{number}:{last.hash.hex()}" == str(journal.head())


def test_every_head_noted_since_the_start_is_found(opened: Callable[[], Journal]) -> None:
    """Also that of the last row that was purged; one from before is older than what is kept, and said to be so."""
    journal = opened()
    heads = [journal.head()]
    for number in range(1, 7):
        journal.append(entry(number))
        heads.append(journal.head())
    assert [6] * 7 == [journal.verify(head) for head in heads]
    assert 3 == journal.purge(MIDNIGHT + 4)
    for seen in (journal, opened()):
        assert [3] * 4 == [seen.verify(head) for head in heads[3:]]
        for head in heads[:3]:
            with pytest.raises(EdgeGateError, match=r"older than what is kept \(rows from 4 on\)") as caught:
                seen.verify(head)
            said(caught.value)


def test_a_head_of_another_chain_is_told(opened: Callable[[], Journal]) -> None:
    """Further than the last row: an older file was put back. Another hash: the rows were written anew."""
    journal = opened()
    for number in range(1, 4):
        journal.append(entry(number))
    journal.purge(MIDNIGHT + 2)
    head = journal.head()
    for other, words in (
        (Head(4, head.hash), "it ends with row 3, and row 4 was noted"),
        (Head(3, head.hash[::-1]), "row 3 is not the one whose head was noted"),
        (Head(2, head.hash), "row 2 is not the one"),
        (Head(1, head.hash), "row 1 is not the one"),
    ):
        with pytest.raises(EdgeGateError, match=words) as caught:
            journal.verify(other)
        said(caught.value)


# Counts


def decision(at: int, reason: Reason, latency_ms: float) -> Entry:
    return Entry(at, "decision", decision=DECISION_OF[reason].value, reason=reason.value, latency_ms=latency_ms)


def test_decisions_are_counted_by_hour_and_latency(journal: Journal) -> None:
    """Bounds belong to the bucket below; what is no decision does not count; rows that are still there do."""
    for at, reason, latency_ms in (
        (MIDNIGHT, Reason.MATCH, 0.0),
        (MIDNIGHT, Reason.MATCH, 10.0),
        (MIDNIGHT + HOUR_S - 1, Reason.MATCH, 10.1),
        (MIDNIGHT + HOUR_S, Reason.MATCH, 500.0),
        (MIDNIGHT + HOUR_S, Reason.NO_MATCH, 5000.0),
        (MIDNIGHT + HOUR_S, Reason.NO_MATCH, 5000.1),
    ):
        journal.append(decision(at, reason, latency_ms))
    journal.append(Entry(MIDNIGHT, "start"))
    journal.append(Entry(MIDNIGHT, SESSION, reason="journal tail", detail="cli:root"))
    assert [
        HourCount(MIDNIGHT, "granted", "match", 10.0, 2),
        HourCount(MIDNIGHT, "granted", "match", 20.0, 1),
        HourCount(MIDNIGHT + HOUR_S, "alarm", "no_match", 5000.0, 1),
        HourCount(MIDNIGHT + HOUR_S, "alarm", "no_match", math.inf, 1),
        HourCount(MIDNIGHT + HOUR_S, "granted", "match", 500.0, 1),
    ] == list(journal.hourly())


def test_counts_outlive_their_rows(opened: Callable[[], Journal]) -> None:
    """Purged in pieces or at once, in the middle of an hour or not: the counts stay what they were."""
    journal = opened()
    for number in range(60):
        journal.append(decision(MIDNIGHT + number * 400, list(Reason)[number % 3], 1.9**number % 7000))
    before = list(journal.hourly())
    assert 60 == sum(one.count for one in before)
    for number in (7, 8, 30, 60):
        journal.purge(MIDNIGHT + number * 400)
        for seen in (journal, opened()):
            assert before == list(seen.hourly())
            assert 60 - number == seen.verify()
    journal.append(decision(MIDNIGHT, Reason.MATCH, 1.0))
    assert 61 == sum(one.count for one in opened().hourly())
