"""What liveness says, and the contracts it is said by: one engine for a picture, one fusion for a presentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from edgegate.model import Image
from edgegate.ports import Face


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
