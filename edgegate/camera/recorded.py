"""Recordings in the place of a camera: a folder of pictures, by name, or a video file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import cv2
import numpy as np

from edgegate.errors import EdgeGateError, EndOfFrames, PhotoRefused
from edgegate.images import MAX_PIXELS, SUFFIXES, read_image
from edgegate.model import Image

log = logging.getLogger(__name__)

# FFmpeg writes to stderr by itself; what matters is said here, in one line (-8 is its word for quiet).
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class FramesCamera:
    """Port `Camera` over a folder: every picture once, in the order of their names.

    A picture that cannot be read is named in the log and passed over.
    """

    live = False

    def __init__(self, folder: Path) -> None:
        self.name = f"frames:{folder}"
        self._folder = folder
        self._waiting: list[Path] = []

    def open(self) -> None:
        try:
            files = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise EdgeGateError(
                f"cannot be listed ({error.strerror})", where=str(self._folder), next="correct camera.source"
            ) from None
        if not files:
            raise EdgeGateError(
                "holds no picture",
                where=str(self._folder),
                next="put JPEG or PNG files there, or correct camera.source",
            )
        self._waiting = files[::-1]

    def read(self) -> Image:
        while self._waiting:
            path = self._waiting.pop()
            try:
                return read_image(path)
            except PhotoRefused as error:
                log.warning("passed over: %s", error)
            except EdgeGateError as error:
                log.warning("passed over: %s", error)
        raise EndOfFrames

    def close(self) -> None:
        self._waiting = []


class VideoCamera:
    """Port `Camera` over a video file, every frame once."""

    live = False

    def __init__(self, file: Path) -> None:
        self.name = f"video:{file}"
        self._file = file
        self._capture: cv2.VideoCapture | None = None
        self._expected = self._read = 0

    def open(self) -> None:
        self.close()
        if not self._file.is_file():
            raise EdgeGateError("is no file", where=str(self._file), next="correct camera.source")
        capture = cv2.VideoCapture(str(self._file))
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < width * height <= MAX_PIXELS:
            capture.release()
            raise EdgeGateError(
                "is not a video that can be read", where=str(self._file), next="use an MP4, AVI or MKV file that plays"
            )
        self._capture, self._read = capture, 0
        self._expected = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self) -> Image:
        ok, image = self._capture.read() if self._capture is not None else (False, None)
        if not ok or image is None:
            if 0 < self._read < self._expected:
                log.warning("%s: ends after %d of %d frames", self._file, self._read, self._expected)
                self._expected = 0
            raise EndOfFrames
        self._read += 1
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None
