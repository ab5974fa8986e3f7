"""A network camera that speaks RTSP, through OpenCV and FFmpeg: over TCP, without waiting for more than one picture.

The address may carry a name and a password: it is handed to FFmpeg and to nobody else.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import cv2

from edgegate.camera.capture import OPEN_S, READ_S, Asked, Capture

# Sound would be read for nothing; to measure the rate before the first picture takes 1.5 s, without it the camera opens
# in 0.1 s [measured].
OPTIONS = (
    "rtsp_transport;tcp|allowed_media_types;video|fflags;nobuffer|flags;low_delay|max_delay;0"
    "|fpsprobesize;0|analyzeduration;1000000"
)
_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class RtspCamera(Capture):
    """Port `Camera` over an address `rtsp://[name:password@]host[:port]/path`. Size and rate are set in the camera;
    what comes is compared with what the configuration asks for."""

    cure = "check its power and network"

    def __init__(self, address: str, width: int, height: int, fps: float) -> None:
        name = f"rtsp://{urlsplit(address).hostname}/…"
        mend = "choose another stream of the camera, or set it in its own menu"
        super().__init__(name, Asked(width, height, fps), mend=mend)
        self._address = address

    def start(self) -> cv2.VideoCapture:
        # One thread: every other one would hold back a picture.
        settings = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: OPEN_S * 1000,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: READ_S * 1000,
            cv2.CAP_PROP_N_THREADS: 1,
        }
        capture = self._open([part for pair in settings.items() for part in pair])
        if not capture.isOpened():
            capture.release()
            raise self.lost("does not answer with pictures", "check its power, network, name and password")
        return capture

    def _open(self, settings: list[int]) -> cv2.VideoCapture:
        """FFmpeg's own options come to it through the environment only. They would spoil a video file, so they stand
        there no longer than needed; they are overwritten, since to remove them would move what other threads read."""
        own = os.environ.get(_VARIABLE, "")
        os.environ[_VARIABLE] = own or OPTIONS
        try:
            return cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, settings)
        finally:
            os.environ[_VARIABLE] = own
