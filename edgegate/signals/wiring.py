"""What is connected to which pin, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from edgegate.model import Button

OUTPUTS = ("green", "amber", "red", "buzzer")
"""What every gate has; `relay` is the fifth where a door opener is fitted."""
RELAY = "relay"
BUTTONS = tuple(button.value for button in Button)

Direction: TypeAlias = Literal["output", "input"]


@dataclass(frozen=True, slots=True)
class Line:
    """One wire. `active_low`: on, or pressed, at 0 V; a button pulls its pin to ground."""

    name: str
    pin: int
    direction: Direction
    active_low: bool


@dataclass(frozen=True, slots=True)
class Wiring:
    """`pins`: the BCM number (or the line of a gpiod chip) of every output and button by name; `relay` only where there
    is one. `active_low`: the outputs that are on at 0 V. `tone_hz`: the frequency of a passive buzzer, None for one
    that sounds by itself. `relay_s`: how long the door opener is pulsed, in seconds."""

    pins: Mapping[str, int]
    active_low: frozenset[str] = frozenset()
    tone_hz: float | None = None
    relay_s: float = 1.0

    @classmethod
    def of(cls, settings: Any) -> Wiring:
        """From the configuration's section `signals`."""
        pins = {name: getattr(settings, name) for name in (*OUTPUTS, RELAY, *BUTTONS)}
        return cls(
            {name: pin for name, pin in pins.items() if pin is not None},
            frozenset(settings.active_low),
            settings.tone_hz,
            settings.relay_s,
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(name for name in (*OUTPUTS, RELAY) if name in self.pins)

    def lines(self) -> tuple[Line, ...]:
        """Every wire: outputs first, then buttons. For `doctor` and the wiring picture."""
        outputs = [Line(name, self.pins[name], "output", name in self.active_low) for name in self.outputs]
        return (*outputs, *(Line(name, self.pins[name], "input", True) for name in BUTTONS))
