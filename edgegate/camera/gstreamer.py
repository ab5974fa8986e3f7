"""A camera behind a GStreamer pipeline, such as a Jetson's CSI camera (`nvarguscamerasrc`), through OpenCV.

The OpenCV of PyPI is built without GStreamer; Debian's is built with it. It must be 4.7 or newer: older ones know no
time limit. Tried with Debian trixie's 4.10 and `videotestsrc`; never run on a Jetson.
"""

from __future__ import annotations

import logging
import re

import cv2

from edgegate.camera.capture import OPEN_S, READ_S, Asked, Capture
from edgegate.errors import EdgeGateError

log = logging.getLogger(__name__)

SINK = "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"
_NEWEST_ONLY = ("drop=(true|1)", "max-buffers=1")


class GstreamerCamera(Capture):
    """Port `Camera` over a pipeline that ends in an `appsink`. Size and rate are the pipeline's own affair; what
    comes out is compared with what the configuration asks for."""

    def __init__(self, pipeline: str, width: int, height: int, fps: float) -> None:
        # A pipeline may carry a password: only its first element is ever shown.
        name = f"gstreamer:{pipeline.split(maxsplit=1)[0] if pipeline.strip() else ''} ! …"
        mend = "set both in the pipeline and in camera.width, height, fps"
        super().__init__(name, Asked(width, height, fps), mend=mend)
        self._pipeline = pipeline
        self._warned = False

    def start(self) -> cv2.VideoCapture:
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise EdgeGateError(
                "this OpenCV is built without GStreamer",
                where=self.name,
                next="put an OpenCV that has it into EdgeGate's environment (docs/deploy.md), or use v4l2:/dev/video0",
            )
        sink = re.search(r"\bappsink\b(.*)", self._pipeline)
        if sink is None:
            raise EdgeGateError("the pipeline has no appsink", where=self.name, next=f"let it end in `{SINK}`")
        if not self._warned and not all(re.search(rf"\b{option}\b", sink[1]) for option in _NEWEST_ONLY):
            self._warned = True
            log.warning("%s: without `drop=true max-buffers=1` the appsink keeps old pictures; add them", self.name)
        limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_S * 1000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_S * 1000)
        capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER, limits)
        # A pipeline with a part that is missing, or without pictures, "opens" after 40 s, without a size [4.10].
        if not capture.isOpened() or capture.get(cv2.CAP_PROP_FRAME_WIDTH) <= 0:
            capture.release()
            raise self.lost("the pipeline does not start", "try it with `gst-launch-1.0`, with fakesink for appsink")
        return capture
