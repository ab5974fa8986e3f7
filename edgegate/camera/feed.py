"""Keeps the newest frame of a camera, and knows when it cannot be trusted.

One thread opens and pumps the camera (or, with recordings played fast, the loop itself); the loop asks for `newest`
and `faults`, and says with `want` whether anybody asks for pictures. Camera and values have a lock each, so that a
camera that hangs in the middle of a picture holds up neither the loop nor the end of the daemon.

A picture that nobody looks at any more is overwritten, and the newest one is not kept for longer than it can count.
"""

from __future__ import annotations

import logging
import threading
import zlib
from dataclasses import dataclass

from edgegate.camera.dark import Darkness
from edgegate.clock import Clock
from edgegate.errors import CameraLost, EdgeGateError
from edgegate.model import Frame, Image, Reason
from edgegate.ports import Camera

log = logging.getLogger(__name__)

LOST_AFTER_S = 2.0
"""Without a picture for this long, a camera that is asked for one counts as lost."""
STALE_AFTER_S = 2.0
"""The same picture for this long: the driver repeats itself (opencv issues 5221, 14044)."""
KEPT_S = 5.0
"""The newest picture is dropped when it is this old, also while no other comes."""
CLOSE_WAIT_S = 1.0
"""How long `close` waits for a read under way."""
_OLD = 2
"""Pictures that may be older than the moment they were asked for: one being read, one in the driver's buffer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Passing(Frame):
    """A frame whose picture is nobody else's (port `Camera`): it goes with the last of those who look at it, be they
    the loop or the reader's thread. 0.3 ms for 1280 x 720 [measured, x86-64]."""

    def __del__(self) -> None:
        self.image.fill(0)


class CameraFeed:
    """One camera and its newest frame.

    With `always=False` the camera is open only while `want(True)` holds. Closed by choice, it gives no frame and has
    no fault, except that one which did not open when it was asked for stays lost: it is then opened and closed again
    every second, without a picture being read, until that succeeds.
    """

    def __init__(self, camera: Camera, clock: Clock, *, always: bool = True) -> None:
        self._camera, self._clock, self._always = camera, clock, always
        self._device = threading.Lock()
        """Held while the camera is opened, read or closed."""
        self._lock = threading.Condition()
        """Held while what follows is looked at or changed."""
        self._wanted = always
        self._newest: Frame | None = None
        self._count = self._old = 0
        self._open = self._moved = self._closed = False
        self._lost: EdgeGateError | None = None
        self._moved_at = self._arrived_at = clock.monotonic()
        self._checksum: int | None = None
        self._darkness = Darkness()
        self._told: frozenset[Reason] = frozenset()
        self.ended = False
        """A recording has played to its end; its silence is no fault."""

    @property
    def name(self) -> str:
        return self._camera.name

    def want(self, on: bool) -> None:
        """Does anybody ask for pictures? Those of before are never given. Says nothing to a camera that is always
        open; cheap when nothing changes."""
        if self._always or on is self._wanted:
            return
        with self._lock:
            self._wanted, self._newest = on, None
            self._arrived_at = self._moved_at = self._clock.monotonic()
            self._old = _OLD if self._open else 0
            self._lock.notify_all()

    def wait_wanted(self, timeout_s: float) -> bool:
        """Is there a reason to `open` the camera: somebody asks, or it is lost? Waits up to `timeout_s` for one."""
        with self._lock:
            return self._lock.wait_for(lambda: self._wanted or self._lost is not None, timeout_s)

    def open(self) -> bool:
        """Open the camera unless it is open. False (and the fault `camera_lost`) when it is not there yet;
        what can never be opened, such as a folder without pictures, raises EdgeGateError.

        When nobody asks, it is only a look whether the camera is there: it is closed at once, and this is False.
        """
        with self._device:
            if self._closed:
                return False
            if not self._open:
                try:
                    self._camera.open()
                except EdgeGateError as error:
                    with self._lock:
                        self._lost = error
                    if isinstance(error, CameraLost):
                        return False
                    raise
                with self._lock:
                    self._open, self._moved = True, False
                    self._arrived_at = self._moved_at = self._clock.monotonic()
                    self._darkness = Darkness()
            with self._lock:
                if self._wanted:
                    return True
                self._lost = None
            self._give_back()
            return False

    def pump(self) -> Frame | None:
        """Read one picture and make it the newest. None when the camera is lost; EndOfFrames passes through."""
        with self._device:
            try:
                image = self._camera.read()
            except CameraLost as error:
                self._give_back()
                with self._lock:
                    self._lost = error
                return None
            finally:
                if self._closed:
                    self._camera.close()  # `close` came meanwhile and did not wait
        return self._keep(image)

    def _keep(self, image: Image) -> Frame:
        checksum = _checksum(image)
        with self._lock:
            now = self._clock.monotonic()
            if checksum != self._checksum or not self._camera.live:
                self._checksum, self._moved_at, self._moved = checksum, now, True
            if self._camera.live:
                self._darkness.saw(image, now)
            self._arrived_at, self._lost = now, None
            self._count += 1
            frame = _Passing(self._count, now, image)
            if self._old:
                self._old -= 1
            elif self._wanted and self._moved and not self._closed:
                # Not moved since it was opened: a decoder that fails may show again what lay in its memory.
                self._newest = frame
                self._lock.notify_all()
            return frame

    def rest(self) -> None:
        """Give the camera back until it is opened again."""
        with self._device:
            self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            self._open, self._newest = False, None
        self._camera.close()

    def newest(self, after: int = 0, timeout_s: float = 0.0) -> Frame | None:
        """The newest frame if its number is above `after`, waiting for one up to `timeout_s` seconds."""
        with self._lock:
            if timeout_s > 0:
                self._lock.wait_for(lambda: self._newest is not None and self._newest.number > after, timeout_s)
            frame = self._newest
            return frame if frame is not None and frame.number > after else None

    def excuse(self, seconds: float) -> None:
        """The loop has stood still for so long, and the whole program may have with it (a model that computes for
        seconds, a process that was stopped): silence in that time says nothing of the camera."""
        with self._lock:
            now = self._clock.monotonic()
            self._arrived_at = min(now, self._arrived_at + seconds)
            self._moved_at = min(now, self._moved_at + seconds)

    def faults(self, now: float) -> frozenset[Reason]:
        """What is wrong with the camera at this moment. Called by the loop at every turn, so it is also what logs
        each fault, once when it begins and once when it is over, even while a read hangs."""
        with self._lock:
            faults, lost = self._faults(now), self._lost
        said = {
            Reason.CAMERA_LOST: str(lost),
            Reason.CAMERA_STALE: f"{self.name}: repeats one picture; unplug it and plug it in again",
            Reason.CAMERA_DARK: f"{self.name}: sees nothing; uncover and clean the lens, or light the entrance",
        }
        for reason in sorted(faults - self._told):
            log.error("%s: %s", reason.value, said[reason], extra={"fault": reason.value})
        for reason in sorted(self._told - faults):
            log.warning("%s: over", reason.value, extra={"fault": reason.value})
        self._told = faults
        return faults

    def _faults(self, now: float) -> frozenset[Reason]:
        if self._newest is not None and now - self._newest.at > KEPT_S:
            self._newest = None
        if self.ended or self._closed:
            return frozenset()
        if self._lost is None and self._wanted and now - self._arrived_at > LOST_AFTER_S:
            # Kept until a picture comes: a camera that hangs is not well because nobody asks any more.
            self._lost = CameraLost("gives no pictures", where=self.name, next="check its plug and cable")
        if self._lost is not None:
            return frozenset({Reason.CAMERA_LOST})
        if not self._camera.live or not self._wanted:
            return frozenset()
        stale = self._arrived_at - self._moved_at >= STALE_AFTER_S
        return frozenset(
            reason
            for reason, holds in ((Reason.CAMERA_STALE, stale), (Reason.CAMERA_DARK, self._darkness.dark))
            if holds
        )

    def close(self) -> None:
        """Forget the newest frame and give the camera back for good. A read that hangs is not waited for: the thread
        it hangs in gives the camera back."""
        with self._lock:
            self._closed, self._newest = True, None
            self._lock.notify_all()
        if self._device.acquire(timeout=CLOSE_WAIT_S):
            try:
                self._give_back()
            finally:
                self._device.release()


def _checksum(image: Image) -> int:
    """Every seventh row tells a repeated picture as well as all of them: nothing that moves is smaller. Row by row,
    because taken together they would be a copy that cannot be overwritten."""
    checksum = 0
    for row in image[::7]:
        checksum = zlib.crc32(row, checksum)
    return checksum
