"""A simulated GPIO chip of the kernel (gpio-sim), from the far side: what its lines are at, and fingers on its inputs.

`EDGEGATE_TEST_GPIOCHIP` names the chip (/dev/gpiochip0), `EDGEGATE_TEST_GPIOSIM` the folder of its simulated lines
(/sys/devices/platform/gpio-sim.0/gpiochip0). Every level that is ever driven is read back from the kernel's trace
of GPIO events, so a glitch of a microsecond shows. Needs root. Where the variables are not set, the tests that want a
real chip are skipped and say so.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CHIP, LINES = "EDGEGATE_TEST_GPIOCHIP", "EDGEGATE_TEST_GPIOSIM"
PATIENCE_S = 60.0
"""A virtual machine without acceleration computes up to fifty times slower."""
TOUCH_S = 0.25
"""A press that no debouncing swallows, there as well."""
LINK = Path("/dev/edgegate-test-gpio")
"""A name of its own for the chip, as a udev rule gives: pulled out while lines are held and put back, a chip comes
back under another number (Linux 6.1)."""
_TRACE = Path("/sys/kernel/tracing")
_SIMS = Path("/sys/kernel/config/gpio-sim")


def wait_for(happened: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Until something that another thread or the kernel does has come that far."""
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


class GpioSim:
    """The chip and its lines. `device` is the folder of the simulated device in sysfs."""

    path = str(LINK)

    def __init__(self, device: Path) -> None:
        self._device = device
        (self._sim,) = (sim for sim in _SIMS.iterdir() if (sim / "dev_name").read_text().strip() == device.name)
        (_TRACE / "events/gpio/gpio_value/enable").write_text("1")
        self._find()
        self.forget()

    def _find(self) -> None:
        (name,) = (path.read_text().strip() for path in self._sim.glob("*/chip_name"))
        (base,) = self._device.glob("gpio/gpiochip*/base")
        self._lines, self._base = self._device / name, int(base.read_text())
        wait_for(lambda: Path("/dev", name).exists())
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(name)

    @property
    def number(self) -> int:
        return int(LINK.resolve().name.removeprefix("gpiochip"))

    def level(self, line: int) -> bool:
        """What is on the wire now."""
        return (self._lines / f"sim_gpio{line}" / "value").read_text().strip() == "1"

    def resistor(self, line: int, *, up: bool) -> None:
        """What the wire is at when nobody drives it."""
        (self._lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")

    def press(self, line: int) -> None:
        """A finger on a button that pulls its line to ground."""
        self.resistor(line, up=False)
        time.sleep(TOUCH_S)
        self.resistor(line, up=True)
        time.sleep(TOUCH_S)

    def driven(self) -> list[tuple[int, bool]]:
        """Every level that was driven on a line since `forget`, in order, repetitions too."""
        return [(line, value) for _, line, value in self.timed()]

    def timed(self) -> list[tuple[float, int, bool]]:
        """As `driven`, each with the kernel's time in seconds."""
        found = re.findall(r" ([\d.]+): gpio_value: (\d+) set ([01])", (_TRACE / "trace").read_text())
        return [(float(at), int(line) - self._base, value == "1") for at, line, value in found]

    def forget(self) -> None:
        (_TRACE / "trace").write_text("")

    def plug(self, plugged: bool) -> None:
        """Pull the chip out of the machine, or put it back; its lines are then pulled down."""
        (self._sim / "live").write_text("1" if plugged else "0")
        if plugged:
            self._find()
        else:
            wait_for(lambda: not LINK.exists())


def there_is_a_chip() -> bool:
    """Does the environment name one?"""
    return bool(os.environ.get(CHIP) and os.environ.get(LINES))


def gpio_sim() -> GpioSim:
    """The chip that the environment names, all its lines pulled down; skips the test when it names none."""
    if not there_is_a_chip():
        pytest.skip(f"no simulated GPIO chip: name one with {CHIP} and {LINES}")
    chip = GpioSim(Path(os.environ[LINES]).parent)
    for line in range(28):
        chip.resistor(line, up=False)
    return chip
