"""Drives the loop on the machine's clock: threads for the camera and the readers, the loop in the caller's own.

`fast_pace` is the other way, in step with recorded frames. Both call the same `Gate.turn`; only where frames,
codes and time come from differs.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from edgegate.errors import EdgeGateError, EndOfCodes, EndOfFrames
from edgegate.gate import Gate
from edgegate.model import CodeSeen, Event, Frame, Reason

log = logging.getLogger(__name__)

QUEUE = 64
IDLE_WAIT_S = 0.25
LOOK_WAIT_S = 0.05
RETRY_S = 1.0
STILL_S = 0.5
"""A turn that takes longer has kept other threads from their work as well."""
HANGS_AFTER_S = 20.0
"""No decoder needs this long for a picture, however slow the machine."""


class Feed(Protocol):
    """What the loop needs of `camera.feed.CameraFeed`."""

    ended: bool

    def want(self, on: bool) -> None: ...
    def excuse(self, seconds: float) -> None: ...
    def wait_wanted(self, timeout_s: float) -> bool: ...
    def open(self) -> bool: ...
    def pump(self) -> Frame | None: ...
    def rest(self) -> None: ...
    def newest(self, after: int = 0, timeout_s: float = 0.0) -> Frame | None: ...
    def close(self) -> None: ...


class FrameReader(Protocol):
    """Finds codes in frames."""

    def scan(self, frame: Frame) -> list[CodeSeen]: ...


class TextReader(Protocol):
    """A reader of its own: see `ports.Reader`. `next` gives a code, or None when none came for a while."""

    name: str
    endless: bool

    def open(self) -> None: ...
    def next(self) -> CodeSeen | None: ...
    def close(self) -> None: ...


class Inbox:
    """The loop's bounded queue. What does not fit is dropped and counted, newest first: a flood of codes
    must not push out the time."""

    def __init__(self, size: int = QUEUE) -> None:
        self._queue: queue.Queue[Event] = queue.Queue(size)
        self.dropped = 0

    def post(self, *events: Event) -> None:
        """The caller keeps none of them: a badge's text must not wait in a reader's thread for the next badge."""
        for event in events:
            try:
                self._queue.put_nowait(event)
            except queue.Full:
                self.dropped += 1
                if self.dropped == 1:
                    log.warning("the loop is too slow: events are being dropped")

    def take(self, wait_s: float) -> list[Event]:
        """All events that wait, or those that come within `wait_s` seconds."""
        events: list[Event] = []
        try:
            events.append(self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait())
            while True:
                events.append(self._queue.get_nowait())
        except queue.Empty:
            return events


class RealPace:
    """Threads for camera, QR and text readers; the loop itself runs in the caller's thread."""

    def __init__(
        self,
        feed: Feed,
        inbox: Inbox,
        *,
        frame_reader: FrameReader | None,
        text_readers: Sequence[TextReader] = (),
        fps: float,
        paced: bool,
        until_end: bool,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`beat` is called after each turn that did its work."""
        self._feed, self._inbox = feed, inbox
        self._frame_reader, self._text_readers = frame_reader, tuple(text_readers)
        self._frame_s = 1.0 / fps if paced else 0.0
        self._until_end, self._beat = until_end, beat
        self._asked = False
        self._stopping = threading.Event()
        self._broken: set[str] = set()
        self._scanning_since: float | None = None

    def stop(self) -> None:
        self._asked = True  # no lock: a signal handler may interrupt whoever holds it

    def faults(self, now: float) -> frozenset[Reason]:
        """A reader that is gone, has failed or hangs is lost; the camera's own faults are its feed's."""
        hangs = self._scanning_since is not None and now - self._scanning_since > HANGS_AFTER_S
        if hangs and "qr" not in self._broken:
            self._broken.add("qr")
            log.error("reader lost: the QR decoder hangs", extra={"fault": Reason.READER_LOST.value})
        return frozenset({Reason.READER_LOST}) if self._broken - {"camera"} else frozenset()

    def run(self, gate: Gate) -> None:
        """Until `stop`, or until a recording has ended and the gate is at rest."""
        threads = [self._start("camera", self._pump)]
        if self._frame_reader is not None:
            threads.append(self._start("qr", self._scan))
        listening = [(reader, self._start(reader.name, partial(self._listen, reader))) for reader in self._text_readers]
        number = 0
        try:
            while not self._asked:
                frame = None
                self._feed.want(gate.state.wants_face)
                if gate.state.wants_face:
                    frame = self._feed.newest(number, gate.wait_s(LOOK_WAIT_S))
                    number = frame.number if frame is not None else number
                    events = self._inbox.take(0)
                else:
                    events = self._inbox.take(gate.wait_s(IDLE_WAIT_S))
                began = time.monotonic()
                gate.turn(events, frame)
                self._beat()
                if (took_s := time.monotonic() - began) > STILL_S:
                    self._feed.excuse(took_s)
                # Ask before the last look into the queue, so that the last frame's codes are not missed.
                over = self._feed.ended and not any(thread.is_alive() for thread in threads)
                if over and gate.state.at_rest:
                    gate.turn(self._inbox.take(0))
                    if gate.state.at_rest:
                        break
        finally:
            self._stopping.set()
            # A stream of lines cannot be interrupted while it is read, and owns nothing.
            for thread in (*threads, *(thread for reader, thread in listening if reader.endless)):
                thread.join(timeout=2.0)

    def _start(self, name: str, work: Callable[[], bool]) -> threading.Thread:
        thread = threading.Thread(target=self._keep, args=(name, work), name=f"edgegate-{name}", daemon=True)
        thread.start()
        return thread

    def _keep(self, name: str, work: Callable[[], bool]) -> None:
        """Repeat `work` until it says that it is over; what breaks is logged once and tried again."""
        while not self._stopping.is_set():
            try:
                if not work():
                    return
                if name == "camera":
                    self._broken.discard(name)
            except Exception as error:
                # A library that fails on one picture must not take the reader down for good.
                if name not in self._broken:
                    log.error("%s: %s; tried again every second", name, type(error).__name__)
                self._broken.add(name)
                self._stopping.wait(RETRY_S)

    def _pump(self) -> bool:
        if not self._feed.wait_wanted(IDLE_WAIT_S):
            return True
        if not self._feed.open():
            self._stopping.wait(RETRY_S)
            return True
        due = time.monotonic()
        while not self._stopping.is_set():
            try:
                if self._feed.pump() is None:
                    self._stopping.wait(RETRY_S)
                    return True
            except EndOfFrames:
                self._feed.ended = self._until_end
                if not self._until_end:
                    log.warning("the recording has ended; the camera counts as lost from here")
                return False
            if not self._feed.wait_wanted(0.0):
                self._feed.rest()
                return True
            due += self._frame_s
            self._stopping.wait(max(0.0, due - time.monotonic()))
        return False

    def _scan(self) -> bool:
        assert self._frame_reader is not None
        number = 0
        while not self._stopping.is_set():
            frame = self._feed.newest(number, IDLE_WAIT_S)
            if frame is None:
                if self._feed.ended:
                    return False
                continue
            number, self._scanning_since = frame.number, time.monotonic()
            try:
                self._inbox.post(*self._frame_reader.scan(frame))
            finally:
                self._scanning_since = None
            if "qr" in self._broken:
                self._broken.discard("qr")
                log.warning("reader back: qr", extra={"fault": Reason.READER_LOST.value})
        return False

    def _listen(self, reader: TextReader) -> bool:
        """Open a reader and pass on what it reads, until it is lost, has ended, or the gate stops."""
        try:
            reader.open()
            if reader.name in self._broken:
                self._broken.discard(reader.name)
                log.warning("reader back: %s", reader.name, extra={"fault": Reason.READER_LOST.value})
            while not self._stopping.is_set():
                self._inbox.post(*filter(None, [reader.next()]))
        except EndOfCodes:
            pass
        except EdgeGateError as error:
            if reader.name not in self._broken:
                self._broken.add(reader.name)
                log.error("reader lost: %s", error, extra={"fault": Reason.READER_LOST.value})
            self._stopping.wait(RETRY_S)
            return True
        finally:
            reader.close()
        return False
