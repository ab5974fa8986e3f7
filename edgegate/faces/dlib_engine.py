"""dlib: HOG detector, five-point shape predictor, ResNet descriptor (128 dimensions, not of unit length)."""

from __future__ import annotations

import cv2
import dlib
import numpy as np

from edgegate.errors import EdgeGateError
from edgegate.faces.comparison import NO_NUMBERS, usable
from edgegate.faces.pack import Pack
from edgegate.memory import Wiped
from edgegate.model import Image, Vector
from edgegate.ports import Face

DETECT_PX = 640
"""Longest side given to the detector, whose smallest face is about 80 pixels wide; 84 ms at this size."""
MIN_PX = 40
"""A picture whose shorter side is less at that size holds no face."""
MIN_SCORE = 0.2
"""Below it, edges of a badge's code pass for faces; those of the test photographs score 0.21 and more."""


class DlibEngine:
    """Port `FaceEngine`. The files were verified by the caller."""

    metric = "distance"
    dimensions = 128

    def __init__(self, pack: Pack) -> None:
        try:
            self._detector = dlib.get_frontal_face_detector()
            self._shape = dlib.shape_predictor(str(pack.detector))
            self._where = str(pack.recogniser)
            self._net = dlib.face_recognition_model_v1(str(pack.recogniser))
        except RuntimeError:
            raise EdgeGateError(
                f"the models of pack {pack.name} cannot be loaded", where=str(pack.folder), next="install them again"
            ) from None

    def detect(self, image: Image) -> list[Face]:
        """Largest first; looks again at full size where the reduced picture shows nobody."""
        scale = min(1.0, DETECT_PX / max(image.shape[:2]))
        if min(image.shape[:2]) * scale < MIN_PX:
            return []
        faces = self._detect(image, scale)
        if not faces and scale < 1.0:
            faces = self._detect(image, min(1.0, 2 * scale))
        return sorted(faces, key=lambda face: -face.width)

    def embed(self, image: Image, face: Face) -> Vector:
        """Raises EdgeGateError when the model gives no numbers, or zeros only."""
        left, top, width, height = (round(value) for value in face.box)
        with Wiped() as wiped:
            rgb = wiped(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            shape = self._shape(rgb, dlib.rectangle(left, top, left + width, top + height))
            descriptor = self._net.compute_face_descriptor(rgb, shape)
            vector = np.asarray(descriptor, np.float32)
            for place in range(self.dimensions):
                descriptor[place] = 0.0
        if not usable(vector):
            raise EdgeGateError(NO_NUMBERS, where=self._where, next="install the pack again, or choose another")
        return vector

    def _detect(self, image: Image, scale: float) -> list[Face]:
        with Wiped() as wiped:
            rgb = wiped(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            if scale < 1.0:
                rgb = wiped(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
            boxes, scores, _ = self._detector.run(rgb, 0, MIN_SCORE)
        return [
            Face((box.left() / scale, box.top() / scale, box.width() / scale, box.height() / scale), float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
