"""Keeps the newest frame of a camera, and knows when it cannot be trusted.

`pump` is called by one thread (or, with recordings played fast, by the loop itself); `newest` and `faults`
by the loop.
"""

from __future__ import annotations

import logging
import threading
import zlib

from edgegate.clock import Clock
from edgegate.errors import CameraLost
from edgegate.model import Frame, Reason
from edgegate.ports import Camera

log = logging.getLogger(__name__)

LOST_AFTER_S = 2.0
"""Without a picture for this long, a camera that is open counts as lost."""
STALE_AFTER_S = 2.0
"""The same picture for this long: the driver repeats itself (opencv issues 5221, 14044)."""


class CameraFeed:
    """One camera and its newest frame."""

    def __init__(self, camera: Camera, clock: Clock) -> None:
        self._camera, self._clock = camera, clock
        self._lock = threading.Condition()
        self._newest: Frame | None = None
        self._count = 0
        self._open = self._lost = False
        self._moved_at = self._arrived_at = clock.monotonic()
        self._checksum: int | None = None
        self.ended = False
        """A recording has played to its end; its silence is no fault."""

    @property
    def name(self) -> str:
        return self._camera.name

    def open(self) -> bool:
        """Open the camera unless it is open. False (and the fault `camera_lost`) when it is not there yet;
        what can never be opened, such as a folder without pictures, raises EdgeGateError."""
        if self._open:
            return True
        try:
            self._camera.open()
        except CameraLost as error:
            if not self._lost:
                log.error("camera lost: %s", error)
            self._lost = True
            return False
        if self._lost:
            log.warning("camera back: %s", self._camera.name)
        now = self._clock.monotonic()
        with self._lock:
            self._open, self._lost, self._arrived_at, self._moved_at = True, False, now, now
        return True

    def pump(self) -> Frame | None:
        """Read one picture and make it the newest. None when the camera is lost; EndOfFrames passes through."""
        try:
            image = self._camera.read()
        except CameraLost as error:
            log.error("camera lost: %s", error)
            self._camera.close()
            with self._lock:
                self._open, self._lost, self._newest = False, True, None
                self._lock.notify_all()
            return None
        # Every fourth pixel tells a repeated picture as well as all of them, in a sixteenth of the time.
        checksum = zlib.crc32(image[::4, ::4].tobytes())
        with self._lock:
            now = self._clock.monotonic()
            if checksum != self._checksum:
                self._checksum, self._moved_at = checksum, now
            self._arrived_at = now
            self._count += 1
            self._newest = Frame(self._count, now, image)
            self._lock.notify_all()
            return self._newest

    def newest(self, after: int = 0, timeout_s: float = 0.0) -> Frame | None:
        """The newest frame if its number is above `after`, waiting for one up to `timeout_s` seconds."""
        with self._lock:
            if timeout_s > 0:
                self._lock.wait_for(lambda: self._newest is not None and self._newest.number > after, timeout_s)
            frame = self._newest
            return frame if frame is not None and frame.number > after else None

    def faults(self, now: float) -> frozenset[Reason]:
        """What is wrong with the camera at this moment."""
        with self._lock:
            if self.ended:
                return frozenset()
            if self._lost or now - self._arrived_at > LOST_AFTER_S:
                return frozenset({Reason.CAMERA_LOST})
            if self._camera.live and now - self._moved_at >= STALE_AFTER_S:
                return frozenset({Reason.CAMERA_STALE})
            return frozenset()

    def close(self) -> None:
        """Forget the newest frame and give the camera back."""
        with self._lock:
            self._open, self._newest = False, None
        self._camera.close()
