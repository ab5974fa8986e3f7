"""gpiozero pins on any Linux GPIO chip, through its character device (libgpiod v2): Jetson, x86 boards, USB adapters.

gpiozero's own factories want to know which Raspberry Pi they are on. This one knows a chip by its path and a pin by its
line number there. Lines are requested one by one when a device asks for them, and no chip is kept open between: a chip
that was unplugged and is back under its path serves again as soon as the device is made anew. It may come back under
another number (Linux 6.1 does so where lines were held): name a chip that can be unplugged by a link of a udev rule.

When a line is given back, or its process ends, its level is up to the driver: Raspberry Pi OS keeps it (unless
`dtparam=strict_gpiod`), a Jetson falls back to what its boot loader set, gpio-sim to the simulated pull. Where amber
must stay lit without a process, a resistor has to say so, or `edgegate signals safe --hold`. A chip that cannot pull
an input (Jetson) is not told apart by the kernel: its buttons want a resistor to 3.3 V of their own.
"""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from datetime import timedelta
from threading import RLock
from typing import Any

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero import Factory, PinInfo
from gpiozero.exc import (
    GPIOZeroError,
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinInvalidState,
    PinPWMFixedValue,
    PinSetInput,
)
from gpiozero.pins import BoardInfo, HeaderInfo
from gpiozero.pins.pi import PiPin

from edgegate.signals.edges import EdgeThread
from edgegate.signals.tone import SoftTone

CONSUMER = "edgegate"
EVENTS = 256
"""Edges the kernel keeps for a line until they are read. Its default, 16, is less than a Wiegand card may give."""
_PULLS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}


class LineLost(GPIOZeroError):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
    """A line cannot be had, or no longer answers; the text names line and chip."""


class GpiodFactory(Factory):  # type: ignore[misc]  # as above
    """`path` as /dev/gpiochip0, or a link to it. Raises OSError when it cannot be opened or is no GPIO chip."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        with gpiod.Chip(path) as chip:
            info = chip.get_info()
        self.count = info.num_lines
        self._board = _board(info.label, info.num_lines)
        self.pins: dict[int, GpiodPin] = {}
        self.edges = EdgeThread()

    def close(self) -> None:
        for pin in self.pins.values():
            pin.close()
        self.pins.clear()

    def pin(self, name: int | str) -> GpiodPin:
        for _, info in self.board_info.find_pin(name):
            return self.pins.setdefault(info.number, GpiodPin(self, info))
        raise PinInvalidPin(f"{name} is not a line of {self.path}, which has lines 0 to {self.count - 1}")

    def ticks(self) -> float:
        """Seconds of the clock that the kernel stamps edges with."""
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        return later - earlier

    def _get_board_info(self) -> Any:
        return self._board


def _board(label: str, count: int) -> Any:
    """The chip as gpiozero describes a board: one header, a row for each line."""
    pins = {
        line: PinInfo(
            number=line,
            name=f"GPIO{line}",
            names=frozenset((line, str(line), f"GPIO{line}")),
            pull="",
            row=line + 1,
            col=1,
            interfaces=frozenset(("gpio",)),
        )
        for line in range(count)
    }
    known = {"model": label, "headers": {label: HeaderInfo(label, count, 1, pins)}}
    return BoardInfo(**dict.fromkeys(BoardInfo._fields, "") | known)


class GpiodPin(PiPin):  # type: ignore[misc]  # as above
    """One line. Levels are those on the wire: what is active low is for the device to say."""

    def __init__(self, factory: GpiodFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._request: gpiod.LineRequest | None = None
        self._settings = gpiod.LineSettings()
        self._edges = "both"
        self._watched = False
        self._frequency: float | None = None
        self._duty = 0.0
        self._tone: SoftTone | None = None
        # A line is used by the loop, by the rhythms and by its tone; libgpiod asks for a lock.
        self._lock = RLock()

    def close(self) -> None:
        """Gives the line back as it is; may be called twice, and on a line that is gone."""
        self._silence()
        self._frequency = None
        with self._when_changed_lock:
            self._when_changed = None
            self._unwatch()
        with self._lock:
            request, self._request = self._request, None
            self._settings = gpiod.LineSettings()
            if request is not None:
                request.release()

    def output_with_state(self, state: float) -> None:
        """Becomes an output at this level at once: no other level is on the wire in between."""
        self._unwatch()
        self._apply(gpiod.LineSettings(direction=Direction.OUTPUT, output_value=_value(state)))

    def input_with_pull(self, pull: str) -> None:
        self._apply(gpiod.LineSettings(direction=Direction.INPUT, bias=_pull(pull, self)))

    def _get_function(self) -> str:
        return "output" if self._settings.direction is Direction.OUTPUT else "input"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        if value == "input":
            self._silence()
            self.input_with_pull("floating")
        elif self.function != "output":
            self.output_with_state(self.state if self._request is not None else 0)

    def _get_state(self) -> float:
        if self._tone is not None:
            return self._duty
        with self._lock:
            request = self._open()
            try:
                return int(request.get_value(self._number) is Value.ACTIVE)
            except OSError as error:
                raise self._lost(error) from None

    def _set_state(self, value: float) -> None:
        if self.function != "output":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        if not 0 <= value <= 1:
            raise PinInvalidState(f'invalid state "{value}" for pin {self!r}')
        failed = self._silence()
        if failed is not None:
            raise failed
        self._duty = value
        if self._frequency is not None and 0 < value < 1:
            self._write(True)  # a line that is gone says so here, and not in the tone's thread
            self._tone = SoftTone(self._write, self._frequency, value)
        else:
            self._write(value >= 0.5)

    def _get_pull(self) -> str:
        return next((name for name, bias in _PULLS.items() if bias is self._settings.bias), "floating")

    def _set_pull(self, value: str) -> None:
        if self.function != "input":
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self._apply(self._with(bias=_pull(value, self)))

    def _get_bounce(self) -> float | None:
        return self._settings.debounce_period.total_seconds() or None

    def _set_bounce(self, value: float | None) -> None:
        """The kernel tells an edge only when the level has stayed for `value` seconds."""
        if value is not None and value < 0:
            raise PinInvalidBounce("bounce must be 0 or greater")
        self._apply(self._with(debounce_period=timedelta(seconds=value or 0)))

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edge specification "{value}" for pin {self!r}')
        self._edges = value
        if self._watched:
            self._apply(self._with(edge_detection=_EDGES[value]))

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        if value is not None and (value <= 0 or self.function != "output"):
            raise PinPWMFixedValue(f"cannot start PWM on pin {self!r}")
        if value != self._frequency:
            self._silence()
            self._frequency, self._duty = value, 0.0

    def _enable_event_detect(self) -> None:
        self._apply(self._with(edge_detection=_EDGES[self._edges]))
        with self._lock:
            self.factory.edges.watch(self._open(), self._changed)
        self._watched = True

    def _disable_event_detect(self) -> None:
        self._unwatch()
        self._apply(self._with(edge_detection=Edge.NONE))

    def _unwatch(self) -> None:
        if self._watched and self._request is not None:
            self.factory.edges.forget(self._request)
        self._watched = False

    def _changed(self, event: gpiod.EdgeEvent) -> None:
        """In the edges' thread."""
        heard = self.when_changed
        if heard is not None:
            heard(event.timestamp_ns / 1e9, int(event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE))

    def _with(self, **changed: Any) -> gpiod.LineSettings:
        settings = {name: getattr(self._settings, name) for name in ("direction", "bias", "debounce_period")}
        if settings["direction"] is Direction.AS_IS:
            settings["direction"] = Direction.INPUT
        if self._watched:
            settings["edge_detection"] = _EDGES[self._edges]
        return gpiod.LineSettings(**settings | changed)

    def _apply(self, settings: gpiod.LineSettings) -> None:
        config: dict[Any, gpiod.LineSettings | None] = {self._number: settings}
        with self._lock:
            try:
                if self._request is None:
                    self._request = gpiod.request_lines(self.factory.path, config, CONSUMER, event_buffer_size=EVENTS)
                else:
                    self._request.reconfigure_lines(config)
            except OSError as error:
                raise self._lost(error) from None
            self._settings = settings

    def _open(self) -> gpiod.LineRequest:
        if self._request is None:
            raise LineLost(f"line {self._number} of {self.factory.path} is not open")
        return self._request

    def _write(self, high: bool) -> None:
        with self._lock:
            request = self._open()
            try:
                request.set_value(self._number, _value(high))
            except OSError as error:
                raise self._lost(error) from None

    def _silence(self) -> Exception | None:
        """Ends the tone. Returns why it had ended before, if it had."""
        tone, self._tone = self._tone, None
        if tone is None:
            return None
        tone.stop()
        return tone.error

    def _lost(self, error: OSError) -> LineLost:
        path = self.factory.path
        return LineLost(f"line {self._number} of {path}: {_reason(error, path, self._number)}")


def _value(state: float) -> Value:
    return Value.ACTIVE if state else Value.INACTIVE


def _pull(name: str, pin: GpiodPin) -> Bias:
    if name not in _PULLS:
        raise PinInvalidPull(f'invalid pull "{name}" for pin {pin!r}')
    return _PULLS[name]


def _reason(error: OSError, path: str, line: int) -> str:
    """Why, and for a busy line: who has it."""
    if error.errno == errno.EBUSY:
        with suppress(OSError), gpiod.Chip(path) as chip:
            return f"in use by {chip.get_line_info(line).consumer!r}"
    return error.strerror or type(error).__name__
