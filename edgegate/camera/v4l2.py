"""A USB or built-in camera through Video4Linux2 and OpenCV."""

from __future__ import annotations

from os import R_OK, W_OK, access
from pathlib import Path

import cv2
import numpy as np

from edgegate.errors import CameraLost
from edgegate.files import exists
from edgegate.model import Image


class V4l2Camera:
    """Port `Camera`. MJPEG is asked for first: over USB 2 it is what carries 720p at 15 frames a second."""

    live = True

    def __init__(self, device: str, width: int, height: int, fps: float) -> None:
        self.name = f"v4l2:{device}"
        self._device, self._wanted = device, (width, height, fps)
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        self.close()
        if not exists(Path(self._device)):
            raise CameraLost("is not there", where=self._device, next="plug the camera in, or correct camera.source")
        if not access(self._device, R_OK | W_OK):
            raise CameraLost("may not be opened", where=self._device, next="add this user to the group `video`")
        width, height, fps = self._wanted
        capture = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        for key, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            capture.set(key, value)
        if not capture.isOpened():
            capture.release()
            raise CameraLost("does not open as a camera", where=self._device, next="is another program using it?")
        self._capture = capture

    def read(self) -> Image:
        ok, image = self._capture.read() if self._capture is not None else (False, None)
        if not ok or image is None:
            raise CameraLost("gives no more pictures", where=self._device, next="check its plug and cable")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None
