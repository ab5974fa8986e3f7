"""A card at a Wiegand reader: the bits for a number, and the pulses on two pins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gpiozero import Factory
from gpiozero.pins.mock import MockFactory, MockPin

D0, D1 = 20, 21
PULSE_S, BIT_S = 50e-6, 1e-3


def frame(text: str) -> list[int]:
    """The bits that a reader sends for a card: `FFF-NNNNN` is 26 bits long, eight hexadecimal digits are 34."""
    if "-" in text:
        facility, number = text.split("-")
        data = f"{int(facility):08b}{int(number):016b}"
    else:
        data = f"{int(text, 16):032b}"
    first, second = data[: len(data) // 2], data[len(data) // 2 :]
    even, odd = first.count("1") % 2, 1 - second.count("1") % 2
    return [even, *map(int, data), odd]


class Wires(Protocol):
    """Two lines, both high at rest."""

    factory: Factory

    def pull(self, pin: int, high: bool) -> None: ...

    def wait(self, seconds: float) -> None: ...


class _TimedPin(MockPin):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
    """A mock pin that notes the time of its factory, and can be tied to ground."""

    held = False

    def _change_state(self, value: bool) -> bool:
        if self.held:
            return False
        changed = bool(super()._change_state(value))
        self._last_change = self.factory.now
        return changed


class MockWires:
    """The lines of gpiozero's mock pins. Time passes on them as it is told to, however busy the machine is."""

    def __init__(self) -> None:
        self.factory = MockFactory(pin_class=_TimedPin)
        self.factory.now = 0.0

    def pull(self, pin: int, high: bool) -> None:
        line = self.factory.pin(pin)
        line.drive_high() if high else line.drive_low()

    def wait(self, seconds: float) -> None:
        self.factory.now += seconds

    def hold(self, pin: int) -> None:
        self.pull(pin, False)
        self.factory.pin(pin).held = True

    def release(self, pin: int) -> None:
        self.factory.pin(pin).held = False
        self.pull(pin, True)


class SimWires:
    """The lines of a chip of the kernel's gpio-sim, such as /dev/gpiochip0, in real time."""

    def __init__(self, factory: Factory, chip: str) -> None:
        self.factory = factory
        self._folder = Path(f"/sys/bus/gpio/devices/{Path(chip).resolve().name}").resolve()
        for pin in (D0, D1):
            self.pull(pin, True)

    def pull(self, pin: int, high: bool) -> None:
        (self._folder / f"sim_gpio{pin}" / "pull").write_text("pull-up" if high else "pull-down")

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def pulse(wires: Wires, bits: Sequence[int], every_s: float = BIT_S) -> None:
    """A pulse for each bit, on D0 for a 0 and on D1 for a 1."""
    for bit in bits:
        pin = D1 if bit else D0
        wires.pull(pin, False)
        wires.wait(PULSE_S)
        wires.pull(pin, True)
        wires.wait(every_s)
