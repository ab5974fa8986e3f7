"""Lights, buzzer, door relay and buttons through gpiozero, on whatever pins its factory has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import RLock
from time import monotonic
from typing import Any

from gpiozero import DigitalInputDevice, DigitalOutputDevice, Factory

from edgegate.errors import SignalsLost
from edgegate.model import Button
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS, TIMES, Rhythm
from edgegate.signals.player import Player
from edgegate.signals.wiring import RELAY, Wiring
from edgegate.state import Lights

log = logging.getLogger(__name__)

BOUNCE_S = 0.05
_LETS_PASS = ("green", RELAY)


class ToneBuzzer(DigitalOutputDevice):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
    """A passive buzzer: on is a square wave of `tone_hz`, off is a steady level."""

    def __init__(self, pin: int, *, tone_hz: float, **settings: Any) -> None:
        self._tone_hz = tone_hz
        super().__init__(pin, **settings)

    def _write(self, value: bool) -> None:
        self.pin.frequency = self._tone_hz if value else None
        if value:
            self.pin.state = 0.5
        else:
            super()._write(value)


def open_output(factory: Factory, wiring: Wiring, name: str) -> DigitalOutputDevice:
    """An output at its fault value. Raises what the pin library raises."""
    make = DigitalOutputDevice
    if name == "buzzer" and wiring.tone_hz is not None:
        make = partial(ToneBuzzer, tone_hz=wiring.tone_hz)
    return make(
        wiring.pins[name],
        active_high=name not in wiring.active_low,
        initial_value=FAULT_VALUES.get(name, False),
        pin_factory=factory,
    )


@contextmanager
def safe_outputs(factory: Factory, wiring: Wiring) -> Iterator[dict[str, str]]:
    """Every output that can be had at its fault value, held until the end. Gives those that cannot, with the reason."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        for name in wiring.outputs:
            try:
                stack.callback(_close, open_output(factory, wiring, name))
            except Exception as error:
                # Each pin library has errors of its own; one bad output must not keep the others from being safe.
                missing[name] = _said(error)
        yield missing


class GpioSignals:
    """Port `Signals`. An output or button that fails is closed at once, and opened anew by the next `show`."""

    def __init__(self, factory: Factory, wiring: Wiring, on_press: Callable[[Button], None]) -> None:
        """Outputs at their fault values. `on_press` is called in a thread of the pin library."""
        self.factory, self.wiring = factory, wiring
        self._on_press = on_press
        self._lock = RLock()
        self._outputs: dict[str, DigitalOutputDevice] = {}
        self._buttons: dict[Button, DigitalInputDevice] = {}
        self._rhythms = {name: _steady(FAULT_VALUES.get(name, False)) for name in wiring.outputs}
        self._lost: dict[str, str] = {}
        self._player = Player(self._lock, self._drive)
        self._open_missing()
        if self._lost:
            lost = next(iter(self._lost.values()))
            self.close()
            raise SignalsLost(
                f"a pin cannot be used ({lost})",
                where="signals",
                next="check the pin numbers, and that no other program holds them",
            )

    def show(self, lights: Lights) -> None:
        with self._lock:
            self._open_missing()
            now = monotonic()
            wanted = {name: getattr(PATTERNS[lights], name) for name in self.wiring.outputs}
            # Off before on, so that no two patterns are ever mixed; and what lets pass comes last: never a green
            # light beside a lamp that does not answer and may still say otherwise.
            for name in sorted(wanted, key=lambda name: (wanted[name] is not Rhythm.OFF, name in _LETS_PASS)):
                rhythm = Rhythm.OFF if self._lost and name in _LETS_PASS else wanted[name]
                self._player.stop(name)
                self._rhythms[name] = rhythm
                self._drive(name, rhythm is not Rhythm.OFF)
                if rhythm not in (Rhythm.OFF, Rhythm.ON) and name not in self._lost:
                    on_s, off_s, times = TIMES.get(rhythm, (self.wiring.relay_s, 0.0, 1))
                    self._player.start(name, on_s, off_s, times, now)
            self._tell_lost()

    def check(self) -> None:
        with self._lock:
            for name, rhythm in self._rhythms.items():
                if name in self._outputs and not self._player.plays(name):
                    # A steady level is said once more: that is how a chip that is gone is noticed.
                    self._drive(name, rhythm is Rhythm.ON)
            self._tell_lost()

    def levels(self) -> dict[str, str]:
        return {name: rhythm.value for name, rhythm in self._rhythms.items()}

    def safe(self) -> None:
        with self._lock:
            self._player.clear()
            for name in self._outputs.copy():
                self._drive(name, FAULT_VALUES.get(name, False))
            self._rhythms = {name: _steady(FAULT_VALUES.get(name, False)) for name in self._rhythms}

    def close(self) -> None:
        with self._lock:
            self.safe()
            self._player.end()
            devices = [*self._outputs.values(), *self._buttons.values()]
            self._outputs, self._buttons = {}, {}
        for device in devices:
            _close(device)

    def _open_missing(self) -> None:
        """Whatever is not open: everything at the start, later what was lost."""
        self._lost = {}
        for name in self.wiring.outputs:
            if name not in self._outputs:
                try:
                    self._outputs[name] = open_output(self.factory, self.wiring, name)
                except Exception as error:
                    # Each pin library has errors of its own.
                    self._lost[name] = _said(error)
        for button in Button:
            if button not in self._buttons:
                try:
                    self._buttons[button] = self._open_button(button)
                except Exception as error:
                    # As above.
                    self._lost[button] = _said(error)

    def _open_button(self, button: Button) -> DigitalInputDevice:
        # Not gpiozero's Button, which waits in a thread of its own for being held.
        device = DigitalInputDevice(
            self.wiring.pins[button.value], pull_up=True, bounce_time=BOUNCE_S, pin_factory=self.factory
        )
        device.when_activated = partial(self._on_press, button)
        return device

    def _drive(self, name: str, on: bool) -> None:
        """Switch an output; one that fails is closed, and noted for whoever asks next."""
        device = self._outputs.get(name)
        if device is None:
            return
        try:
            device.on() if on else device.off()
        except Exception as error:
            # One dead lamp must not keep the others, the buzzer above all, from speaking.
            self._lose(name, self._outputs.pop(name), error)

    def _lose(self, name: str, device: Any, error: Exception) -> None:
        self._lost[name] = _said(error)
        self._player.stop(name)
        # A chip that was unplugged gets its number back only when nobody holds the old one any more.
        _close(device)

    def _tell_lost(self) -> None:
        for button, device in list(self._buttons.items()):
            try:
                _ = device.is_active
            except Exception as error:
                # A button that is not heard is as bad as a lamp that is not lit.
                self._lose(button.value, self._buttons.pop(button), error)
        if not self._player.alive:
            raise SignalsLost("the rhythms have stopped", where="signals", next="restart the gate")
        if self._lost:
            name, text = next(iter(self._lost.items()))
            raise SignalsLost(
                f"{name} does not answer ({text})",
                where="signals",
                next="check its wire and the chip; it is tried again",
            )


def _steady(on: bool) -> Rhythm:
    return Rhythm.ON if on else Rhythm.OFF


def _said(error: Exception) -> str:
    """The first line of an error, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _close(device: Any) -> None:
    try:
        device.close()
    except Exception as error:
        # The device is given up in any case.
        log.error("a pin could not be given back: %s", _said(error))
