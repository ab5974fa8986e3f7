"""What the gate shows and sounds like, as data. Never by colour alone: each pattern has its own rhythm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edgegate.state import Lights


class Rhythm(StrEnum):
    """How an output is driven."""

    OFF = "off"
    ON = "on"
    SLOW = "slow"
    """One second on, one off: the device is out of order."""
    QUICK = "quick"
    """Four times a second: a supervisor is needed now."""
    FLASH = "flash"
    """Briefly once a second: an answer is waited for."""
    CHIRP = "chirp"
    """One short sound."""
    PULSE = "pulse"
    """Once, for as long as the door opener needs."""


TIMES: dict[Rhythm, tuple[float, float, int | None]] = {
    Rhythm.SLOW: (1.0, 1.0, None),
    Rhythm.QUICK: (0.125, 0.125, None),
    Rhythm.FLASH: (0.1, 0.9, None),
    Rhythm.CHIRP: (0.12, 0.0, 1),
}
"""Seconds on, seconds off, how often (None: until told otherwise). How long a pulse is, the wiring says."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rhythm for every output."""

    green: Rhythm = Rhythm.OFF
    amber: Rhythm = Rhythm.OFF
    red: Rhythm = Rhythm.OFF
    buzzer: Rhythm = Rhythm.OFF
    relay: Rhythm = Rhythm.OFF
    """The door opener, where there is one."""


PATTERNS: dict[Lights, Pattern] = {
    Lights.READY: Pattern(),
    Lights.LOOKING: Pattern(),
    Lights.CONFIRMING: Pattern(amber=Rhythm.FLASH, buzzer=Rhythm.FLASH),
    Lights.GRANTED: Pattern(green=Rhythm.ON, buzzer=Rhythm.CHIRP, relay=Rhythm.PULSE),
    Lights.REFER: Pattern(amber=Rhythm.ON),
    Lights.ALARM: Pattern(red=Rhythm.QUICK, buzzer=Rhythm.QUICK),
    Lights.ALARM_SILENT: Pattern(red=Rhythm.QUICK),
    Lights.FAULT: Pattern(amber=Rhythm.SLOW),
    Lights.LOCKDOWN: Pattern(red=Rhythm.ON),
}

FAULT_VALUES = {"green": False, "amber": True, "red": False, "buzzer": False}
"""Where each output is left when no loop is there to drive it: amber says see the supervisor. The relay is left off."""
