"""The face stage of the gate: one frame in, one word out."""

from __future__ import annotations

from edgegate.faces.comparison import Comparison
from edgegate.faces.quality import GATE_MIN_SHARPNESS, GATE_MIN_WIDTH, RIVAL, rivals, sharpness
from edgegate.model import Image, Look, Unsealed, Vector
from edgegate.ports import Face, FaceEngine


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


class FaceLook:
    """Port `Faces`: detector, quality, recogniser, fusion."""

    def __init__(self, engine: FaceEngine, pack_id: str, threshold: float) -> None:
        self._engine, self._threshold = engine, threshold
        self.pack_id = pack_id
        self._comparison: Comparison | None = None

    def begin(self, unsealed: Unsealed) -> None:
        self.end()
        self._comparison = Comparison(unsealed, self._engine.metric, self._threshold)

    def look(self, image: Image) -> Look:
        if self._comparison is None:
            raise RuntimeError("no presentation under way")
        faces = self._engine.detect(image)
        if not faces:
            return Look.NO_FACE
        if rivals(faces, RIVAL):
            return Look.SEVERAL_FACES
        if faces[0].width < GATE_MIN_WIDTH or sharpness(image, faces[0]) < GATE_MIN_SHARPNESS:
            return Look.POOR_QUALITY
        matched = self._comparison.add(self._engine.embed(image, faces[0]))
        return Look.MATCH if matched else Look.BELOW

    def end(self) -> None:
        if self._comparison is not None:
            self._comparison.wipe()
            self._comparison = None
