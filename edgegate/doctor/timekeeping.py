"""The clock: plausible to the gate, kept by a time server, and kept over a power cut."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime

from edgegate import BUILT
from edgegate.adapters import open_journal
from edgegate.clock import Clock, RealClock
from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, ok, warn
from edgegate.files import exists
from edgegate.stores import KnownTime
from edgegate.trusted_clock import TrustedClock

SYNCHRONISED = "/run/systemd/timesync/synchronized"
RTC = "/sys/class/rtc/rtc0"
RTC_SLACK_S = 60


def clock(config: Config | None, machine_clock: Clock | None = None) -> Finding:
    """Does the gate believe it? By its own rule, with the journal where there is one."""
    known = KnownTime(0, 0)
    if config is not None and exists(config.journal.path):
        with closing(open_journal(config)) as journal:
            known = journal.known_time()
    now = machine_clock or RealClock()
    shown = datetime.fromtimestamp(now.wall()).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    if TrustedClock(now, lambda: known, BUILT).faults(now.monotonic()):
        return fail(f"it says {shown}, which cannot be", "set it, or run `edgegate clock accept` if it is right")
    return ok(f"it says {shown}, which can be")


def synchronised(machine: Machine) -> Finding:
    """Has a time server set it since the machine was started?"""
    said = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes" or machine.path(SYNCHRONISED).exists():
        return ok("set by a time server")
    return warn(
        "no time server has set it since the start",
        "run `timedatectl set-ntp true` and name a server of the school's, or set the clock by hand once a month",
    )


def battery_clock(machine: Machine) -> Finding:
    """Is there a clock that goes on without power, and does it agree?"""
    said = machine.text(f"{RTC}/since_epoch")
    if not said.isdigit():
        return warn(
            "there is none: after a power cut the gate does not know the time", "fit an RTC module with a battery"
        )
    apart = abs(int(said) - time.time())
    name = machine.text(f"{RTC}/name") or "rtc0"
    if apart > RTC_SLACK_S:
        return warn(f"{name} is {_long(apart)} off", "run `hwclock --systohc`; if it comes back, change its battery")
    return ok(f"{name} agrees to {apart:.0f} s")


def _long(seconds: float) -> str:
    return f"{seconds / 86_400:.0f} days" if seconds > 2 * 86_400 else f"{seconds / 60:.0f} minutes"
