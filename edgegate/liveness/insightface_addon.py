"""InsightFace's liveness add-on: one model over a face aligned by its five points.

The package's own code aligns, refuses a face whose surroundings lie outside the picture, and checks the answer. It
would also download the weights by itself; here they come from a pack, hashed, and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence

from insightface.addons.liveness import DEFAULT_THRESHOLD, Liveness

from edgegate.errors import EdgeGateError
from edgegate.liveness.session import session
from edgegate.liveness.settings import Settings, Thresholds
from edgegate.model import Image
from edgegate.ports import Face

THRESHOLDS = Thresholds(live=DEFAULT_THRESHOLD, spoof=0.2)
"""The first is its authors'. The second is ours, and was never measured."""


class InsightfaceAddonEngine:
    """Port `LivenessEngine`. The bytes were hashed by the caller."""

    needs_points = True

    def __init__(self, settings: Settings, models: Sequence[bytes]) -> None:
        thresholds = settings.thresholds or THRESHOLDS
        self.name = settings.name
        self.live_at, self.spoof_below = thresholds.live, thresholds.spoof
        file = settings.models[0].file
        try:
            (data,) = models
            self._model = Liveness(file, session=session(data), threshold=self.live_at)
        except Exception as error:
            # Graphs of another kind fail in onnxruntime and insightface with errors of each.
            raise EdgeGateError(
                f"the model of pack {settings.name} is not the liveness add-on ({type(error).__name__})",
                where=file,
                next="import the pack again, or choose another",
            ) from None

    def score(self, image: Image, face: Face) -> float | None:
        if face.points is None:
            return None
        try:
            found = self._model.predict(image, face.points)
        except RuntimeError:
            # Points that cannot be aligned, or an answer that is no probability.
            return None
        return None if found["live_score"] is None else float(found["live_score"])
