"""Hands for the mock pins: press a button, read what an output is at. For tests and the demo."""

from __future__ import annotations

from gpiozero import Factory
from gpiozero.pins.mock import MockFactory, MockPin

from edgegate.errors import EdgeGateError
from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals


def pin(signals: GpioSignals, name: str) -> MockPin:
    """The mock pin behind an output or button. Raises EdgeGateError when the pins are real."""
    factory: Factory = signals.factory
    if not isinstance(factory, MockFactory):
        raise EdgeGateError("these pins are real", where="signals.pins", next="set pins: mock")
    found = factory.pin(signals.wiring.pins[name])
    assert isinstance(found, MockPin)
    return found


def press(signals: GpioSignals, button: Button) -> None:
    """Press and release a supervisor's button: it pulls its pin to ground."""
    line = pin(signals, button.value)
    line.drive_low()
    line.drive_high()
