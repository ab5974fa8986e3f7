"""Mock pins and a real chip behind one interface, with lights, buttons and a history of every change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gpiozero import Factory
from gpiozero.pins.mock import MockFactory

from edgegate.model import Button
from edgegate.signals.gpio import GpioSignals
from edgegate.signals.patterns import FAULT_VALUES
from edgegate.signals.pins import SoundingMockPin, factory
from edgegate.signals.wiring import OUTPUTS, Wiring
from tests.gpio_sim import GpioSim, gpio_sim, there_is_a_chip

PINS = {"green": 17, "amber": 27, "red": 22, "buzzer": 23, "acknowledge": 24, "diary": 25}
PLAIN = Wiring(PINS)
RELAYS = Wiring(PINS | {"relay": 5}, frozenset((*OUTPUTS, "relay")), relay_s=0.15)
"""A relay board, on at 0 V, with a door opener."""
TONE_HZ = 200.0
FAULTS = FAULT_VALUES | {"relay": False}


class Chip(Protocol):
    """The far side of the pins."""

    def factory(self) -> Factory: ...

    def level(self, line: int) -> bool: ...

    def resistor(self, line: int, *, up: bool) -> None:
        """What the wire is at when nobody drives it."""

    def press(self, line: int) -> None:
        """Press and release a button."""

    def driven(self) -> list[tuple[int, bool]]:
        """The levels driven on each line since `forget`, in order."""

    def forget(self) -> None: ...

    def close(self) -> None: ...


class MockChip:
    """gpiozero's mock pins; they can be broken and mended, each by itself."""

    def __init__(self) -> None:
        self._driven: list[tuple[int, bool]] = []
        chip = self

        class WatchedPin(SoundingMockPin):
            def _change_state(self, value: float) -> bool:
                changed = bool(super()._change_state(value))
                if changed and self.function == "output":
                    chip._driven.append((self._number, bool(value)))
                return changed

            def _get_state(self) -> Any:
                self._answer()
                return super()._get_state()

        self._factory = MockFactory(pin_class=WatchedPin)

    def factory(self) -> Factory:
        return self._factory

    def level(self, line: int) -> bool:
        return bool(self._factory.pin(line)._state)

    def resistor(self, line: int, *, up: bool) -> None:
        self._factory.pin(line)._change_state(up)

    def press(self, line: int) -> None:
        self._factory.pin(line).drive_low()
        self._factory.pin(line).drive_high()

    def driven(self) -> list[tuple[int, bool]]:
        return self._driven.copy()

    def forget(self) -> None:
        self._driven.clear()

    def close(self) -> None:
        self.mend()

    def cut(self, *lines: int) -> None:
        """These do not answer any more."""
        for line in lines:
            self._factory.pin(line).cut = True

    def mend(self) -> None:
        """All answer again."""
        for line in range(28):
            self._factory.pin(line).cut = False


class SimChip(GpioSim):
    """The kernel's simulated chip, through one of our factories."""

    def __init__(self, sim: GpioSim, made: Factory) -> None:
        self.__dict__.update(vars(sim))
        self._factory = made

    def factory(self) -> Factory:
        return self._factory

    def close(self) -> None:
        self._factory.close()


def gpiod_chip() -> SimChip:
    sim = gpio_sim()
    return SimChip(sim, factory(f"gpiod:{sim.path}"))


def lgpio_chip() -> SimChip:
    sim = gpio_sim()
    from edgegate.signals.lgpio_factory import LgpioFactory

    class PiFactory(LgpioFactory):
        """As on a Raspberry Pi 3, whose pins are those of this chip."""

        def _get_revision(self) -> int:
            return 0xA02082

    return SimChip(sim, PiFactory(sim.number))


CHIPS: dict[str, Callable[[], Chip]] = {"mock": MockChip}
if there_is_a_chip():
    CHIPS |= {"gpiod": gpiod_chip, "lgpio": lgpio_chip}
WIRINGS = {"plain": PLAIN, "relays": RELAYS}


@dataclass
class Bench:
    """Signals on a chip. Here an output is on or off, at whatever level its wiring has that."""

    chip: Chip
    wiring: Wiring
    signals: GpioSignals = field(init=False)
    pressed: list[Button] = field(default_factory=list)
    _before: dict[str, bool] = field(default_factory=dict)

    def open(self) -> None:
        """With resistors that keep every output off while nobody drives it."""
        for name in self.wiring.outputs:
            self.chip.resistor(self.wiring.pins[name], up=name in self.wiring.active_low)
        self.forget()
        self.signals = GpioSignals(self.chip.factory(), self.wiring, self.pressed.append)

    def level(self, name: str) -> bool:
        """Where an output is at now."""
        return self.chip.level(self.wiring.pins[name]) is not (name in self.wiring.active_low)

    def levels(self) -> dict[str, bool]:
        return {name: self.level(name) for name in self.wiring.outputs}

    def history(self) -> list[tuple[str, bool]]:
        """Every change of an output since `forget`, in order."""
        names = {self.wiring.pins[name]: name for name in self.wiring.outputs}
        at, changes = self._before.copy(), []
        for line, high in self.chip.driven():
            name = names.get(line)
            if name is not None and at[name] is not (on := high is not (name in self.wiring.active_low)):
                at[name] = on
                changes.append((name, on))
        return changes

    def changes(self, name: str) -> list[bool]:
        return [on for changed, on in self.history() if changed == name]

    def forget(self) -> None:
        self._before = self.levels()
        self.chip.forget()

    def press(self, button: Button) -> None:
        self.chip.press(self.wiring.pins[button.value])

    @property
    def faults(self) -> dict[str, bool]:
        return {name: FAULTS[name] for name in self.wiring.outputs}


def has_changed(bench: Bench, name: str, times: int) -> bool:
    return len(bench.changes(name)) >= times
