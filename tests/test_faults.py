"""Every fault of the running gate, injected: amber with its name on every surface, and READY again by itself.

Surfaces: the lights, the journal, the line that `systemctl status` shows, and the events.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgegate.adapters import open_journal, open_vault
from edgegate.app import App
from edgegate.camera.scripted import ScriptedCamera
from edgegate.clock import VirtualClock
from edgegate.errors import EndOfFrames
from edgegate.model import FAULTS, Image, Reason, Status
from edgegate.notify import Systemd
from edgegate.ports import Note, StateNote
from edgegate.state import Phase
from edgegate.stores import Entry
from edgegate.words import Words
from tests.conftest import DAY_S, Site, blank
from tests.scenario import Scenario, play, prepare

BEGINS, MEETS, ENDS, OVER = 2.0, 6.0, 8.0, 14.0
"""The fault begins and ends; between, a volunteer shows the badge, alone before the camera; then a last look."""
PATIENCE_S = 20.0

SWITCHED: dict[Reason, tuple[dict[str, Any], dict[str, Any]]] = {
    Reason.CAMERA_LOST: ({"camera": "unplugged"}, {"camera": "plugged"}),
    Reason.CAMERA_STALE: ({"camera": "frozen"}, {"camera": "moving"}),
    Reason.CAMERA_DARK: ({"camera": "dark"}, {"camera": "light"}),
    Reason.VAULT_UNREADABLE: ({"vault": "broken"}, {"vault": "whole"}),
    Reason.DISK_FULL: ({"journal": "full"}, {"journal": "writable"}),
    Reason.CLOCK_UNTRUSTED: ({"clock": -400}, {"clock": 400}),
}
"""What begins and ends a fault that a virtual clock can show, in the words of the scenarios."""
APART = {Reason.READER_LOST, Reason.SIGNALS_LOST, Reason.MODELS_MISSING}
"""Those with a test of their own below."""


def test_every_fault_is_here() -> None:
    """No fault of the closed set is without a test in this file."""
    assert set(FAULTS) == set(SWITCHED) | APART


class Systemctl:
    """What systemd hears from a gate: the other end of its notify socket."""

    def __init__(self, folder: Path) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(str(folder / "notify"))
        self._end.setblocking(False)
        self.systemd = Systemd(Words("en"), str(folder / "notify"), 0.0)
        self._statuses: list[str] = []

    def statuses(self) -> list[str]:
        """Every status so far, in order: the words before the colon."""
        while True:
            try:
                said = self._end.recv(8192).decode()
            except BlockingIOError:
                return self._statuses
            self._statuses += [
                line.removeprefix("STATUS=").partition(":")[0] for line in said.split("\n") if "STATUS=" in line
            ]

    def close(self) -> None:
        self.systemd.close()
        self._end.close()


@pytest.fixture
def systemctl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemctl]:
    made = Systemctl(tmp_path_factory.mktemp("run"))
    yield made
    made.close()


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    assert happened()


@pytest.mark.parametrize("fault", SWITCHED)
def test_a_fault_that_heals(
    site: Site, systemctl: Systemctl, tmp_path_factory: pytest.TempPathFactory, fault: Reason
) -> None:
    """Amber and its name while it lasts, a supervisor for the volunteer, READY and green when it is over."""
    begin, end = SWITCHED[fault]
    volunteer = {"codes": ["ana"], "faces": ["ana"]}
    blind = fault in (Reason.CAMERA_LOST, Reason.CAMERA_STALE, Reason.CAMERA_DARK)
    scenario = Scenario.model_validate(
        {
            "title": fault.value,
            "config": {"gate": {"hold": {"refer_s": 1, "granted_s": 1}}},
            "people": {"ana": {"kind": "volunteer"}},
            "events": [
                {"at": BEGINS, **begin},
                {"at": MEETS, **({"types": "ana"} if blind else {"show": volunteer})},
                {"at": MEETS + 0.3, "show": {}},
                {"at": ENDS, **end},
                {"at": OVER - 2, "show": volunteer},
            ],
            "decisions": [],
            "glances": [
                {"at": MEETS - 0.2, "phase": "READY" if fault is Reason.DISK_FULL else "FAULT"},
                {"at": MEETS + 0.2, "phase": "REFER", "amber": "on", "green": "off", "red": "off"},
                {"at": ENDS - 0.1, "phase": "FAULT", "amber": "slow", "green": "off"},
                {"at": OVER - 2.1, "phase": "READY", "amber": "off"},
                {"at": OVER - 1.8, "phase": "GRANTED", "green": "on"},
            ],
            "until": OVER,
        }
    )
    folder = tmp_path_factory.mktemp("played")
    played = play(prepare(site, scenario), folder, watchers=[systemctl.systemd], beat=systemctl.systemd.beat)

    assert [glance.named for glance in scenario.glances] == played.glances
    assert [] == played.unjustified_green
    assert [("fault", fault.value, None, None)] == [line for line in played.decisions if line[0] == "fault"]
    assert ("refer", "out_of_order", 1, fault.value) in played.decisions
    assert ("granted", "match", 2, None) == played.decisions[-1]
    assert ["READY", f"FAULT {fault.value}", "READY"] == systemctl.statuses()
    assert f"fault_over {fault.value}" in played.other_rows
    if fault is not Reason.DISK_FULL:  # which itself found no room
        assert ("fault", fault.value, None, None) in played.recorded


def test_a_clock_far_ahead_purges_nothing(site: Site) -> None:
    """A battery that failed may say 2040: badges, consents and rows of today are not past their date."""
    enrolled = site.enrol("ana")
    with closing(open_journal(site.config, create=True)) as journal:
        journal.append(Entry(int(time.time()), "start"))
    with App(site.config, clock=VirtualClock(time.time() + 5000 * DAY_S), until_end=True, camera=Film()) as app:
        app.run()
    with closing(open_vault(site.config)) as vault, closing(open_journal(site.config)) as journal:
        assert [(enrolled.handle, Status.VOLUNTEER)] == [(entry.handle, entry.status) for entry in vault.entries()]
        rows = list(journal.rows())
    assert ["start", "start", "decision", "stop"] == [row.kind for row in rows]
    assert all(abs(row.at - time.time()) < DAY_S for row in rows)


class Film(ScriptedCamera):
    """Two seconds of an empty entrance, at the tests' 15 frames a second."""

    def __init__(self) -> None:
        super().__init__(blank())
        self._left = 30

    def read(self) -> Image:
        self._left -= 1
        if self._left < 0:
            raise EndOfFrames
        return super().read()


def test_dead_lamps(site: Site, systemctl: Systemctl, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`signals_lost`: nobody at the lamps can see it, so the journal and systemd say it; and it heals."""
    scenario = Scenario.model_validate(
        {
            "title": "signals",
            "config": {"gate": {"hold": {"refer_s": 1}}},
            "people": {"dan": {"kind": "diary"}},
            "events": [
                {"at": 2, "cut": ["green"]},
                {"at": 3, "types": "dan"},
                {"at": 3.2, "press": "diary"},
                {"at": 9, "joined": ["green"]},
            ],
            "decisions": [],
            "glances": [{"at": 8, "phase": "FAULT", "amber": "slow"}, {"at": 13, "phase": "READY", "amber": "off"}],
            "until": 14,
        }
    )
    stage = prepare(site, scenario)
    played = play(stage, tmp_path_factory.mktemp("played"), watchers=[systemctl.systemd], beat=systemctl.systemd.beat)
    assert [glance.named for glance in scenario.glances] == played.glances
    assert ("fault", "signals_lost", None, None) in played.recorded
    assert "fault_over signals_lost" in played.other_rows
    assert ["READY", "FAULT signals_lost", "READY"] == systemctl.statuses()


def test_no_models(site: Site, systemctl: Systemctl, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`models_missing` cannot heal by itself: a technician installs a pack; until then a person decides."""
    scenario = Scenario.model_validate(
        {
            "title": "models",
            "config": {"faces": {"pack": "auto"}},
            "people": {"ana": {"kind": "volunteer"}},
            "models_missing": True,
            "events": [{"at": 2, "types": "ana"}],
            "decisions": [],
            "glances": [{"at": 1, "phase": "FAULT", "amber": "slow"}, {"at": 3, "phase": "REFER", "amber": "on"}],
            "until": 4,
        }
    )
    stage = prepare(site, scenario)
    played = play(stage, tmp_path_factory.mktemp("played"), watchers=[systemctl.systemd], beat=systemctl.systemd.beat)
    assert [glance.named for glance in scenario.glances] == played.glances
    assert ("fault", "models_missing", None, None) in played.recorded
    assert ("refer", "out_of_order", 1, "models_missing") in played.recorded
    assert ["FAULT models_missing"] == systemctl.statuses()


class Phases:
    """Port `Observer`: where the gate stands now."""

    def __init__(self) -> None:
        self.now: StateNote | None = None

    def note(self, note: Note) -> None:
        if isinstance(note, StateNote):
            self.now = note

    def shows(self, phase: Phase, *faults: Reason) -> bool:
        return self.now is not None and (phase, frozenset(faults)) == (self.now.phase, self.now.faults)


def in_background(app: App, *acts: Callable[[], object]) -> list[BaseException]:
    """Do these one after the other in another thread (the databases are the loop's), then stop the gate. What goes
    wrong is in the list once the gate has stopped."""
    failed: list[BaseException] = []

    def hands() -> None:
        try:
            for act in acts:
                act()
        except BaseException as error:
            failed.append(error)
        finally:
            app.stop()

    threading.Thread(target=hands, daemon=True).start()
    return failed


def test_a_reader_that_is_unplugged_and_comes_back(site: Site, systemctl: Systemctl, tmp_path: Path) -> None:
    """`reader_lost` with a real serial line: amber, its name, and READY when it is there again; of two readers the
    other goes on working."""
    line = tmp_path / "scanner"
    readers = [{"kind": "serial", "device": str(line)}, {"kind": "qr", "decoder": "zxing"}]
    site.configure(camera={"pace": "real"}, badges={"readers": readers})
    phases = Phases()

    def plug() -> tuple[int, int]:
        ours, theirs = os.openpty()
        line.unlink(missing_ok=True)
        line.symlink_to(os.ttyname(theirs))
        return ours, theirs

    ends = plug()

    def unplug() -> None:
        for end in ends:
            os.close(end)
        line.unlink()

    def plug_again() -> None:
        nonlocal ends
        ends = plug()

    with App(site.config, observers=[systemctl.systemd, phases], beat=systemctl.systemd.beat) as app:
        failed = in_background(
            app,
            lambda: wait_for(lambda: phases.shows(Phase.READY)),
            unplug,
            lambda: wait_for(lambda: phases.shows(Phase.FAULT, Reason.READER_LOST)),
            plug_again,
            lambda: wait_for(lambda: phases.shows(Phase.READY)),
        )
        app.run()
    for end in ends:
        os.close(end)
    assert [] == failed
    assert ["READY", "FAULT reader_lost", "READY"] == systemctl.statuses()
    with closing(open_journal(site.config)) as journal:
        rows = [(row.kind, row.reason) for row in journal.rows()]
    assert [("start", ""), ("decision", "reader_lost"), ("fault_over", "reader_lost"), ("stop", "")] == rows


class SlowDecoder:
    """Port `Decoder`: finds nothing, and hangs while it is told to."""

    name = "slow"

    def __init__(self) -> None:
        self.going = threading.Event()
        self.going.set()

    def decode(self, grey: Image, now: float) -> list[str]:
        self.going.wait()
        return []


def test_a_decoder_that_hangs_is_a_lost_reader(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that looks ready and reads no badge would be the worst of faults: it is named, and heals."""
    decoder, phases = SlowDecoder(), Phases()
    monkeypatch.setattr("edgegate.adapters.decoder", lambda *args: decoder)
    monkeypatch.setattr("edgegate.pace.HANGS_AFTER_S", 0.5)
    site.configure(camera={"pace": "real"})
    with App(site.config, observers=[phases]) as app:
        failed = in_background(
            app,
            lambda: wait_for(lambda: phases.shows(Phase.READY)),
            decoder.going.clear,
            lambda: wait_for(lambda: phases.shows(Phase.FAULT, Reason.READER_LOST)),
            decoder.going.set,
            lambda: wait_for(lambda: phases.shows(Phase.READY)),
        )
        app.run()
    assert [] == failed
