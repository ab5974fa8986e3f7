"""The wall clock is believed only while it can be true."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgegate import BUILT
from edgegate.adapters import open_journal
from edgegate.clock import VirtualClock
from edgegate.errors import StoreError
from edgegate.journal.store import SqliteJournal
from edgegate.model import Reason
from edgegate.stores import CLOCK_ACCEPTED, Entry, KnownTime
from edgegate.trusted_clock import JUMP_S, SLACK_S, TrustedClock
from tests.conftest import DAY_S, Site

NOW = BUILT + 100 * DAY_S
UNTRUSTED = frozenset({Reason.CLOCK_UNTRUSTED})
TRUSTED: frozenset[Reason] = frozenset()


class Journal:
    """What the journal knows, changed by the test."""

    def __init__(self, at: int = 0, accepted: int = 0) -> None:
        self.known = KnownTime(at, accepted)

    def known_time(self) -> KnownTime:
        return self.known


def watch(
    machine: VirtualClock, journal: Journal | None = None, *, synchronised: Callable[[], bool] = lambda: False
) -> TrustedClock:
    return TrustedClock(machine, (journal or Journal()).known_time, BUILT, synchronised)


def test_a_right_clock_is_passed_on() -> None:
    """Wall and monotonic time are the machine's own."""
    machine = VirtualClock(NOW)
    clock = watch(machine, Journal(NOW - DAY_S))
    machine.advance_to(5.0)
    assert (machine.wall(), 5.0, TRUSTED) == (clock.wall(), clock.monotonic(), clock.faults(5.0))


@pytest.mark.parametrize(
    ("wall", "newest", "expected"),
    [
        (0.0, 0, UNTRUSTED),
        (BUILT - SLACK_S - 1, 0, UNTRUSTED),
        (BUILT - SLACK_S, 0, TRUSTED),
        (NOW, 0, TRUSTED),
        (NOW + 50 * JUMP_S, 0, TRUSTED),
        (NOW - SLACK_S - 1, NOW, UNTRUSTED),
        (NOW - SLACK_S, NOW, TRUSTED),
        (NOW + JUMP_S, NOW, TRUSTED),
        (NOW + JUMP_S + 1, NOW, UNTRUSTED),
    ],
)
def test_at_start(wall: float, newest: int, expected: frozenset[Reason]) -> None:
    """Before the build or the newest row: no; a year ahead of the newest row: no. A build date says nothing of
    how late it may be: a device may lie in a cupboard before it is first used."""
    clock = watch(VirtualClock(wall), Journal(newest))
    assert expected == clock.faults(0.0)
    assert (wall if not expected else max(BUILT, newest)) == clock.wall()


@pytest.mark.parametrize("days", [-4000, -366, -1, 366, 4000])
def test_a_jump_while_running(days: int) -> None:
    """From the jump on, the time goes on where it was; when the clock is right again, so is everything."""
    machine = VirtualClock(NOW)
    clock = watch(machine)
    assert TRUSTED == clock.faults(0.0)
    machine.advance_to(10.0)
    assert TRUSTED == clock.faults(10.0)
    machine.jump(days * DAY_S)
    machine.advance_to(20.0)
    assert UNTRUSTED == clock.faults(20.0)
    assert NOW + 20.0 == clock.wall()
    machine.jump(-days * DAY_S)
    machine.advance_to(30.0)
    assert TRUSTED == clock.faults(30.0)
    assert NOW + 30.0 == clock.wall()


@pytest.mark.parametrize("seconds", [-SLACK_S, -2.0, 3600.0, 300.0 * DAY_S])
def test_what_a_time_server_may_do(seconds: float) -> None:
    """Set back by seconds, forward by months after a long time without network: believed at once."""
    machine = VirtualClock(NOW)
    clock = watch(machine)
    clock.wall()
    machine.jump(seconds)
    assert (NOW + seconds, TRUSTED) == (clock.wall(), clock.faults(0.0))


def test_a_slow_drift_back_is_followed() -> None:
    """Many small corrections are no jump."""
    machine = VirtualClock(NOW)
    clock = watch(machine)
    for hour in range(1, 50):
        machine.advance_to(hour * 3600.0)
        machine.jump(-60.0)
        assert TRUSTED == clock.faults(hour * 3600.0)


def test_a_time_server_may_vouch_for_a_long_rest() -> None:
    """A device that lay a year and a half in a cupboard: its clock is far ahead, and right."""
    journal = Journal(NOW)
    assert UNTRUSTED == watch(VirtualClock(NOW + 1.5 * JUMP_S), journal).faults(0.0)
    assert TRUSTED == watch(VirtualClock(NOW + 1.5 * JUMP_S), journal, synchronised=lambda: True).faults(0.0)
    assert UNTRUSTED == watch(VirtualClock(NOW - DAY_S), journal, synchronised=lambda: True).faults(0.0)


@pytest.mark.parametrize("days", [-90, 500])
def test_somebody_may_accept_the_clock(days: int) -> None:
    """What was wrong may have been the time before: one row in the journal settles it, for the running gate too."""
    machine, journal = VirtualClock(NOW + days * DAY_S), Journal(NOW)
    clock = watch(machine, journal)
    machine.advance_to(5.0)
    assert UNTRUSTED == clock.faults(5.0)
    journal.known = KnownTime(int(machine.wall()), accepted=7)
    machine.advance_to(6.5)
    clock.faults(6.5)
    assert (TRUSTED, machine.wall()) == (clock.faults(6.6), clock.wall())
    assert TRUSTED == watch(machine, journal).faults(0.0)


def test_an_unreadable_journal_changes_nothing() -> None:
    """While it cannot be asked the clock stays in doubt; the journal's own fault is told elsewhere."""

    def broken() -> KnownTime:
        raise StoreError("cannot be used")

    machine = VirtualClock(0.0)
    clock = watch(machine)
    clock._known = broken
    machine.advance_to(5.0)
    assert UNTRUSTED == clock.faults(5.0)


def test_one_line_each_way(caplog: pytest.LogCaptureFixture) -> None:
    """A technician reads once that the clock is wrong and what to do, and once that it is over."""
    machine = VirtualClock(NOW)
    clock = watch(machine)
    clock.faults(0.0)
    with caplog.at_level(logging.INFO):
        for second in range(1, 10):
            machine.advance_to(float(second))
            if second in (3, 6):
                machine.jump((1 if second == 6 else -1) * 9000 * DAY_S)
            clock.faults(float(second))
    assert [logging.ERROR, logging.WARNING] == [record.levelno for record in caplog.records]
    assert "edgegate clock accept" in caplog.messages[0]
    assert {"clock_untrusted"} == {record.__dict__["fault"] for record in caplog.records}


def test_the_journal_knows_its_newest_time(tmp_path: Path) -> None:
    """The latest time of any row, whatever their order; an acceptance makes those before it void."""
    with closing(SqliteJournal(tmp_path / "journal.db", "Gate", create=True)) as journal:
        assert KnownTime(0, 0) == journal.known_time()
        for at in (NOW, NOW + 500, NOW + 100):
            journal.append(Entry(at, "start"))
        assert KnownTime(NOW + 500, 0) == journal.known_time()
        accepted = journal.append(Entry(NOW - DAY_S, CLOCK_ACCEPTED))
        assert KnownTime(NOW - DAY_S, accepted) == journal.known_time()
        journal.append(Entry(NOW - DAY_S + 5, "start"))
        assert KnownTime(NOW - DAY_S + 5, accepted) == journal.known_time()


def test_the_commands(site: Site, cli: Callable[..., tuple[int, str, str]]) -> None:
    """`status` tells and exits with 1 while the clock is in doubt; `accept` is a row that settles it."""
    with closing(open_journal(site.config, create=True)) as journal:
        journal.append(Entry(int(time.time()) + 40 * DAY_S, "start"))
    code, out, _ = cli("clock", "status", cwd=site.folder)
    assert (1, True) == (code, "does not believe" in out)
    code, out, _ = cli("clock", "accept", cwd=site.folder)
    assert (0, True) == (code, "believes" in out)
    assert 0 == cli("clock", "status")[0]
    assert "clock_accepted" in cli("journal", "tail")[1]
    assert 0 == cli("journal", "verify")[0]


def test_this_version_was_not_built_in_the_future() -> None:
    """A right clock is never before it."""
    assert time.time() >= BUILT
