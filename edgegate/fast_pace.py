"""Drives the loop in step with recorded frames: no threads, and a clock that only the frames move."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edgegate.clock import VirtualClock
from edgegate.errors import EndOfCodes, EndOfFrames
from edgegate.gate import Gate
from edgegate.model import Event, Frame, Reason
from edgegate.pace import IDLE_WAIT_S, Feed, FrameReader, Inbox, TextReader


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
        text_readers: Sequence[TextReader] = (),
        fps: float,
        until_end: bool,
        at_frame: Callable[[float], None] = lambda now: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`at_frame` is called with the time before each frame; tests and the demo change the scene there."""
        self._feed, self._inbox, self._clock = feed, inbox, clock
        self._frame_reader, self._text_readers = frame_reader, list(text_readers)
        self._fps, self._until_end, self._at_frame, self._beat = fps, until_end, at_frame, beat
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
            self._turn(gate, self._events(gate, frame), frame)
        self._feed.ended = self._until_end
        self._finish(gate)

    def _events(self, gate: Gate, frame: Frame | None) -> list[Event]:
        events = self._inbox.take(0)
        if frame is not None and self._frame_reader is not None:
            events += self._frame_reader.scan(frame)
        for reader in list(self._text_readers) if gate.state.at_rest else ():
            try:
                event = reader.next()
            except EndOfCodes:
                self._text_readers.remove(reader)
            else:
                events += [event] if event is not None else []
        return events

    def _turn(self, gate: Gate, events: list[Event], frame: Frame | None = None) -> None:
        gate.turn(events, frame)
        self._beat()

    def _finish(self, gate: Gate) -> None:
        """Let the last presentation end; then stop, or wait for somebody to stop the daemon."""
        while not self._asked and not gate.state.at_rest:
            self._clock.advance_to(self._clock.monotonic() + max(gate.wait_s(1.0), 1e-3))
            self._turn(gate, self._inbox.take(0))
        while not self._until_end and not self._asked:
            time.sleep(IDLE_WAIT_S)
            self._clock.advance_to(self._clock.monotonic() + IDLE_WAIT_S)
            self._turn(gate, self._inbox.take(0))
