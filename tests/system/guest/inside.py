"""Runs `guest.sandbox` under the gate's own unit, with everything the unit says but what the gate itself does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .hands import UNIT
from .parts import journal, properties, run

INSIDE = "inside.service"
_THE_GATES_OWN = (
    r"(?m)^(ExecStart|ExecStop|Type|NotifyAccess|Watchdog|Restart|TimeoutStart|OnFailure|StartLimit)\w*=.*$"
)


def tell() -> dict[str, str]:
    """What came of each attempt."""
    _run()
    found: dict[str, str] = json.loads([line for line in journal(INSIDE) if line.startswith("{")][-1])
    return found


def greed() -> str:
    """How the unit ended that took more memory than it may: systemd's word."""
    _run("--greedy")
    return properties(INSIDE, "Result")["Result"]


def _run(*arguments: str) -> None:
    command = " ".join(("/opt/edgegate/current/bin/python -m guest.sandbox", *arguments))
    unit = re.sub(_THE_GATES_OWN, "", run("systemctl", "cat", UNIT))
    ours = f"[Service]\nType=oneshot\nTimeoutStartSec=300\nEnvironment=PYTHONPATH=/opt/machine\nExecStart={command}"
    Path("/run/systemd/system", INSIDE).write_text(unit.replace("[Service]", ours, 1))
    run("systemctl", "daemon-reload")
    run("systemctl", "stop", UNIT)
    run("systemctl", "start", INSIDE, check=False)
    run("systemctl", "start", "--no-block", UNIT)
