"""What systemd hears: ready after the first turn, the state in words, a sign of life from the loop alone."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from edgegate import notify
from edgegate.model import Reason, Verdict
from edgegate.notify import PER_PERIOD, Systemd
from edgegate.ports import StateNote
from edgegate.state import Phase
from edgegate.words import Words

NOTHING: frozenset[Reason] = frozenset()
Speaker: TypeAlias = Callable[..., Systemd]
LOST = frozenset({Reason.CAMERA_LOST})


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The other end: a datagram socket, as systemd's own."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.setblocking(False)
        yield end


def heard(end: socket.socket) -> list[str]:
    """Everything that was said since."""
    said = []
    while True:
        try:
            said.append(end.recv(4096).decode())
        except BlockingIOError:
            return said


@pytest.fixture
def speaker(systemd: socket.socket) -> Iterator[Speaker]:
    """Makes the daemon's end, and closes it."""
    made: list[Systemd] = []

    def make(watchdog_s: float = 0.0) -> Systemd:
        made.append(Systemd(Words("en"), systemd.getsockname(), watchdog_s))
        return made[-1]

    yield make
    for voice in made:
        voice.close()


def test_ready_comes_with_the_first_turn_and_the_state(systemd: socket.socket, speaker: Speaker) -> None:
    """Before the loop has done a turn nothing is said; then once, with the state."""
    voice = speaker()
    voice.note(StateNote(Phase.READY, None, NOTHING))
    assert [] == heard(systemd)
    voice.beat()
    voice.beat()
    assert [f"READY=1\nSTATUS=READY: {Words('en').state(Phase.READY)}"] == heard(systemd)


def test_status_names_the_faults(systemd: socket.socket, speaker: Speaker) -> None:
    """Each fault by its name and in words; READY again when it is over; the same state once only."""
    voice = speaker()
    voice.note(StateNote(Phase.READY, None, NOTHING))
    voice.beat()
    heard(systemd)
    for _ in range(2):
        voice.note(StateNote(Phase.FAULT, None, LOST))
    voice.note(StateNote(Phase.LOCKDOWN, None, LOST))
    voice.note(StateNote(Phase.READY, None, NOTHING))
    fault, lockdown, ready = heard(systemd)
    assert fault.startswith("STATUS=FAULT camera_lost: ")
    assert lockdown.startswith("STATUS=LOCKDOWN camera_lost: ")
    assert ready.startswith("STATUS=READY: ")


@pytest.mark.parametrize(
    "phase", [Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING, Phase.GRANTED, Phase.ALARM, Phase.REFER]
)
def test_a_presentation_is_not_told(systemd: socket.socket, speaker: Speaker, phase: Phase) -> None:
    """Who passed when is the journal's to keep, not a status line's."""
    voice = speaker()
    voice.note(StateNote(Phase.READY, None, NOTHING))
    voice.beat()
    heard(systemd)
    voice.note(StateNote(phase, Verdict(Reason.MATCH), NOTHING))
    assert [] == heard(systemd)
    voice.note(StateNote(phase, None, LOST))
    assert ["FAULT camera_lost"] == [line.removeprefix("STATUS=").partition(":")[0] for line in heard(systemd)]


def test_the_watchdog_is_fed_by_turns_only(
    systemd: socket.socket, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign of life at most every quarter of the period, and none without a turn."""
    now = 100.0
    monkeypatch.setattr(notify, "monotonic", lambda: now)
    voice = speaker(10.0)
    times = []
    for _ in range(100):
        voice.beat()
        times += [now for line in heard(systemd) if line == "WATCHDOG=1"]
        now += 0.25
    assert times[0] == 100.0
    assert {10.0 / PER_PERIOD} == {after - before for before, after in itertools.pairwise(times)}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_period_is_what_systemd_says(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: float
) -> None:
    """In seconds; another process's watchdog, or none, is not fed."""
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == notify._watchdog_s()


def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal there is nobody to tell."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    voice = Systemd(Words("fr"))
    voice.note(StateNote(Phase.READY, None, NOTHING))
    voice.beat()
    voice.stopping()
    voice.close()


def test_a_systemd_that_went_away_stops_nothing(
    systemd: socket.socket, speaker: Speaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The gate goes on; a line says that nobody hears."""
    voice = speaker()
    (tmp_path / "notify").unlink()
    voice.beat()
    assert "systemd does not hear" in caplog.text
    voice.close()


def test_abstract_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """`@name` is the abstract socket of that name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0edgegate-test-{os.getpid()}")
        end.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@edgegate-test-{os.getpid()}")
        voice = Systemd(Words("en"))
        voice.stopping()
        assert ["STOPPING=1"] == heard(end)
        voice.close()
