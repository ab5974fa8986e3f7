"""A Raspberry Pi's CSI camera through libcamera and Picamera2.

Written after Picamera2 0.3 and its manual, and never run on a board: the library needs libcamera of Raspberry Pi OS.
Its Debian package (python3-picamera2) is not on PyPI in a form that installs by itself, so it is imported only when
this camera is opened.
"""

from __future__ import annotations

import importlib
import logging
import os
from contextlib import suppress
from typing import Any

import numpy as np

from edgegate.camera.capture import READ_S, Asked, Given, Mismatch
from edgegate.errors import CameraLost, EdgeGateError
from edgegate.model import Image

FORMAT = "RGB888"
"""libcamera names formats from the highest byte down: in memory this is blue, green, red."""


class Picamera2Camera:
    """Port `Camera` over the CSI camera of this number, 0 or 1."""

    live = True

    def __init__(self, number: int, width: int, height: int, fps: float) -> None:
        self.name = f"picamera2:{number}"
        self.given: Given | None = None
        """What the camera was set to; None before it was opened for the first time."""
        self._number, self._asked = number, Asked(width, height, fps)
        self._mismatch = Mismatch(self.name, "set camera.width and height to what `rpicam-hello --list-cameras` shows")
        self._camera: Any = None

    def open(self) -> None:
        self.close()
        library = self._library()
        # To ask first is not only polite: every attempt to open a camera that is not there leaks a pipe.
        if self._number >= len(library.global_camera_info()):
            raise self._lost("is not there", "check the ribbon cable, both ends, and `rpicam-hello --list-cameras`")
        asked, frame_us = self._asked, round(1e6 / self._asked.fps)
        try:
            self._camera = library(self._number)
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": (asked.width, asked.height), "format": FORMAT},
                    controls={"FrameDurationLimits": (frame_us, frame_us)},
                    queue=False,  # a picture taken after it was asked for, not one that waited
                )
            )
            self._camera.start()
            width, height = self._camera.camera_configuration()["main"]["size"]
        except Exception as error:
            # libcamera's errors come as RuntimeError, IndexError and others; all mean that there are no pictures.
            self.close()
            raise self._lost(f"does not start ({type(error).__name__})", "is another program using it?") from None
        self.given = Given(width, height, 0.0, FORMAT)
        self._mismatch.check(asked, self.given)

    def read(self) -> Image:
        if self._camera is None:
            raise self._lost("is closed", "check the ribbon cable")
        try:
            image = self._camera.capture_array("main", wait=False).get_result(timeout=READ_S)
        except Exception as error:
            # A time-out, or whatever libcamera says when its camera goes away.
            raise self._lost(f"gives no more pictures ({type(error).__name__})", "check the ribbon cable") from None
        return np.ascontiguousarray(image, np.uint8)

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            with suppress(Exception):  # it may be gone, and closing is all that is left to do
                camera.close()

    def _library(self) -> Any:
        """The class Picamera2."""
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
        logging.getLogger("picamera2").setLevel(logging.CRITICAL)  # it says in several lines what is said here in one
        try:
            return importlib.import_module("picamera2").Picamera2
        except ModuleNotFoundError:
            what = "Picamera2 is not installed for this Python"
        except Exception as error:
            # Its compiled parts fail in their own ways beside another numpy (picamera2 issue 1088).
            what = f"Picamera2 cannot be imported ({type(error).__name__})"
        raise EdgeGateError(
            what,
            where=self.name,
            next="run `apt install python3-picamera2`, and make EdgeGate's environment with --system-site-packages",
        )

    def _lost(self, what: str, next: str) -> CameraLost:
        return CameraLost(what, where=self.name, next=next)
