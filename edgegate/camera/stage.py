"""The simulated camera of a gate with people: port `Camera` over a changing `Scene`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain, cycle, repeat

import cv2
import numpy as np
import segno

from edgegate.camera.people import NAMES, portrait
from edgegate.camera.scene import Scene, compose
from edgegate.camera.scripted import ScriptedCamera
from edgegate.model import Image

WIFI = "WIFI:T:WPA;S:guests;P:welcome;;"


class StageCamera(ScriptedCamera):
    """Asks `direct` for the scene before every picture, and whenever it is opened; `direct` may unplug the camera
    and plug it in again, and raises EndOfFrames when the play is over."""

    def __init__(self, direct: Callable[[], Scene], width: int, height: int, *, seed: int = 0) -> None:
        super().__init__(np.zeros((height, width, 3), np.uint8), seed=seed)
        self._direct, self._size = direct, (width, height)
        self._dice = np.random.default_rng(seed)

    def open(self) -> None:
        self._direct()
        super().open()

    def read(self) -> Image:
        scene = self._direct()
        if not self.frozen:
            self.scene = compose(scene, *self._size, self._dice)
        return super().read()


def passers_by(width: int, height: int) -> StageCamera:
    """For `camera.source: demo`: people walk by, some with a code that is no badge. Nobody of them is enrolled."""
    wifi = code_image(WIFI)

    def scenes() -> Iterator[Scene]:
        for name in cycle(NAMES):
            yield from chain(
                repeat(Scene(), 30),
                repeat(Scene((portrait(name),)), 45),
                repeat(Scene((portrait(name),), wifi, "phone"), 45),
            )

    play = scenes()
    return StageCamera(lambda: next(play), width, height)


def code_image(text: str) -> Image:
    """Any text as a QR code picture."""
    out = io.BytesIO()
    segno.make(text, error="m", boost_error=False, micro=False).save(out, kind="png", scale=8, border=4)
    image = cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("not a picture")
    return np.asarray(image, np.uint8)
