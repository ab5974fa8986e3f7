"""Two ways to drive the loop: with threads on the machine's clock, or in step with recorded frames.

Both call the same `Gate.turn`; only where frames, codes and time come from differs.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from edgegate.clock import VirtualClock
from edgegate.errors import EndOfFrames
from edgegate.gate import Gate
from edgegate.model import CodeSeen, Event, Frame, Reason

log = logging.getLogger(__name__)

QUEUE = 64
IDLE_WAIT_S = 0.25
LOOK_WAIT_S = 0.05
RETRY_S = 1.0


class Feed(Protocol):
    """What the loop needs of `camera.feed.CameraFeed`."""

    ended: bool

    def open(self) -> bool: ...
    def pump(self) -> Frame | None: ...
    def newest(self, after: int = 0, timeout_s: float = 0.0) -> Frame | None: ...
    def close(self) -> None: ...


class FrameReader(Protocol):
    """Finds codes in frames."""

    def scan(self, frame: Frame) -> list[CodeSeen]: ...


class TextReader(Protocol):
    """Gives codes one after the other, and waits for them."""

    def next(self) -> CodeSeen | None: ...


class Inbox:
    """The loop's bounded queue. What does not fit is dropped and counted, newest first: a flood of codes
    must not push out the time."""

    def __init__(self, size: int = QUEUE) -> None:
        self._queue: queue.Queue[Event] = queue.Queue(size)
        self.dropped = 0

    def post(self, event: Event) -> None:
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
        text_reader: TextReader | None,
        fps: float,
        paced: bool,
        until_end: bool,
    ) -> None:
        self._feed, self._inbox = feed, inbox
        self._frame_reader, self._text_reader = frame_reader, text_reader
        self._frame_s = 1.0 / fps if paced else 0.0
        self._until_end = until_end
        self._asked = False
        self._stopping = threading.Event()
        self._broken: set[str] = set()

    def stop(self) -> None:
        self._asked = True  # no lock: a signal handler may interrupt whoever holds it

    def faults(self, now: float) -> frozenset[Reason]:
        """A reader whose thread has failed is lost."""
        return frozenset({Reason.READER_LOST}) if self._broken - {"camera"} else frozenset()

    def run(self, gate: Gate) -> None:
        """Until `stop`, or until a recording has ended and the gate is at rest."""
        threads = [self._start("camera", self._pump)]
        if self._frame_reader is not None:
            threads.append(self._start("qr", self._scan))
        if self._text_reader is not None:
            # Not joined: reading a line cannot be interrupted, and it owns nothing.
            self._start("lines", self._read_lines)
        number = 0
        try:
            while not self._asked:
                frame = None
                if gate.state.wants_face:
                    frame = self._feed.newest(number, gate.wait_s(LOOK_WAIT_S))
                    number = frame.number if frame is not None else number
                    events = self._inbox.take(0)
                else:
                    events = self._inbox.take(gate.wait_s(IDLE_WAIT_S))
                gate.turn(events, frame)
                # Ask before the last look into the queue, so that the last frame's codes are not missed.
                over = self._feed.ended and not any(thread.is_alive() for thread in threads)
                if over and gate.state.at_rest:
                    gate.turn(self._inbox.take(0))
                    if gate.state.at_rest:
                        break
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(timeout=2.0)

    def _start(self, name: str, work: Callable[[], bool]) -> threading.Thread:
        thread = threading.Thread(target=self._keep, args=(name, work), name=f"edgegate-{name}", daemon=True)
        thread.start()
        return thread

    def _keep(self, name: str, work: Callable[[], bool]) -> None:
        """Repeat `work` until it says that it is over; what breaks is logged once and tried again."""
        while not self._stopping.is_set():
            try:
                again = work()
                self._broken.discard(name)
                if not again:
                    return
            except Exception as error:
                # A library that fails on one picture must not take the reader down for good.
                if name not in self._broken:
                    log.error("%s: %s; tried again every second", name, type(error).__name__)
                self._broken.add(name)
                self._stopping.wait(RETRY_S)

    def _pump(self) -> bool:
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
            number = frame.number
            for event in self._frame_reader.scan(frame):
                self._inbox.post(event)
        return False

    def _read_lines(self) -> bool:
        assert self._text_reader is not None
        event = self._text_reader.next()
        if event is not None:
            self._inbox.post(event)
        return event is not None


class FastPace:
    """No threads: time is the number of frames played, so the same frames give the same decisions.

    A line from the text reader is taken whenever the gate is at rest. When the frames have ended, time goes on
    until the last presentation has ended too.
    """

    def __init__(
        self,
        feed: Feed,
        inbox: Inbox,
        clock: VirtualClock,
        *,
        frame_reader: FrameReader | None,
        text_reader: TextReader | None,
        fps: float,
        until_end: bool,
        at_frame: Callable[[float], None] = lambda now: None,
    ) -> None:
        """`at_frame` is called with the time before each frame; tests and the demo change the scene there."""
        self._feed, self._inbox, self._clock = feed, inbox, clock
        self._frame_reader, self._text_reader = frame_reader, text_reader
        self._fps, self._until_end, self._at_frame = fps, until_end, at_frame
        self._asked = False

    def stop(self) -> None:
        self._asked = True

    def faults(self, now: float) -> frozenset[Reason]:
        return frozenset()

    def run(self, gate: Gate) -> None:
        step = 0
        while not self._asked:
            step += 1
            self._clock.advance_to(step / self._fps)
            self._at_frame(self._clock.monotonic())
            try:
                frame = self._feed.pump() if self._feed.open() else None
            except EndOfFrames:
                break
            gate.turn(self._events(gate, frame), frame)
        self._feed.ended = self._until_end
        self._finish(gate)

    def _events(self, gate: Gate, frame: Frame | None) -> list[Event]:
        events = self._inbox.take(0)
        if frame is not None and self._frame_reader is not None:
            events += self._frame_reader.scan(frame)
        if self._text_reader is not None and gate.state.at_rest:
            line = self._text_reader.next()
            if line is None:
                self._text_reader = None
            else:
                events.append(line)
        return events

    def _finish(self, gate: Gate) -> None:
        """Let the last presentation end; then stop, or wait for somebody to stop the daemon."""
        while not self._asked and not gate.state.at_rest:
            self._clock.advance_to(self._clock.monotonic() + max(gate.wait_s(1.0), 1e-3))
            gate.turn(self._inbox.take(0))
        while not self._until_end and not self._asked:
            time.sleep(IDLE_WAIT_S)
            self._clock.advance_to(self._clock.monotonic() + IDLE_WAIT_S)
            gate.turn(self._inbox.take(0))
