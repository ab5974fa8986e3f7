"""Plays the acts one after the other: watches what the gate says, presses buttons, changes the scene."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from edgegate.camera.scene import Scene
from edgegate.clock import Clock
from edgegate.demo.acts import Act
from edgegate.errors import EndOfFrames
from edgegate.model import Button
from edgegate.ports import DecisionNote, HintNote, Note, StateNote
from edgegate.state import Phase

PATIENCE_S = 30.0
PRESS_AFTER_S = 0.6
UNPLUGGED_S = 1.5
PAUSE_S = 2.1
"""Between two acts; longer than `Rules.again_after_s`, so that the same badge counts anew."""


@dataclass(slots=True)
class Result:
    """What came of an act."""

    act: Act
    got: list[str] = field(default_factory=list)
    face_work: int = 0
    """Calls of detector and recogniser while the act was on."""
    decisions: list[DecisionNote] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return tuple(self.got) == self.act.expected and (self.face_work > 0) == self.act.volunteer


class Director:
    """Port `Observer`; `direct` gives the camera its scene. Both may be called from different threads."""

    def __init__(self, play: list[Act], clock: Clock, announce: Callable[[int, Act], None]) -> None:
        self.results = [Result(act) for act in play]
        self._clock, self._announce = clock, announce
        self._lock = threading.RLock()
        self._index, self._since = -1, clock.monotonic()
        self._showing = False
        self._asked_at: float | None = None
        """When the gate first asked the supervisor for something, or decided."""
        self._pressed = False
        self._phase = Phase.READY
        self._work_before = 0
        self.face_work: Callable[[], int] = lambda: 0
        self.press: Callable[[Button], None] = lambda button: None
        self.unplug: Callable[[bool], None] = lambda out: None
        self.arm: Callable[[], None] = lambda: None

    def note(self, note: Note) -> None:
        with self._lock:
            if isinstance(note, StateNote):
                self._phase = note.phase
                if note.phase is Phase.CONFIRMING:
                    self._asked_at = self._clock.monotonic()
            if not 0 <= self._index < len(self.results):
                return
            result = self.results[self._index]
            if isinstance(note, DecisionNote):
                result.got.append(note.reason.value)
                result.decisions.append(note)
                self._asked_at = self._asked_at or self._clock.monotonic()
            elif isinstance(note, HintNote):
                result.got.append(note.kind.value)

    def direct(self) -> Scene:
        """The scene at this moment. Raises EndOfFrames when the play is over."""
        with self._lock:
            now = self._clock.monotonic()
            if not self._showing:
                if now - self._since >= PAUSE_S and self._phase is Phase.READY:
                    self._next(now)
                return self.results[self._index].act.scene if self._showing else Scene()
            result = self.results[self._index]
            act = result.act
            if act.press and not self._pressed and self._asked_at and now - self._asked_at > PRESS_AFTER_S:
                self._pressed = True
                self.press(act.press)
            if act.unplug and now - self._since > UNPLUGGED_S:
                self.unplug(False)
            under_way = self._phase in (Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING)
            over = len(result.got) >= len(act.expected) and not under_way
            if act.press and not self._pressed:
                over = False
            if (over and now - self._since > UNPLUGGED_S) or now - self._since > PATIENCE_S:
                self._showing, self._since = False, now
                result.face_work = self.face_work() - self._work_before
            return act.scene

    def _next(self, now: float) -> None:
        self._index += 1
        if self._index == len(self.results):
            raise EndOfFrames
        act = self.results[self._index].act
        self._work_before = self.face_work()
        self._showing, self._since, self._asked_at, self._pressed = True, now, None, False
        self._announce(self._index + 1, act)
        if act.unplug:
            self.unplug(True)
        if act.arm:
            self.arm()
