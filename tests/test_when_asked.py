"""`camera.open: when-asked` in the whole gate, on the machine's clock: a volunteer's badge alone opens the camera."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np

from edgegate.adapters import open_journal
from edgegate.app import App
from edgegate.camera.scripted import ScriptedCamera
from edgegate.faces.fake_engine import draw_face
from edgegate.model import Image, Reason
from edgegate.ports import DecisionNote, Note, StateNote
from edgegate.state import Phase
from tests.conftest import HEIGHT, WIDTH, Site, blank

PATIENCE_S = 20.0
HOLD = {"granted_s": 0.5, "refer_s": 0.5}


class WatchedCamera(ScriptedCamera):
    """Counts what is done to it: `o` opened, `r` a picture read, `c` closed."""

    def __init__(self, scene: Image) -> None:
        super().__init__(scene)
        self.did = ""

    def open(self) -> None:
        self.did += "o"
        super().open()

    def read(self) -> Image:
        self.did += "r"
        return super().read()

    def close(self) -> None:
        self.did += "c"
        super().close()

    @property
    def is_open(self) -> bool:
        return self.did.rfind("o") > self.did.rfind("c")


class Watcher:
    """Port `Observer`: what was decided, and where the gate stands."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []
        self.phase: Phase | None = None
        self.faults: frozenset[Reason] = frozenset()

    def note(self, note: Note) -> None:
        if isinstance(note, DecisionNote):
            self.reasons.append(note.reason)
        elif isinstance(note, StateNote):
            self.phase, self.faults = note.phase, note.faults


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)
    assert happened()


def play(site: Site, camera: WatchedCamera, watcher: Watcher, act: Callable[[Callable[[str], None]], None]) -> None:
    """Run the gate, let `act` type badges into its reader, and stop it."""
    ours, theirs = os.pipe()
    failed: list[BaseException] = []

    def type_in(text: str) -> None:
        os.write(theirs, text.encode() + b"\n")

    def hands() -> None:
        try:
            wait_for(lambda: watcher.phase is Phase.READY)
            act(type_in)
        except BaseException as error:
            failed.append(error)
        finally:
            app.stop()
            os.close(theirs)

    site.configure(
        camera={"pace": "real", "open": "when-asked"}, badges={"readers": [{"kind": "stdin"}]}, gate={"hold": HOLD}
    )
    with (
        os.fdopen(ours, "rb") as lines,
        App(site.config, camera=camera, observers=[watcher], lines=lines) as app,
    ):
        thread = threading.Thread(target=hands)
        thread.start()
        app.run()
        thread.join()
    assert [] == failed


def ana() -> Image:
    """Ana stands before the camera."""
    picture = blank()
    draw_face(picture, "ana", (WIDTH - 110) // 2, (HEIGHT - 110) // 2, 110)
    return np.asarray(picture, np.uint8)


def test_it_is_open_while_a_volunteer_is_looked_at(site: Site) -> None:
    """Closed before, open for the look, closed again after the decision; a diary badge does not open it."""
    volunteer, diary = site.enrol("ana"), site.enrol(None)
    camera, watcher = WatchedCamera(ana()), Watcher()

    def act(type_in: Callable[[str], None]) -> None:
        for _ in range(2):
            watcher.reasons.clear()
            type_in(diary.text)
            wait_for(lambda: watcher.reasons == [Reason.NOT_ENROLLED])
            assert not camera.is_open
            before = camera.did.count("r")
            type_in(volunteer.text)
            wait_for(lambda: watcher.reasons == [Reason.NOT_ENROLLED, Reason.MATCH])
            assert camera.did.count("r") > before
            wait_for(lambda: not camera.is_open)
            wait_for(lambda: watcher.phase is Phase.READY)

    play(site, camera, watcher, act)
    assert not camera.is_open


def test_one_that_does_not_open_is_lost_and_heals(site: Site) -> None:
    """The volunteer is referred, the gate says why, and looks every second, without a picture, whether it is back."""
    volunteer = site.enrol("ana")
    camera, watcher = WatchedCamera(ana()), Watcher()

    def act(type_in: Callable[[str], None]) -> None:
        camera.unplugged = True
        type_in(volunteer.text)
        wait_for(lambda: Reason.OUT_OF_ORDER in watcher.reasons)
        wait_for(lambda: watcher.phase is Phase.FAULT)
        assert watcher.faults == {Reason.CAMERA_LOST}
        time.sleep(1.5)
        assert watcher.faults == {Reason.CAMERA_LOST}
        camera.unplugged = False
        wait_for(lambda: watcher.phase is Phase.READY)
        assert "r" not in camera.did
        wait_for(lambda: not camera.is_open)
        type_in(volunteer.text)
        wait_for(lambda: Reason.MATCH in watcher.reasons)

    play(site, camera, watcher, act)
    with closing(open_journal(site.config)) as journal:
        rows = [(row.kind, row.reason, row.detail) for row in journal.rows()]
    assert 1 == rows.count(("decision", "camera_lost", ""))
    assert ("decision", "out_of_order", "camera_lost") in rows
