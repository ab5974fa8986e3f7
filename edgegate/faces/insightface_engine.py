"""SCRFD and an ArcFace-type recogniser through the insightface package and onnxruntime, on the CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.model_zoo.scrfd import SCRFD

from edgegate.errors import EdgeGateError
from edgegate.faces.align import norm_crop
from edgegate.faces.comparison import NO_NUMBERS, usable
from edgegate.faces.exposure import relit
from edgegate.faces.pack import Pack
from edgegate.memory import Wiped
from edgegate.model import Image, Vector
from edgegate.ports import Face

DETECT_PX = 640
"""Longest side given to the detector."""
STRIDE = 32
MIN_PX = 16
"""A picture whose shorter side is less at that size holds no face."""
MIN_SCORE = 0.5


class InsightfaceEngine:
    """Port `FaceEngine`. The files were verified by the caller."""

    metric = "cosine"

    def __init__(self, pack: Pack, threads: int = 0) -> None:
        self.dimensions = pack.manifest.recogniser.dimensions
        try:
            self._detector = SCRFD(
                str(pack.detector), session=_session(str(pack.detector), threads), static_shape_sessions=False
            )
            self._recogniser = ArcFaceONNX(str(pack.recogniser), session=_session(str(pack.recogniser), threads))
            width = self._recogniser.output_shape[-1]
        except Exception as error:
            # Graphs of another kind fail in onnx, onnxruntime and insightface with errors of each.
            raise EdgeGateError(
                f"the models of pack {pack.name} cannot be loaded ({type(error).__name__})",
                where=str(pack.folder),
                next="import the pack again, or choose another",
            ) from None
        wrong = "the detector finds no five points" if not self._detector.use_kps else ""
        wrong = f"the recogniser gives {width} numbers" if width != self.dimensions else wrong
        if wrong:
            raise EdgeGateError(
                f"the models of pack {pack.name} are not what its manifest says: {wrong}",
                where=str(pack.folder),
                next="correct pack.yaml, or choose another pack",
            )
        self._detector.det_thresh = MIN_SCORE
        self._where = str(pack.recogniser)

    def detect(self, image: Image) -> list[Face]:
        if min(image.shape[:2]) * DETECT_PX / max(image.shape[:2]) < MIN_PX:
            return []
        boxes, points = self._detector.detect(image, input_size=_input_size(image))
        faces = [
            Face((float(x1), float(y1), float(x2 - x1), float(y2 - y1)), float(score), np.asarray(five, np.float32))
            for (x1, y1, x2, y2, score), five in zip(boxes, points, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.width)

    def embed(self, image: Image, face: Face) -> Vector:
        """Raises EdgeGateError when the model gives no numbers, or zeros only."""
        if face.points is None:
            raise ValueError("a face without points cannot be aligned")
        with Wiped() as wiped:
            crop = wiped(relit(wiped(norm_crop(image, face.points, self._recogniser.input_size[0]))))
            vector = wiped(np.asarray(self._recogniser.get_feat(crop), np.float32)).ravel()
            if not usable(vector):
                raise EdgeGateError(NO_NUMBERS, where=self._where, next="import the pack again, or choose another")
            return vector / np.float32(np.linalg.norm(vector))


def _input_size(image: Image) -> tuple[int, int]:
    """(width, height) for the detector in the picture's own proportions: a square would be almost half empty."""
    height, width = image.shape[:2]
    scale = DETECT_PX / max(height, width)
    fit = [max(STRIDE, math.ceil(side * scale / STRIDE) * STRIDE) for side in (width, height)]
    return fit[0], fit[1]


class _Session(onnxruntime.InferenceSession):  # type: ignore[misc]  # onnxruntime has no types: its base is Any
    """Overwrites its inputs after each run: insightface makes them of the picture and hands them to nobody else."""

    def run(self, output_names: list[str], input_feed: Mapping[str, Any], run_options: Any = None) -> Any:
        with Wiped() as wiped:
            for blob in input_feed.values():
                wiped(blob)
            return super().run(output_names, input_feed, run_options)


def _session(path: str, threads: int) -> _Session:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return _Session(path, options, providers=["CPUExecutionProvider"])
