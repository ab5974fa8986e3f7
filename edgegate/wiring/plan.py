"""What hangs on which pin, and where that pin is on the board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from gpiozero.pins.pi import PiBoardInfo

from edgegate.config import Config, WiegandReader

Symbol: TypeAlias = Literal["lamp", "buzzer", "relay", "button", "wiegand"]

PI_5B = 0xC04170
"""A revision code of a Raspberry Pi 5. Every Pi with 40 pins has the same ones, and gpiozero knows them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One component on one pin. `notes` are at most three short lines."""

    pin: int
    name: str
    symbol: Symbol
    notes: tuple[str, ...]
    colour: str = "#ffffff"
    active_low: bool = False


@dataclass(frozen=True, slots=True)
class HeaderPin:
    """One pin of the 40-pin header: its number, and `GPIO17`, `GND`, `3V3` or `5V`."""

    number: int
    name: str


@cache
def header() -> tuple[HeaderPin, ...]:
    """The 40 pins in order: odd numbers in the column at the board's middle, even ones at its edge."""
    pins = PiBoardInfo.from_revision(PI_5B).headers["J8"].pins
    return tuple(HeaderPin(number, str(pins[number].name)) for number in sorted(pins))


def physical(bcm: int) -> int:
    """The number on the 40-pin header of a BCM number, 0 to 27."""
    return next(pin.number for pin in header() if pin.name == f"GPIO{bcm}")


def chip(config: Config) -> str | None:
    """The file name of the GPIO chip whose lines are meant; None where pins are those of a Raspberry Pi."""
    kind, _, device = config.signals.pins.partition(":")
    return Path(device).name if kind == "gpiod" else None


def parts(config: Config) -> list[Part]:
    """Every component of this configuration, by pin number."""
    return sorted((*_outputs(config), *_buttons(config), *_wiegand(config)), key=lambda part: part.pin)


def _outputs(config: Config) -> Iterator[Part]:
    signals = config.signals
    low = signals.active_low
    for name, colour, meaning in (
        ("green", "#2e9e4f", "pass"),
        ("amber", "#f0a020", "see the supervisor"),
        ("red", "#cc3333", "alarm"),
    ):
        yield Part(getattr(signals, name), f"{name} light", "lamp", (meaning, "LED with resistor"), colour, name in low)
    sound = "sounds by itself" if signals.tone_hz is None else f"passive, {signals.tone_hz:g} Hz"
    yield Part(signals.buzzer, "buzzer", "buzzer", ("alarm, chirp with green", sound), active_low="buzzer" in low)
    if signals.relay is not None:
        notes = (f"pulse of {signals.relay_s:g} s with green", "never in the way of leaving")
        yield Part(signals.relay, "door relay", "relay", notes, active_low="relay" in low)


def _buttons(config: Config) -> Iterator[Part]:
    signals = config.signals
    for pin, name, meaning in (
        (signals.acknowledge, "acknowledge button", "ends an alarm"),
        (signals.diary, "diary button", "diary checked: let pass"),
    ):
        yield Part(pin, name, "button", (meaning, "closes to GND", "(pull-up inside the board)"))


def _wiegand(config: Config) -> Iterator[Part]:
    for number, reader in enumerate(config.badges.readers, start=1):
        if isinstance(reader, WiegandReader):
            for line, colour in (("D0", "green"), ("D1", "white")):
                notes = (f"often the {colour} wire", "5 V: only through a", "level shifter to 3.3 V")
                pin = reader.d0 if line == "D0" else reader.d1
                yield Part(pin, f"reader {number}: Wiegand {line}", "wiegand", notes)
