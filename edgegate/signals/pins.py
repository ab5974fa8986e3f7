"""Pin factories by name. `mock` is asked for by name and never stands in for another."""

from __future__ import annotations

from gpiozero import Factory
from gpiozero.exc import BadPinFactory, PinUnsupported
from gpiozero.pins.mock import MockFactory

from edgegate.errors import SignalsLost


def factory(name: str) -> Factory:
    """A gpiozero pin factory. Raises SignalsLost with what to do when this machine has no such pins."""
    if name == "mock":
        return MockFactory()
    try:
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory()
    except (ImportError, BadPinFactory, PinUnsupported, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
    except Exception as error:
        # lgpio raises its own class, which cannot be named where lgpio is not installed.
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise SignalsLost(
        f"the GPIO pins cannot be used ({text})",
        where=f"signals.pins: {name}",
        next="use a Raspberry Pi, the group `gpio` and Python 3.11 or 3.12; or pins: mock to try without",
    )
