"""Four outputs and two buttons through gpiozero."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from gpiozero import Button as GpioButton
from gpiozero import DigitalOutputDevice, Factory
from gpiozero.exc import GPIOZeroError

from edgegate.errors import SignalsLost
from edgegate.model import Button
from edgegate.signals.patterns import FAULT_VALUES, PATTERNS, TIMES, Rhythm
from edgegate.state import Lights

log = logging.getLogger(__name__)

OUTPUTS = ("green", "amber", "red", "buzzer")
BOUNCE_S = 0.05


class GpioSignals:
    """Port `Signals`. `pins` gives the BCM number of every output and button by name."""

    def __init__(self, factory: Factory, pins: dict[str, int], on_press: Callable[[Button], None]) -> None:
        self.factory, self.pins = factory, pins
        self._outputs: dict[str, DigitalOutputDevice] = {}
        self._buttons: list[GpioButton] = []
        self._rhythms = dict.fromkeys(OUTPUTS, Rhythm.OFF)
        try:
            for name in OUTPUTS:
                self._outputs[name] = DigitalOutputDevice(
                    pins[name], initial_value=FAULT_VALUES[name], pin_factory=factory
                )
            for button in Button:
                device = GpioButton(pins[button.value], pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory)
                device.when_pressed = partial(on_press, button)
                self._buttons.append(device)
        except (GPIOZeroError, OSError, ValueError) as error:
            self.close()
            raise SignalsLost(
                f"a pin cannot be used ({str(error).splitlines()[0]})",
                where="signals",
                next="check the pin numbers, and that no other program holds them",
            ) from None

    def show(self, lights: Lights) -> None:
        pattern = PATTERNS[lights]
        # Off before on: no two patterns are ever mixed, and green is never lit with red.
        rhythms = {name: getattr(pattern, name) for name in OUTPUTS}
        lost = ""
        for name in sorted(OUTPUTS, key=lambda name: rhythms[name] is not Rhythm.OFF):
            if lost and name == "green" and rhythms[name] is not Rhythm.OFF:
                continue  # never green beside a lamp that may still say otherwise
            try:
                self._drive(name, rhythms[name])
            except (GPIOZeroError, OSError) as error:
                # One dead lamp must not keep the others, the buzzer above all, from speaking.
                lost = lost or f"output {name} does not answer ({error})"
        if lost:
            raise SignalsLost(lost, where="signals", next="check the wiring, then restart")

    def levels(self) -> dict[str, str]:
        return {name: rhythm.value for name, rhythm in self._rhythms.items()}

    def safe(self) -> None:
        for name, device in self._outputs.items():
            value = FAULT_VALUES[name]
            try:
                device.on() if value else device.off()
            except (GPIOZeroError, OSError) as error:
                log.error("output %s could not be made safe: %s", name, error)
            self._rhythms[name] = Rhythm.ON if value else Rhythm.OFF

    def close(self) -> None:
        self.safe()
        devices = [*self._outputs.values(), *self._buttons]
        self._outputs, self._buttons = {}, []
        for device in devices:
            try:
                device.close()
            except (GPIOZeroError, OSError) as error:
                log.error("a pin could not be given back: %s", error)

    def _drive(self, name: str, rhythm: Rhythm) -> None:
        device = self._outputs[name]
        if rhythm in TIMES:
            device.on()  # a dead pin says so here, and not in gpiozero's thread where nobody listens
            on_s, off_s, times = TIMES[rhythm]
            device.blink(on_time=on_s, off_time=off_s, n=times, background=True)
        elif rhythm is Rhythm.ON:
            device.on()
        else:
            device.off()
        self._rhythms[name] = rhythm
