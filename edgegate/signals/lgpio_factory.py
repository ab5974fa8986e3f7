"""gpiozero's lgpio pins (Raspberry Pi), mended where they would show something wrong.

gpiozero 2.0.1 claims an output at 0 V before it sets the level asked for, which fires an active-low relay for a moment,
and turns an output into an input when it is closed, which darkens the amber light that was to stay. lgpio itself leaves
a pipe in the directory where it is imported, and cannot be imported where that is read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory


@contextmanager
def _elsewhere() -> Iterator[None]:
    """In a passing directory: lgpio opens its pipe at import, and needs its name no more."""
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with TemporaryDirectory(prefix="edgegate-lgpio-") as folder:
            os.chdir(folder)
            try:
                yield
            finally:
                os.fchdir(here)
    finally:
        os.close(here)


with _elsewhere():
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin, lgpio


class LgpioPin(LGPIOPin):  # type: ignore[misc]  # gpiozero has no types: every base of its is Any
    """A pin of the Raspberry Pi's header."""

    def output_with_state(self, state: float) -> None:
        lgpio.gpio_claim_output(self.factory._handle, self._number, int(bool(state)))

    def _set_function(self, value: str) -> None:
        if value != "output" or self.function != "output":  # claiming again would set it to 0 V
            super()._set_function(value)

    def close(self) -> None:
        """Gives the pin back as it is: Raspberry Pi OS keeps its level."""
        if self.factory._handle is None:
            return
        with suppress(lgpio.error):
            self.when_changed = None
            self.frequency = None
        with suppress(lgpio.error):
            lgpio.gpio_free(self.factory._handle, self._number)


class LgpioFactory(LGPIOFactory):  # type: ignore[misc]  # as above
    """Raises lgpio.error when the chip cannot be opened, PinUnknownPi on another board."""

    def __init__(self, chip: int | None = None) -> None:
        super().__init__(chip)
        self.pin_class = LgpioPin
