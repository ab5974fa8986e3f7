"""The face stage of the gate: one frame in, one word out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from edgegate.faces.choice import GATE, chosen, same_place
from edgegate.faces.comparison import Comparison
from edgegate.faces.quality import Quality, assess
from edgegate.model import Image, Look, Unsealed, Vector
from edgegate.ports import Face, FaceEngine, Liveness, LivenessVerdict

log = logging.getLogger(__name__)

BEGINNINGS = 3
"""In one presentation. Each is a fresh try, which the mean of many looks is not: who went on moving would match by
chance more often than the threshold says."""
_LOOK_OF = {
    LivenessVerdict.LIVE: Look.MATCH,
    LivenessVerdict.UNSURE: Look.UNSURE,
    LivenessVerdict.SPOOF: Look.SPOOF,
}
"""What a look at a face that matches is, by its liveness."""


class CountedEngine:
    """Port `FaceEngine` around another, counting its calls: what proves that no face work ran is a zero here."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.metric, self.dimensions = engine.metric, engine.dimensions
        self.detections = 0
        self.embeddings = 0

    def detect(self, image: Image) -> list[Face]:
        self.detections += 1
        return self._engine.detect(image)

    def embed(self, image: Image, face: Face) -> Vector:
        self.embeddings += 1
        return self._engine.embed(image, face)


@dataclass(frozen=True, slots=True)
class Fit:
    """The face of a picture that may be compared, and what its look is worth."""

    face: Face
    quality: Quality


def find(image: Image, engine: FaceEngine) -> Fit | Look:
    """The face that the gate would compare, or why it would compare none."""
    faces = engine.detect(image)
    if not faces:
        return Look.NO_FACE
    face = chosen(faces, image, GATE)
    if face is None:
        return Look.SEVERAL_FACES
    quality = assess(image, face)
    return quality.fault if quality.fault is not None and quality.weight == 0 else Fit(face, quality)


class FaceLook:
    """Port `Faces`: detector, choice, quality, liveness where it is asked for, recogniser, fusion."""

    def __init__(self, engine: FaceEngine, pack_id: str, threshold: float, liveness: Liveness | None = None) -> None:
        self._engine, self._threshold, self._liveness = engine, threshold, liveness
        self.pack_id = pack_id
        self._comparison: Comparison | None = None
        self._alive = LivenessVerdict.LIVE
        self._last: Face | None = None
        """The face compared last in this presentation."""
        self._beginnings = 0

    def begin(self, unsealed: Unsealed) -> None:
        self.end()
        self._comparison = Comparison(unsealed, self._engine.metric, self._threshold)
        self._last, self._beginnings = None, 1
        if self._liveness is not None:
            self._liveness.begin()
            self._alive = LivenessVerdict.UNSURE

    def look(self, image: Image) -> Look:
        if self._comparison is None:
            raise RuntimeError("no presentation under way")
        found = find(image, self._engine)
        if isinstance(found, Look):
            return found
        face, quality = found.face, found.quality
        if self._last is not None and not same_place(self._last, face):
            if self._beginnings == BEGINNINGS:
                return Look.SEVERAL_FACES
            self._restart(self._comparison)
        self._last = face
        # One face for liveness and comparison: none is shown for the one and another for the other.
        probe = self._engine.embed(image, face)
        alone = self._liveness is not None and self._comparison.alone(probe)
        matched = self._comparison.add(probe, quality.weight)
        if self._liveness is not None:
            self._alive = self._judged(self._liveness, image, face) if alone else self._doubted
        # A face that is hardly fit may match; that it does not is no reason to accuse anybody.
        return _LOOK_OF[self._alive] if matched else quality.fault or Look.BELOW

    def _restart(self, comparison: Comparison) -> None:
        """Somebody else stands there now: nothing that was seen of the one before speaks for them."""
        self._beginnings += 1
        comparison.restart()
        if self._liveness is not None:
            self._liveness.end()
            self._liveness.begin()
            self._alive = LivenessVerdict.UNSURE

    def _judged(self, liveness: Liveness, image: Image, face: Face) -> LivenessVerdict:
        """What liveness says of a face that matches by itself.

        Others are not asked: probes are fused, and somebody could hold up a picture until it matches, then show a face
        of their own that lives, while what was fused matches still.
        """
        try:
            return liveness.look(image, face).verdict
        except Exception as error:
            # Native code may choke on a strange picture.
            log.error("liveness: a frame could not be judged (%s)", type(error).__name__)
            return self._doubted

    @property
    def _doubted(self) -> LivenessVerdict:
        """Without an answer nobody is live, and a suspicion stands."""
        return LivenessVerdict.SPOOF if self._alive is LivenessVerdict.SPOOF else LivenessVerdict.UNSURE

    def end(self) -> None:
        if self._comparison is not None:
            self._comparison.wipe()
            self._comparison = None
        self._last = None
        if self._liveness is not None:
            self._liveness.end()
