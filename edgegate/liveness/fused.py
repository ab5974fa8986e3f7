"""The looks of one presentation, taken together: live, unsure or spoof."""

from __future__ import annotations

from edgegate.liveness.cues import Cues
from edgegate.model import Image
from edgegate.ports import Face, LivenessEngine, LivenessResult, LivenessVerdict

MIN_LOOKS = 5
"""Answers from which a presentation may be called live or spoof; with fewer, the cues see too little move
(docs/liveness.md). About half a second."""


class FusedLiveness:
    """Port `Liveness`: the mean of the engine's scores, and the cues, which may only speak against.

    Live needs all of: enough answers, a mean at the threshold or above, no cue, and an answer to the newest look that
    is no spoof by itself. Without the last, somebody could show a live face first and the picture after it.
    """

    def __init__(self, engine: LivenessEngine, *, min_looks: int = MIN_LOOKS, with_cues: bool = True) -> None:
        self._engine, self._min_looks, self._with_cues = engine, min_looks, with_cues
        self._cues: Cues | None = None
        self._sum = 0.0
        self._answers = self._unanswered = 0

    def begin(self) -> None:
        self.end()
        self._cues = Cues() if self._with_cues else None

    def look(self, image: Image, face: Face) -> LivenessResult:
        score = self._engine.score(image, face)
        if score is None:
            self._unanswered += 1
        else:
            self._sum += score
            self._answers += 1
        if self._cues is not None:
            self._cues.add(image, face.box)
        return self._result(score)

    def end(self) -> None:
        if self._cues is not None:
            self._cues.wipe()
            self._cues = None
        self._sum, self._answers, self._unanswered = 0.0, 0, 0

    def _result(self, newest: float | None) -> LivenessResult:
        engine = self._engine
        mean = self._sum / self._answers if self._answers else None
        cues = self._cues.raised if self._cues is not None else frozenset()
        verdict = LivenessVerdict.UNSURE
        if mean is not None and self._answers >= self._min_looks:
            if mean < engine.spoof_below:
                verdict = LivenessVerdict.SPOOF
            elif mean >= engine.live_at and newest is not None and newest >= engine.spoof_below and not cues:
                verdict = LivenessVerdict.LIVE
        return LivenessResult(verdict, mean, self._answers, self._unanswered, cues)
