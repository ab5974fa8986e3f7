"""What the cameras behind OpenCV's VideoCapture share: reading, and what was given compared with what was asked."""

from __future__ import annotations

import io
import logging
import math
import os
import time
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from edgegate.errors import CameraLost
from edgegate.memory import Wiped
from edgegate.model import Image

log = logging.getLogger(__name__)

READ_S = 3
"""A read that gives no picture for this long has failed. Some cameras need two seconds for their first."""
OPEN_S = 5
MAX_PIXELS = 4096 * 4096
"""The largest picture that the configuration may ask for."""

# OpenCV and FFmpeg write to stderr by themselves, a line for every try; what matters is said here, in one (-8 is
# FFmpeg's word for quiet). The time-out of V4L2 is 10 s unless this says otherwise; it is read once.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_S))
if hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):  # not in the OpenCV of every Jetson
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, slots=True)
class Given:
    """What a camera was set to, as its driver says: size in pixels, pictures per second (0: it does not say), and
    the four letters of its pixel format (empty: unknown)."""

    width: int
    height: int
    fps: float
    format: str = ""

    def __str__(self) -> str:
        rate = f" at {self.fps:g} fps" if self.fps else ""
        return f"{self.width} x {self.height}{rate}" + (f", {self.format}" if self.format else "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the configuration wants of a camera; an empty format takes any."""

    width: int
    height: int
    fps: float
    format: str = ""

    def differs(self, given: Given) -> bool:
        """Is the picture smaller or larger, the rate lower by a tenth or more, or the format another one?"""
        slow = 0 < given.fps < 0.9 * self.fps
        other = bool(self.format) and self.format != given.format
        return (self.width, self.height) != (given.width, given.height) or slow or other

    @property
    def pause_s(self) -> float:
        """Pictures that come sooner than this after the last are left out: of a camera that is too fast by half or
        more, only what was asked for is decoded."""
        return 0.55 / self.fps

    def __str__(self) -> str:
        return str(Given(self.width, self.height, self.fps, self.format))


class Mismatch:
    """Says in the log that a camera gives something else than was asked, once for each other thing it gives."""

    def __init__(self, name: str, next: str) -> None:
        self._name, self._next = name, next
        self._said: Given | None = None

    def check(self, asked: Asked, given: Given) -> None:
        if given != self._said and asked.differs(given):
            self._said = given
            log.warning("%s: gives %s instead of %s; %s", self._name, given, asked, self._next)


class Capture:
    """Port `Camera` over cv2.VideoCapture; a subclass says in `start` how it is opened."""

    live = True
    cure = "check its plug and cable"
    """What to do about a camera that is lost."""
    given: Given | None = None
    """What the driver gave; None before it was opened for the first time."""

    def __init__(self, name: str, asked: Asked, *, mend: str) -> None:
        """`mend` says in a warning what to do when the camera cannot do what was asked."""
        self.name = name
        self._asked = asked
        self._mismatch = Mismatch(name, mend)
        self._capture: cv2.VideoCapture | None = None
        self._seen = False
        self._kept_at = -math.inf

    def start(self) -> cv2.VideoCapture:
        """Open the device or address. Raises CameraLost when that fails, EdgeGateError when it always will."""
        raise NotImplementedError

    def open(self) -> None:
        self.close()
        capture = self.start()
        self._capture, self._seen = capture, False
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._learn(
            Given(
                max(0, int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))),
                max(0, int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))),
                round(fps, 2) if math.isfinite(fps) and 0 < fps < 1000 else 0.0,
                four_letters(capture.get(cv2.CAP_PROP_FOURCC)),
            )
        )

    def read(self) -> Image:
        start = time.monotonic()
        while (image := self._next()) is None:
            if time.monotonic() - start > READ_S:
                raise self.lost("gives broken pictures only")
        self._judge(image)
        return image

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def lost(self, what: str, next: str = "") -> CameraLost:
        """The error that says so of this camera."""
        return CameraLost(what, where=self.name, next=next or self.cure)

    def _next(self) -> Image | None:
        """The next picture, None if it is broken. Raises CameraLost when none comes.

        One dimension less is a JPEG that a subclass has asked to get as it is.
        """
        capture = self._capture
        if capture is None:
            raise self.lost("is closed")
        try:
            if not self._seen:
                self._grab(capture)  # the first picture after a start is often broken or black
            self._grab(capture)
            while time.monotonic() - self._kept_at < self._asked.pause_s:
                self._grab(capture)
            self._kept_at = time.monotonic()
            ok, found = capture.retrieve()
            image: NDArray[Any] | None = found if ok else None
            if image is not None and image.ndim == 2:
                with Wiped() as wiped:
                    image = _decoded(wiped(image))
        except cv2.error:
            raise self.lost("fails in the middle of a picture") from None
        if image is None or image.ndim != 3 or image.shape[2] != 3:
            return None
        return np.asarray(image, np.uint8)

    def _grab(self, capture: cv2.VideoCapture) -> None:
        if not capture.grab():
            raise self.lost("gives no more pictures")

    def _judge(self, image: Image) -> None:
        """The first picture shows the true size; any later change means that the device was set anew."""
        assert self.given is not None
        height, width = image.shape[:2]
        if (width, height) == (self.given.width, self.given.height):
            self._seen = True
        elif self._seen or width * height > MAX_PIXELS:
            raise self.lost(f"gives a picture of {width} x {height} pixels all at once", "see what else uses it")
        else:
            self._seen = True
            self._learn(replace(self.given, width=width, height=height))

    def _learn(self, given: Given) -> None:
        self.given = given
        self._mismatch.check(self._asked, given)


def _decoded(jpeg: NDArray[Any]) -> Image | None:
    """The picture of a JPEG; None when it is broken. Its size is read first: a header may claim 5 GB of pixels."""
    copy = io.BytesIO(jpeg.data)
    with Wiped() as wiped:
        wiped(np.frombuffer(copy.getbuffer(), np.uint8))
        try:
            with Pil.open(copy, formats=("JPEG",)) as header:
                if header.width * header.height > MAX_PIXELS:
                    return None
        except Exception:
            # Pillow has many words for a file that is no picture.
            return None
    image = cv2.imdecode(jpeg.reshape(-1), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, np.uint8)


def four_letters(code: float) -> str:
    """A FOURCC as text: 1196444237.0 is MJPG; empty when it is none."""
    if not 0 < code < 2**32:
        return ""
    text = int(code).to_bytes(4, "little").decode("ascii", "replace")
    return text.strip() if text.isprintable() and text.isascii() else ""
