"""The simulated camera: shows whatever it is told to, with the noise of a sensor."""

from __future__ import annotations

import cv2
import numpy as np

from edgegate.errors import CameraLost
from edgegate.model import Image

NOISE = 3.0
"""Standard deviation of the noise, in grey levels."""
_SHIFTS = 64


class Sensor:
    """The noise of a sensor: one large picture of it, cut out at a random place for every frame."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._noise = np.zeros((0, 0, 3), np.int16)

    def expose(self, scene: Image) -> Image:
        """The scene with noise, in a buffer of its own."""
        height, width = scene.shape[:2]
        if self._noise.shape[:2] != (height + _SHIFTS, width):
            self._noise = self._random.normal(0, NOISE, (height + _SHIFTS, width, 3)).astype(np.int16)
        top = int(self._random.integers(_SHIFTS))
        return np.asarray(cv2.add(scene, self._noise[top : top + height], dtype=cv2.CV_8U), np.uint8)


class ScriptedCamera:
    """Port `Camera`. `scene` is what stands before it; `frozen`, `dark` (a covered lens) and `unplugged` are its
    faults.

    Another thread may change them between two reads.
    """

    live = True

    def __init__(self, scene: Image, *, seed: int = 0) -> None:
        self.name = "demo"
        self.scene = scene
        self.frozen = False
        self.dark = False
        self.unplugged = False
        self._open = False
        self._last: Image | None = None
        self._sensor = Sensor(np.random.default_rng(seed))

    def open(self) -> None:
        if self.unplugged:
            raise CameraLost("is not there", where=self.name, next="plug the camera in")
        self._open = True

    def read(self) -> Image:
        if self.unplugged or not self._open:
            self._open = False
            raise CameraLost("gives no more pictures", where=self.name, next="check its plug and cable")
        if self.frozen and self._last is not None:
            return self._last.copy()
        self._last = self._sensor.expose(np.zeros_like(self.scene) if self.dark else self.scene)
        return self._last.copy()

    def close(self) -> None:
        self._open = False
