"""The contracts between the gate and everything it touches. `tests/contracts` holds one suite for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from edgegate.model import (
    Credential,
    Decision,
    Detail,
    Image,
    Look,
    Reason,
    Unsealed,
    Vector,
    Verdict,
)
from edgegate.state import HintKind, Lights, Phase


class Camera(Protocol):
    """One source of pictures. Only one thread uses it."""

    name: str
    live: bool
    """True for a camera that has to keep moving; False for recordings, which may repeat a picture."""

    def open(self) -> None:
        """Raises CameraLost when there is nothing to open (yet), EdgeGateError when there never will be."""
        ...

    def read(self) -> Image:
        """The next picture, (height, width, 3) BGR uint8, in memory of its own: whoever gets it overwrites it in the
        end. Raises CameraLost or, for recordings, EndOfFrames."""
        ...

    def close(self) -> None:
        """Gives the device back; may be called twice."""
        ...


class Decoder(Protocol):
    """Finds codes in one picture."""

    name: str

    def decode(self, grey: Image, now: float) -> list[str]:
        """Texts of the codes in a (height, width) uint8 picture taken at `now` (monotonic seconds)."""
        ...


class Reader(Protocol):
    """A badge reader that is no camera. Only one thread uses it; each text it gives is an act of its own."""

    name: str
    endless: bool
    """True for a device, whose `read` returns within about half a second; False for a stream of lines, whose `read`
    waits as long as it takes, and which has an end."""

    def open(self) -> None:
        """Raises ReaderLost when there is nothing to open (yet), EdgeGateError when there never will be."""
        ...

    def read(self) -> str:
        """The next text, or an empty one when none came within about half a second (a stream of lines may wait
        longer). Raises ReaderLost when the device is gone, EndOfCodes when a stream has ended."""
        ...

    def close(self) -> None:
        """Gives the device back, to the keyboard it may be; may be called twice."""
        ...


class BadgeBook(Protocol):
    """Tells a badge from everything else."""

    def recognises(self, text: str) -> bool:
        """Has this text the form of a badge of ours?"""
        ...

    def verify(self, text: str) -> Credential | Detail | None:
        """The credential when the signature holds; the `Detail` of what is forged; None for a text too long
        to be a badge. Dates are not judged here."""
        ...

    def plain(self, text: str, *, typed: bool) -> Credential | None:
        """The unsigned credential of a legacy number, where the gate allows them and this can be one."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face found in a picture: box (x, y, width, height) in pixels, detector score, five points or None.

    Points are (5, 2): left eye, right eye, nose, left and right mouth corner, as the viewer sees them.
    """

    box: tuple[float, float, float, float]
    score: float
    points: Vector | None = field(default=None, repr=False)

    @property
    def width(self) -> float:
        return self.box[2]


class FaceEngine(Protocol):
    """A detector and a recogniser."""

    metric: str
    """`cosine` or `distance` (score = 1 - Euclidean distance); higher is closer with either."""
    dimensions: int

    def detect(self, image: Image) -> list[Face]:
        """All faces of a BGR picture, largest first."""
        ...

    def embed(self, image: Image, face: Face) -> Vector:
        """Embedding of one of them, shape (dimensions,), float32, finite; cosine engines give unit length."""
        ...


class LivenessVerdict(StrEnum):
    """What the looks of one presentation say so far."""

    LIVE = "live"
    UNSURE = "unsure"
    """Too few looks yet, too little to tell, or a cue against it."""
    SPOOF = "spoof"


class Cue(StrEnum):
    """What speaks against a live face whatever the engine says."""

    EDGES_FOLLOW = "edges_follow"
    """Straight edges beside the face move with it: the rim of a print, or a screen."""
    BADGE_FOLLOWS = "badge_follows"
    """The badge's code moves as one surface with the face."""


@dataclass(frozen=True, slots=True)
class LivenessResult:
    """What the looks of a presentation say together. `score` is their mean, 0 (attack) to 1 (live); None without any
    answer."""

    verdict: LivenessVerdict
    score: float | None = field(repr=False)
    answers: int
    """Looks to which the engine had an answer."""
    unanswered: int = 0
    cues: frozenset[Cue] = frozenset()


class LivenessEngine(Protocol):
    """Judges one picture by itself."""

    name: str
    live_at: float
    """From this mean score on, a presentation is live."""
    spoof_below: float
    """Below this one it is an attack; what lies between is unsure."""
    needs_points: bool
    """True where a face without its five points gets no answer."""

    def score(self, image: Image, face: Face) -> float | None:
        """0 (attack) to 1 (live) for one face of a BGR picture; None where this picture gives no answer: the face too
        near its edge, or not found well enough."""
        ...


class Liveness(Protocol):
    """The liveness side of one presentation."""

    def begin(self) -> None:
        """From here until `end`, looks are taken together."""
        ...

    def look(self, image: Image, face: Face) -> LivenessResult:
        """One more look at the face that is compared: what all of them say so far."""
        ...

    def end(self) -> None:
        """Wipes what was kept of the pictures; may be called twice."""
        ...


class Faces(Protocol):
    """The face side of one presentation: 1:1, one template at a time."""

    pack_id: str

    def begin(self, unsealed: Unsealed) -> None:
        """From here until `end`, `look` compares with this one template, which is taken over."""
        ...

    def look(self, image: Image) -> Look: ...

    def end(self) -> None:
        """Wipes template and probes; may be called twice."""
        ...


class Signals(Protocol):
    """Lights, buzzer and buttons."""

    def show(self, lights: Lights) -> None:
        """Drive every output to the pattern. Raises SignalsLost."""
        ...

    def check(self) -> None:
        """Are the rhythms still going? Raises SignalsLost when an output has stopped answering since `show`."""
        ...

    def levels(self) -> dict[str, str]:
        """What each output is told to do: `on`, `off` or a rhythm's name."""
        ...

    def safe(self) -> None:
        """Every output to its fault value, without rhythm."""
        ...

    def close(self) -> None:
        """`safe`, then give the pins back; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class StateNote:
    """The gate stands somewhere else now, or its faults changed."""

    phase: Phase
    verdict: Verdict | None
    faults: frozenset[Reason]


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """A decision was made and recorded. `latency_ms` is computing time; waiting for the camera is not in it."""

    presentation: int | None
    decision: Decision
    reason: Reason
    detail: str | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class SignalNote:
    """The lights changed; `levels` as `Signals.levels`."""

    lights: Lights
    levels: dict[str, str]


@dataclass(frozen=True, slots=True)
class HintNote:
    """A word to the student."""

    kind: HintKind


Note: TypeAlias = StateNote | DecisionNote | SignalNote | HintNote


class Observer(Protocol):
    """Is told what the gate does; can change nothing, and must not raise."""

    def note(self, note: Note) -> None: ...
