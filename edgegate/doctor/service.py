"""What systemd says of the gate."""

from __future__ import annotations

from edgegate.doctor.machine import UNIT, Machine
from edgegate.doctor.report import Finding, Result, fail, merge, ok, skip, warn
from edgegate.state import Phase

MANY_RESTARTS = 3
LOOK = f"look at `journalctl -u {UNIT}`"


def service(machine: Machine) -> Finding:
    """Installed, enabled, running, watched, and what its STATUS line says."""
    if not machine.has_systemd():
        return skip("this machine does not run systemd")
    unit = machine.unit()
    state = unit.get("LoadState")
    if state != "loaded":
        if state in (None, "not-found"):
            return warn("the gate is not installed as a service", "run `edgegate service install`")
        return fail(f"{UNIT} is {state}", f"run `systemd-analyze verify {UNIT}`, or `edgegate service install` again")
    return merge(_activity(unit), _boot(unit), _restarts(unit), _watchdog(unit))


def _activity(unit: dict[str, str]) -> Finding:
    active, status = unit.get("ActiveState", "unknown"), unit.get("StatusText", "")
    if active == "active":
        says = f"running: {status}" if status else "running"
        # The first word of STATUS is the state, as `edgegate.notify` writes it.
        phase = status.split(":")[0].split(" ")[0]
        if phase == Phase.FAULT.value:
            return fail(says, "mend what it names; the gate then comes back by itself")
        if phase == Phase.LOCKDOWN.value:
            return warn(says, "`edgegate lockdown off` when it is over")
        return ok(says)
    if active == "failed":
        return fail(f"failed ({unit.get('Result', 'unknown')})", f"{LOOK}, then `systemctl restart {UNIT}`")
    if active == "activating":
        return warn(f"starting ({unit.get('SubState', '')})", f"wait; if it stays so, {LOOK}")
    return warn(f"not running ({active})", f"run `systemctl start {UNIT}`")


def _boot(unit: dict[str, str]) -> Finding:
    state = unit.get("UnitFileState", "")
    if state.startswith("enabled"):
        return ok("starts at boot")
    return warn(f"does not start at boot ({state or 'unknown'})", f"run `systemctl enable {UNIT}`")


def _restarts(unit: dict[str, str]) -> Finding:
    count = unit.get("NRestarts", "0")
    if count == "0":
        return ok("")
    says = f"systemd had to start it again {count} times" if count != "1" else "systemd had to start it again once"
    many = not count.isdigit() or int(count) >= MANY_RESTARTS
    return warn(says, LOOK) if many else Finding(Result.OK, says)


def _watchdog(unit: dict[str, str]) -> Finding:
    period = unit.get("WatchdogUSec", "0")
    if period in ("0", "infinity"):
        return warn("no watchdog", "run `edgegate service install`: its unit has one")
    return ok(f"watchdog {period}")
