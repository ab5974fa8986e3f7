"""How often attacks pass for live faces, and live faces for attacks, in the words of ISO/IEC 30107-3.

- PAIS: presentation attack instrument species, such as prints on matt paper.
- APCER: attack presentation classification error rate: the share of one species' attacks that are taken for bona fide.
  Species are never averaged: what counts is the one that passes most often.
- BPCER: bona fide presentation classification error rate: the share of bona fide presentations that are not.
- APNRR, BPNRR: the shares of presentations that give no response at all (no face found, no answer of the engine). They
  do not count in APCER and BPCER.

The gate opens for `live` only: whoever is `unsure` is classified as an attack here, and sent to the supervisor there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from edgegate.liveness.fused import FusedLiveness
from edgegate.model import Image
from edgegate.ports import Cue, Face, LivenessEngine, LivenessVerdict
from edgegate.rates import Rate, independent

MAX_LOOKS = 30
"""What the gate sees of one presentation: three seconds, ten looks in each."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One source judged. `scores` has one entry for each frame read, None where there was no response to it."""

    scores: tuple[float | None, ...]
    verdict: LivenessVerdict | None = None
    """Of the whole presentation; None for a single picture, and without any response."""
    cues: frozenset[Cue] = frozenset()


def judge(
    frames: Iterable[Image],
    find_face: Callable[[Image], Face | None],
    engine: LivenessEngine,
    *,
    with_cues: bool = True,
    sequence: bool = True,
) -> Outcome:
    """Show frames as the gate sees them, `MAX_LOOKS` at most. A presentation that was live once is let pass; the scores
    of its other frames are taken all the same."""
    alone = _Alone(engine)
    fused = FusedLiveness(alone, with_cues=with_cues and sequence)
    fused.begin()
    verdict, cues = None, frozenset[Cue]()
    for image in islice(frames, MAX_LOOKS):
        face = find_face(image)
        if face is None:
            alone.scores.append(None)
        elif verdict is LivenessVerdict.LIVE:
            alone.score(image, face)
        else:
            result = fused.look(image, face)
            verdict, cues = (result.verdict if result.answers else None), result.cues
    fused.end()
    return Outcome(tuple(alone.scores), verdict if sequence else None, cues)


class _Alone:
    """Port `LivenessEngine` around another, keeping what it says of each frame."""

    def __init__(self, engine: LivenessEngine) -> None:
        self._engine = engine
        self.name, self.needs_points = engine.name, engine.needs_points
        self.live_at, self.spoof_below = engine.live_at, engine.spoof_below
        self.scores: list[float | None] = []

    def score(self, image: Image, face: Face) -> float | None:
        self.scores.append(self._engine.score(image, face))
        return self.scores[-1]


@dataclass(slots=True)
class Tally:
    """The outcomes of bona fide presentations, or of one species."""

    frames: int = 0
    frames_answered: int = 0
    frames_live: int = 0
    presentations: int = 0
    verdicts: Counter[LivenessVerdict] = field(default_factory=Counter)
    cues: Counter[Cue] = field(default_factory=Counter)

    def add(self, outcome: Outcome, live_at: float, *, sequence: bool) -> None:
        """Count one source."""
        answered = [score for score in outcome.scores if score is not None]
        self.frames += len(outcome.scores)
        self.frames_answered += len(answered)
        self.frames_live += sum(score >= live_at for score in answered)
        if sequence:
            self.presentations += 1
            self.cues.update(outcome.cues)
            if outcome.verdict is not None:
                self.verdicts[outcome.verdict] += 1

    @property
    def responses(self) -> int:
        return self.verdicts.total()

    def taken_for_live(self) -> tuple[Rate, Rate]:
        """APCER by frame and by presentation, if these are attacks."""
        return (
            independent(self.frames_live, self.frames_answered),
            independent(self.verdicts[LivenessVerdict.LIVE], self.responses),
        )

    def taken_for_attack(self) -> tuple[Rate, Rate]:
        """BPCER by frame and by presentation, if these are bona fide."""
        return (
            independent(self.frames_answered - self.frames_live, self.frames_answered),
            independent(self.responses - self.verdicts[LivenessVerdict.LIVE], self.responses),
        )

    def no_response(self) -> tuple[Rate, Rate]:
        """APNRR or BPNRR, by frame and by presentation."""
        return (
            independent(self.frames - self.frames_answered, self.frames),
            independent(self.presentations - self.responses, self.presentations),
        )
