"""Pin factories by name. `mock` is asked for by name and never stands in for another."""

from __future__ import annotations

import errno
from pathlib import Path

from gpiozero import Factory
from gpiozero.exc import PinPWMFixedValue
from gpiozero.pins.mock import MockFactory, MockPin

from edgegate.errors import SignalsLost

GPIOD = "gpiod:"


class SoundingMockPin(MockPin):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
    """gpiozero's mock pin, able to sound: with a frequency, its state is the duty cycle. While it is `cut` it does
    not answer."""

    cut = False
    _frequency: float | None = None

    def close(self) -> None:
        self._frequency = None
        if not self.cut:
            super().close()

    def _set_function(self, value: str) -> None:
        self._answer()
        super()._set_function(value)

    def _answer(self) -> None:
        if self.cut:
            raise OSError(errno.EIO, "the wire is cut")

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        if value is not None and self.function != "output":
            raise PinPWMFixedValue(f"cannot start PWM on pin {self!r}")
        self._frequency = value

    def _set_state(self, value: float) -> None:
        self._answer()
        if self._frequency is None:
            super()._set_state(value)
        else:
            self._change_state(float(value))


def factory(name: str) -> Factory:
    """A gpiozero pin factory. Raises SignalsLost with what to do when this machine has no such pins."""
    if name == "mock":
        return MockFactory(pin_class=SoundingMockPin)
    return _gpiod(name.removeprefix(GPIOD)) if name.startswith(GPIOD) else _lgpio(name)


def chips() -> list[str]:
    """The GPIO chips of this machine, each as its path with label and number of lines where it may be opened."""
    import gpiod

    found = []
    for path in sorted(Path("/dev").glob("gpiochip*")):
        try:
            with gpiod.Chip(str(path)) as chip:
                info = chip.get_info()
            found.append(f"{path} ({info.label}, {info.num_lines} lines)")
        except OSError:
            found.append(str(path))
    return found


def _gpiod(path: str) -> Factory:
    try:
        from edgegate.signals.gpiod_factory import GpiodFactory

        return GpiodFactory(path)
    except ImportError:
        text, remedy = "the package gpiod does not load", "install it: pip install 'gpiod>=2.2'"
    except PermissionError:
        text, remedy = "no permission", "run as a user of the group `gpio`, which the udev rule in systemd/ lets in"
    except OSError as error:
        text = "there is no such chip" if isinstance(error, FileNotFoundError) else f"no GPIO chip ({error.strerror})"
        remedy = f"name one that there is: {', '.join(chips()) or 'none on this machine'}"
    raise SignalsLost(text, where=f"signals.pins: {GPIOD}{path}", next=remedy)


def _lgpio(name: str) -> Factory:
    try:
        from edgegate.signals.lgpio_factory import LgpioFactory

        return LgpioFactory()
    except Exception as error:
        # lgpio raises a class of its own, which cannot be named where lgpio is not installed.
        text = (str(error).splitlines() or [type(error).__name__])[0]
    raise SignalsLost(
        f"the GPIO pins cannot be used ({text})",
        where=f"signals.pins: {name}",
        next="use a Raspberry Pi, the group `gpio` and Python 3.11 or 3.12; or pins: mock to try without",
    )
