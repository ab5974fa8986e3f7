"""The contracts between the gate and everything it touches. `tests/contracts` holds one suite for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from edgegate.model import (
    Consent,
    Credential,
    Decision,
    Detail,
    Image,
    Look,
    Reason,
    Standing,
    Template,
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
        """The next picture, (height, width, 3) BGR uint8. Raises CameraLost or, for recordings, EndOfFrames."""
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


class Faces(Protocol):
    """The face side of one presentation: 1:1, one template at a time."""

    pack_id: str

    def begin(self, template: Template) -> None:
        """From here until `end`, `look` compares with this template; it takes the template over."""
        ...

    def look(self, image: Image) -> Look: ...

    def end(self) -> None:
        """Wipes template and probes; may be called twice."""
        ...


class Vault(Protocol):
    """Sealed templates, statuses and consents, each under its badge's handle."""

    def standing(self, credential: Credential) -> Standing: ...

    def unseal(self, credential: Credential, pack_id: str) -> Template:
        """The template of this badge. Raises TemplateUnreadable."""
        ...

    def enrol(
        self,
        credential: Credential,
        *,
        card_number: str,
        template: Template | None,
        consent: Consent | None,
    ) -> bytes:
        """Keep a volunteer's badge (template and consent) or a diary badge (neither). Returns the handle.

        A plain badge has no card number (empty), and its `issued` is the moment of enrolment.
        """
        ...

    def find(self, who: str) -> Standing:
        """By card number or handle (hexadecimal, 12 digits at least). Raises EdgeGateError when not one."""
        ...

    def handle_of(self, badge_id: bytes) -> bytes: ...

    def revoke(self, handle: bytes) -> None:
        """Refuse this badge from now on; its template is gone at once."""
        ...

    def erase(self, handle: bytes) -> None:
        """Forget everything but what is needed to refuse the badge until it expires by itself."""
        ...

    def entries(self) -> list[Standing]: ...

    def purge(self, now: int) -> int:
        """Drop what is past its date. Returns how many rows changed."""
        ...

    def locked(self) -> bool:
        """Is the gate in lockdown? Kept over restarts."""
        ...

    def set_locked(self, on: bool) -> None: ...

    def close(self) -> None: ...


CLOCK_ACCEPTED = "clock_accepted"
"""The kind of the entry by which somebody vouches for the clock: times before it no longer count."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line for the journal. The handle becomes a daily pseudonym before anything is written."""

    at: int
    kind: str
    decision: str = ""
    reason: str = ""
    detail: str = ""
    presentation: int = 0
    handle: bytes | None = field(default=None, repr=False)
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line as the journal keeps it. `hash` covers the row and the hash before it."""

    seq: int
    at: int
    gate: str
    kind: str
    decision: str
    reason: str
    detail: str
    presentation: int
    pseudonym: str
    latency_ms: float
    hash: bytes


@dataclass(frozen=True, slots=True)
class KnownTime:
    """The latest time among the rows since somebody last accepted the clock (UTC seconds; 0 without rows), and the
    sequence number of that acceptance (0: never)."""

    at: int
    accepted: int


class Journal(Protocol):
    """The append-only record."""

    def append(self, entry: Entry) -> int:
        """Keep an entry for good before returning its sequence number. Raises StoreError, DiskFull."""
        ...

    def rows(self, last: int | None = None) -> Iterator[Row]:
        """Rows in order; only the `last` so many if given."""
        ...

    def verify(self) -> int:
        """Walk the whole chain. Returns the number of rows; raises EdgeGateError naming the first bad row."""
        ...

    def purge(self, before: int) -> int:
        """Drop rows older than `before` (UTC seconds) without breaking the chain. Returns how many."""
        ...

    def known_time(self) -> KnownTime:
        """The newest time it bears witness to."""
        ...

    def close(self) -> None: ...


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
