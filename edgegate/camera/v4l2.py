"""A USB or built-in camera through Video4Linux2 and OpenCV."""

from __future__ import annotations

import logging
from os import R_OK, W_OK, access
from pathlib import Path
from typing import Literal, TypeAlias

import cv2

from edgegate.camera.capture import Asked, Capture
from edgegate.errors import CameraLost
from edgegate.files import exists
from edgegate.model import Image

log = logging.getLogger(__name__)

Format: TypeAlias = Literal["auto", "mjpeg", "yuyv"]
MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_LETTERS = {"mjpeg": "MJPG", "yuyv": "YUYV"}


class V4l2Camera(Capture):
    """Port `Camera` over a device: `/dev/video0`, or `/dev/v4l/by-id/…`, whose number may move, as it is looked up
    whenever the camera is opened.

    `auto` asks for MJPEG first: over USB 2 it is what carries 720p at 15 frames a second. A camera that refuses it,
    or promises it and gives no picture, is asked for YUYV.
    """

    def __init__(self, device: str, width: int, height: int, fps: float, format: Format = "auto") -> None:
        asked = Asked(width, height, fps, _LETTERS.get(format, ""))
        mend = f"`v4l2-ctl -d {device} --list-formats-ext` shows what it can do: set camera.width, height, fps, format"
        super().__init__(f"v4l2:{device}", asked, mend=mend)
        self._device = device
        self._formats = [asked.format] if asked.format else list(_LETTERS.values())

    def start(self) -> cv2.VideoCapture:
        device, asked = self._device, self._asked
        if not self._there():
            raise self.lost("is not there", "plug the camera in, or correct camera.source")
        if not access(device, R_OK | W_OK):
            raise self.lost("may not be opened", "add this user to the group `video`")
        capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise self.lost("does not open as a camera", f"is another program using it? `fuser -v {device}` tells")
        for letters in self._formats:
            code = cv2.VideoWriter.fourcc(*letters)
            capture.set(cv2.CAP_PROP_FOURCC, code)
            if capture.get(cv2.CAP_PROP_FOURCC) == code:
                break
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, asked.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, asked.height),
            (cv2.CAP_PROP_FPS, asked.fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            capture.set(key, value)
        if capture.get(cv2.CAP_PROP_FOURCC) == MJPG:
            # Decoded here, a broken picture is known as one; OpenCV's driver would show what lay in its memory.
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture

    def read(self) -> Image:
        try:
            return super().read()
        except CameraLost:
            formats = self._formats
            promised = self._capture is not None and self.given is not None and self.given.format == formats[0]
            if self._seen or not promised or len(formats) == 1 or not self._there():
                raise
            self._formats = formats[1:]
            try:
                self.open()
                image = super().read()
            except CameraLost:
                self._formats = formats  # it was not the format
                raise
            log.warning("%s: promises %s and gives no picture; %s does", self.name, formats[0], self.given)
            return image

    def _there(self) -> bool:
        """Does the name lead to a device? A stable one leads nowhere while the camera is away."""
        path = Path(self._device)
        return exists(path) and path.exists()
