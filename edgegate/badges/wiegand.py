"""The reader `wiegand`: card readers that pull one of two lines low for each bit, D0 for a 0 and D1 for a 1.

Timing as SIA AC-01 has it: pulses of 20 to 100 microseconds, 0.2 to 20 milliseconds apart (mostly 1 to 3), both lines
high between them. A frame has no start or end but silence. Its first bit makes the number of ones in the first half
even, its last bit makes that of the second half odd.
"""

from __future__ import annotations

import logging
import queue
import time
from bisect import insort

from gpiozero import Factory, InputDevice
from gpiozero.exc import PinInvalidPin

from edgegate.badges.typed import WAIT_S
from edgegate.errors import EdgeGateError, ReaderLost

log = logging.getLogger(__name__)

GAP_S = 0.025
"""Silence that ends a frame: more than any reader leaves between two bits."""
LATE = 10
"""For so many gaps a frame that is too short is kept: edges may reach us late, and their own times tell where they
belong."""
LOG_EVERY_S = 60.0
_MAX_EDGES = 1024
_MAX_FRAME = 64


class WiegandLines:
    """Port `Reader` over two pins of any gpiozero factory."""

    endless = True

    def __init__(self, pins: Factory, d0: int, d1: int, bits: int = 26, *, gap_s: float = GAP_S) -> None:
        """`pins`: the factory that drives the lights too; `bits`: 26 or 34, parity included; `gap_s`: the silence
        that ends a frame."""
        self.name = f"wiegand {d0},{d1}"
        self.broken = 0
        """Frames dropped since the start: wrong length or parity."""
        self._pins, self._numbers, self._bits, self._gap_s = pins, (d0, d1), bits, gap_s
        self._lines: list[InputDevice] = []
        self._edges: queue.Queue[tuple[float, int]] = queue.Queue(_MAX_EDGES)
        self._frame: list[tuple[float, int]] = []
        self._silent = 0
        self._told, self._told_at = 0, -LOG_EVERY_S

    def open(self) -> None:
        self.close()
        try:
            for number, fell in zip(self._numbers, (self._zero, self._one), strict=True):
                line = InputDevice(number, pull_up=True, pin_factory=self._pins)
                self._lines.append(line)
                line.pin.bounce = None
                line.pin.edges = "falling"
                line.pin.when_changed = fell
        except PinInvalidPin:
            self.close()
            raise EdgeGateError(
                "there is no such pin", where=self.name, next="check d0 and d1 in badges.readers"
            ) from None
        except Exception as error:
            # Besides gpiozero's own, each pin library raises errors of its own class.
            self.close()
            raise self._unusable(error) from None
        if low := self._low():
            self.close()
            raise self._held(low)

    def read(self) -> str:
        if not self._lines:
            raise ReaderLost("is not open", where=self.name, next="check that its pins can be used")
        end = time.monotonic() + WAIT_S
        while (left := end - time.monotonic()) > 0:
            try:
                at, bit = self._edges.get(timeout=self._gap_s if self._frame else left)
            except queue.Empty:
                text = self._after_silence()
            else:
                self._silent = 0
                text = self._end() if self._frame and at - self._frame[-1][0] > self._gap_s else ""
                if len(self._frame) == _MAX_FRAME:
                    self._frame.pop()  # no frame any more, but its last edge tells when silence begins
                insort(self._frame, (at, bit))  # two lines may be served by two threads
            if text:
                return text
        if not self._frame and (low := self._low()):
            raise self._held(low)
        return ""

    def close(self) -> None:
        for line in self._lines:
            try:
                line.close()
            except Exception as error:
                # As in `open`; a chip that is gone need not be given back.
                log.error("%s: a pin could not be given back: %s", self.name, type(error).__name__)
        self._lines.clear()
        self._frame.clear()
        while not self._edges.empty():
            self._edges.get_nowait()

    def _low(self) -> str:
        """The line that stays low: a reader without power, a cable cut short. No pulse is as long as this looks."""
        try:
            if all(line.pin.state for line in self._lines):
                return ""
            time.sleep(GAP_S)
            levels = [line.pin.state for line in self._lines]
        except Exception as error:
            # As in `open`.
            raise self._unusable(error) from None
        return next((name for name, level in zip(("D0", "D1"), levels, strict=True) if not level), "")

    def _held(self, line: str) -> ReaderLost:
        return ReaderLost(f"{line} stays low", where=self.name, next="check the reader's power and its wiring")

    def _unusable(self, error: Exception) -> ReaderLost:
        return ReaderLost(
            f"its pins cannot be used ({(str(error) or type(error).__name__).splitlines()[0]})",
            where=self.name,
            next="check the pin numbers, and that no other program holds them",
        )

    def _zero(self, ticks: float, state: int) -> None:
        self._fell(ticks, 0)

    def _one(self, ticks: float, state: int) -> None:
        self._fell(ticks, 1)

    def _fell(self, ticks: float, bit: int) -> None:
        """In the pin library's thread. `ticks` are seconds on whatever clock that library has."""
        if not self._edges.full():
            self._edges.put_nowait((ticks, bit))

    def _after_silence(self) -> str:
        """One gap more in which nothing came. Gaps are counted, not timed: a busy machine may have stood still."""
        self._silent += 1
        patience = 1 if len(self._frame) == self._bits else LATE
        return self._end() if self._frame and self._silent >= patience else ""

    def _end(self) -> str:
        """The text of the frame that has ended; empty when it is not one."""
        bits = [bit for _, bit in self._frame]
        self._frame.clear()
        if text := decode(bits, self._bits):
            return text
        self.broken += 1
        now = time.monotonic()
        if now - self._told_at >= LOG_EVERY_S:
            log.warning("%s: %d broken frame(s) dropped; check its wiring", self.name, self.broken - self._told)
            self._told, self._told_at = self.broken, now
        return ""


def decode(bits: list[int], length: int) -> str:
    """The card's number; empty when length or parity are wrong.

    26 bits (H10301): facility and number as they are printed on cards, `FFF-NNNNN`, decimal. 34 bits: makers disagree
    on where the facility ends, so it is the 32 bits as they came, eight hexadecimal digits, which is how a card's UID
    is written. Both have a fixed width: a card has one text only.
    """
    half = length // 2
    if len(bits) != length or sum(bits[:half]) % 2 != 0 or sum(bits[half:]) % 2 != 1:
        return ""
    number = int("".join(map(str, bits[1:-1])), 2)
    return f"{number >> 16:03d}-{number & 0xFFFF:05d}" if length == 26 else f"{number:08X}"
