"""What the running gate lets go of by itself, when, and what it says of it: a real gate on a clock moved by hand."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from edgegate import watch
from edgegate.adapters import open_vault
from edgegate.app import App
from edgegate.clock import VirtualClock
from edgegate.model import Code, CodeSeen, Status
from edgegate.state import Phase
from tests.conftest import DAY_S, Site
from tests.heart import DIARY_SEEN


class Day:
    """A gate that turns once a second, and what its journal says of consents."""

    def __init__(self, app: App, clock: VirtualClock) -> None:
        self.app, self._clock = app, clock

    def go_on(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while self._clock.monotonic() < end:
            self._clock.advance_to(min(end, self._clock.monotonic() + 1.0))
            self.app.gate.turn()

    def later(self, seconds: float) -> None:
        """As if the gate had turned on and on."""
        self._clock.advance_to(self._clock.monotonic() + seconds)
        self.app.gate.turn()

    def set_clock(self, seconds: float) -> None:
        self._clock.jump(seconds)

    def said(self) -> list[tuple[str, str]]:
        return [(row.reason, row.detail) for row in self.app.journal.rows() if row.kind == "consent"]

    def times(self) -> list[int]:
        return [row.at for row in self.app.journal.rows() if row.kind == "consent"]

    def statuses(self) -> list[str]:
        return sorted(entry.status.value for entry in self.app.vault.entries())


@pytest.fixture
def begin(site: Site) -> Iterator[Callable[[float], Day]]:
    """Starts the gate at a wall time, and stops it at the test's end."""
    apps: list[App] = []

    def start(wall: float) -> Day:
        clock = VirtualClock(wall)
        apps.append(App(site.config, clock=clock))
        return Day(apps[-1], clock)

    yield start
    for app in apps:
        app.close()


def midnight(days: int = 1) -> int:
    """The next one here, or one later."""
    day = datetime.now().date() + timedelta(days)
    return int(datetime(day.year, day.month, day.day).timestamp())


def until(moment: float) -> int:
    return int(moment - time.time())


def test_a_consent_ends_at_midnight(site: Site, begin: Callable[[float], Day]) -> None:
    """Not a second before, and within two seconds after; a diary badge and another's consent stay."""
    end = midnight(2)
    site.enrol("ana", consent_in_s=until(end))
    site.enrol("ben")
    site.enrol(None)
    day = begin(end - 100)
    day.go_on(99.5)
    assert (["diary", "volunteer", "volunteer"], []) == (day.statuses(), day.said())
    day.go_on(3)
    assert (["diary", "diary", "volunteer"], [("lapsed", "checked")]) == (day.statuses(), day.said())
    assert end <= day.times()[0] <= end + 2


def test_what_ended_before_the_start_goes_at_the_start(site: Site, begin: Callable[[float], Day]) -> None:
    """Expired badges are dropped, expired consents become diary badges; one row for each consent, none for badges."""
    site.enrol("ana", consent_in_s=-60)
    site.enrol("ben", expires_in_s=-60)
    site.enrol(None, expires_in_s=-60)
    day = begin(time.time())
    day.go_on(1)
    assert (["diary"], [("lapsed", "checked")] * 2) == (day.statuses(), day.said())


def test_what_ends_in_the_day_goes_within_the_hour(site: Site, begin: Callable[[float], Day]) -> None:
    """A configuration in another time zone, or a plain mistake: no date waits longer than an hour."""
    noon = midnight() + DAY_S / 2
    site.enrol("ana", expires_in_s=until(noon + 600))
    day = begin(noon)
    day.later(1)
    day.later(3500)
    assert (["volunteer"], []) == (day.statuses(), day.said())
    day.later(200)
    assert ([], [("lapsed", "checked")]) == (day.statuses(), day.said())


def test_nothing_lapses_on_a_clock_that_is_not_believed(site: Site, begin: Callable[[float], Day]) -> None:
    """Two years ahead in a moment: nothing goes. Back again, the day that really ends is noticed."""
    end = midnight(2)
    site.enrol("ana", consent_in_s=until(end))
    day = begin(end - 50)
    day.go_on(10)
    day.set_clock(800 * DAY_S)
    day.go_on(20)
    assert (["volunteer"], []) == (day.statuses(), day.said())
    day.set_clock(-800 * DAY_S)
    day.go_on(10)
    assert ["volunteer"] == day.statuses()
    day.go_on(15)
    assert ["diary"] == day.statuses()


def test_a_clock_set_right_may_begin_a_day(site: Site, begin: Callable[[float], Day]) -> None:
    """A time server corrects a slow clock by some hours: what is over by then goes at once."""
    end = midnight(2)
    site.enrol("ana", consent_in_s=until(end))
    day = begin(end - 9000)
    day.go_on(5)
    assert ["volunteer"] == day.statuses()
    day.set_clock(9000)
    day.go_on(2)
    assert ["diary"] == day.statuses()


def test_a_presentation_is_not_interrupted(site: Site, begin: Callable[[float], Day]) -> None:
    """Midnight waits until the gate is at rest again."""
    end = midnight(2)
    site.enrol("ana", consent_in_s=until(end))
    diary = site.enrol(None)
    day = begin(end - 10)
    day.go_on(8)
    day.app.gate.turn([CodeSeen(Code(diary.text, steady=False))])
    day.go_on(15)
    assert (Phase.REFER, []) == (day.app.gate.state.phase, day.said())
    day.go_on(10)
    assert [("lapsed", "checked")] == day.said()


def test_chores_that_fail_are_done_again(
    site: Site, begin: Callable[[float], Day], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute, not after an hour; a vault that cannot be read at all is waited for."""
    end = midnight(2)
    site.enrol("ana", consent_in_s=until(end))
    day = begin(end - 10)
    day.go_on(5)
    path = site.config.vault.path
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TRIGGER stuck BEFORE UPDATE ON badge BEGIN SELECT raise(ABORT, 'not now'); END")
    day.go_on(10)
    assert ["volunteer"] == day.statuses()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER stuck")
    day.go_on(30)
    assert ["volunteer"] == day.statuses()
    day.go_on(40)
    assert (["diary"], [("lapsed", "checked")]) == (day.statuses(), day.said())


def test_a_years_end_does_not_hold_the_gate_up(
    site: Site, begin: Callable[[float], Day], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All consents are gone at once; their rows follow, a few each second, and none is lost to a full disk."""
    monkeypatch.setattr(watch, "ROWS_A_ROUND", 2)
    for person in ("ana", "ben", "chloe", "dan", "eve"):
        site.enrol(person, consent_in_s=-1)
    day = begin(time.time())
    day.go_on(1)
    assert (["diary"] * 5, 2) == (day.statuses(), len(day.said()))
    with closing(sqlite3.connect(site.config.journal.path)) as db, db:
        db.execute("CREATE TRIGGER no_room BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'disk is full'); END")
    day.go_on(3)
    assert 2 == len(day.said())
    with closing(sqlite3.connect(site.config.journal.path)) as db, db:
        db.execute("DROP TRIGGER no_room")
    day.go_on(3)
    assert [("lapsed", "checked")] * 5 == day.said()


def test_a_copy_of_the_vault_is_noticed(
    site: Site, begin: Callable[[float], Day], caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody saved a copy in the state folder: what was erased is still there, the journal and the log say so."""
    ana = site.enrol("ana")
    site.enrol("ben", consent_in_s=-1)
    (site.folder / "old").mkdir()
    shutil.copy(site.config.vault.path, site.folder / "old" / "vault.db.bak")
    day = begin(time.time())
    day.go_on(2)
    assert [("lapsed", "found")] == day.said()
    with closing(open_vault(site.config)) as vault:
        vault.arm_withdrawal()
    day.go_on(1)
    day.app.gate.turn([CodeSeen(Code(ana.text, steady=False))])
    day.app.gate.turn([DIARY_SEEN])
    assert [("lapsed", "found"), ("withdrawn", "found")] == day.said()
    assert 2 == caplog.text.count("vault.db.bak still holds some of what was erased")


def test_models_are_not_read_for_every_withdrawal(site: Site, begin: Callable[[float], Day]) -> None:
    """Hundreds of megabytes would hold the gate up; what is beside them is read, whatever its name."""
    site.configure(faces={"pack": "fake", "models_dir": "models"})
    ana, ben = site.enrol("ana"), site.enrol("ben")
    with closing(sqlite3.connect(site.config.vault.path)) as db:
        sealed = [row[0] for row in db.execute("SELECT sealed FROM badge")]
    (site.folder / "models").mkdir()
    (site.folder / "models" / "weights.onnx").write_bytes(b"".join(sealed))
    day = begin(time.time())
    for badge, detail in ((ana, "checked"), (ben, "found")):
        day.go_on(1)
        day.app.vault.arm_withdrawal()
        day.go_on(1)
        day.app.gate.turn([CodeSeen(Code(badge.text, steady=False))])
        day.app.gate.turn([DIARY_SEEN])
        assert ("withdrawn", detail) == day.said()[-1]
        (site.folder / "notes.txt").write_bytes(b"".join(sealed))
        day.go_on(25)


def test_a_withdrawal_word_from_before_the_start_is_dropped(site: Site, begin: Callable[[float], Day]) -> None:
    """It was for a gate that did not run; a minute after the start nobody may be surprised by it."""
    ana = site.enrol("ana")
    with closing(open_vault(site.config)) as vault:
        vault.arm_withdrawal()
    day = begin(time.time())
    day.go_on(2)
    assert day.app.gate.state.armed_until is None
    with closing(open_vault(site.config)) as vault:
        assert not vault.take_withdrawal()
        vault.arm_withdrawal()
    day.go_on(2)
    assert day.app.gate.state.armed_until is not None
    day.app.gate.turn([CodeSeen(Code(ana.text, steady=False))])
    assert Phase.CONFIRMING is day.app.gate.state.phase


def test_revoked_between_question_and_answer(site: Site, begin: Callable[[float], Day]) -> None:
    """The office was quicker: nothing is withdrawn any more, and the gate refers without a fault of its own."""
    ana = site.enrol("ana")
    day = begin(time.time())
    day.go_on(1)
    day.app.vault.arm_withdrawal()
    day.go_on(1)
    day.app.gate.turn([CodeSeen(Code(ana.text, steady=False))])
    site.revoke(ana)
    day.app.gate.turn([DIARY_SEEN])
    state = day.app.gate.state
    assert (Phase.REFER, []) == (state.phase, day.said())
    assert state.verdict is not None
    assert ("out_of_order", "vault_unreadable") == (state.verdict.reason, state.verdict.detail)
    assert Status.REVOKED.value in day.statuses()


def test_the_badges_key_does_not_stay_in_memory(site: Site, begin: Callable[[float], Day]) -> None:
    """While the supervisor is asked, nothing of the badge is held but its handle."""
    ana = site.enrol("ana")
    day = begin(time.time())
    day.go_on(1)
    day.app.vault.arm_withdrawal()
    day.go_on(1)
    day.app.gate.turn([CodeSeen(Code(ana.text, steady=False))])
    assert Phase.CONFIRMING is day.app.gate.state.phase
    assert day.app.gate._credential is None
    assert ana.text not in repr(day.app.gate.state)
