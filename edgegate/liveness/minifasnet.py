"""minivision's MiniFASNet by onnxruntime: the mean of models that see the face with more or less of what is around it.

Each model takes a crop of 80 x 80 pixels, BGR, 0..255, and gives three classes: live, and two kinds of attack. The crop
is the face box, widened about its middle (by 2.7 for V2, 4.0 for V1SE); near the picture's edge it is moved inside, and
where the picture is too small for it, it is widened less, as by its authors.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgegate.errors import EdgeGateError
from edgegate.liveness.session import session
from edgegate.liveness.settings import Settings, Thresholds
from edgegate.memory import Wiped
from edgegate.model import Image
from edgegate.ports import Face

THRESHOLDS = Thresholds(live=0.6, spoof=0.2)
"""docs/liveness.md has the measurements behind them."""
MIN_ROOM = 1.6
"""The picture must be so many times as high and wide as the face: with less around it, the models know less."""
MIN_PX = 40
"""A narrower face is more interpolation than picture once it is cut out."""

Box = tuple[float, float, float, float]


class MinifasnetEngine:
    """Port `LivenessEngine`. The bytes were hashed by the caller."""

    needs_points = False

    def __init__(self, settings: Settings, models: Sequence[bytes]) -> None:
        thresholds = settings.thresholds or THRESHOLDS
        self.name = settings.name
        self.live_at, self.spoof_below = thresholds.live, thresholds.spoof
        self._input, self._live = settings.input, settings.live_class
        self._models = [
            (model.scale, _load(settings, model.file, data))
            for model, data in zip(settings.models, models, strict=True)
        ]

    def score(self, image: Image, face: Face) -> float | None:
        if face.width < MIN_PX or _room(image, face.box) < MIN_ROOM:
            return None
        scores = [self._run(model, image, face.box, scale) for scale, model in self._models]
        middle = float(np.mean(scores))
        return middle if np.isfinite(middle) else None

    def _run(self, model: onnxruntime.InferenceSession, image: Image, box: Box, scale: float) -> float:
        top, bottom, left, right = crop_of(image, box, scale)
        with Wiped() as wiped:
            size = (self._input.size, self._input.size)
            crop = wiped(cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR))
            channels = crop if self._input.colour == "bgr" else crop[:, :, ::-1]
            planes = wiped(np.ascontiguousarray(channels.transpose(2, 0, 1)[None], np.float32))
            planes *= self._input.range / 255
            classes = np.asarray(model.run(None, {model.get_inputs()[0].name: planes})[0][0], np.float64)
        return float(_shares(classes)[self._live])


def crop_of(image: Image, box: Box, scale: float) -> tuple[int, int, int, int]:
    """Rows and columns (top, bottom, left, right) of the box widened about its middle, inside the picture."""
    height, width = image.shape[:2]
    x, y, w, h = box
    scale = min(scale, (width - 1) / w, (height - 1) / h)
    wide, high = w * scale, h * scale
    left = min(max(x + w / 2 - wide / 2, 0.0), width - 1 - wide)
    top = min(max(y + h / 2 - high / 2, 0.0), height - 1 - high)
    return int(top), int(top + high) + 1, int(left), int(left + wide) + 1


def _room(image: Image, box: Box) -> float:
    height, width = image.shape[:2]
    return min(width / box[2], height / box[3]) if box[2] > 0 and box[3] > 0 else 0.0


def _shares(classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities: some exports of the models end with a softmax, some do not; a second one would blur the first."""
    if classes.min() >= 0 and abs(classes.sum() - 1) < 1e-3:
        return classes
    powers = np.exp(classes - classes.max())
    return np.asarray(powers / powers.sum())


def _load(settings: Settings, file: str, data: bytes) -> onnxruntime.InferenceSession:
    try:
        loaded = session(data)
        takes = [tuple(each.shape[1:]) for each in loaded.get_inputs()]
        gives = [each.shape[-1] for each in loaded.get_outputs()]
    except Exception as error:
        # A file of another kind fails inside onnxruntime with errors of its own.
        raise EdgeGateError(
            f"the model of pack {settings.name} cannot be loaded ({type(error).__name__})",
            where=file,
            next="import the pack again, or choose another",
        ) from None
    size = settings.input.size
    if takes != [(3, size, size)] or len(gives) != 1 or not settings.live_class < int(gives[0]):
        raise EdgeGateError(
            f"the model of pack {settings.name} is not what its manifest says: it takes {takes}, gives {gives}",
            where=file,
            next="correct pack.yaml, or choose another pack",
        )
    return loaded
