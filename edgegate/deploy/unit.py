"""The running service as systemd sees it: its state in words, and waiting until it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from edgegate.deploy.host import Host

NAME = "edgegate.service"
SAFE = "edgegate-safe.service"
SETTLE_S = 3.0
"""READY counts once it has lasted this long: a gate that crashes on its first picture was not ready."""
CRASHES = 3
"""So many ends before READY are enough to tell; every one of them costs seconds without a gate."""
_POLL_S = 0.2
_ASKED = (
    "ActiveState,SubState,StatusText,NRestarts,Result,ExecMainStatus,MainPID,UnitFileState,"
    "ActiveEnterTimestamp,ExecMainStartTimestamp,FragmentPath,NeedDaemonReload"
)


@dataclass(frozen=True, slots=True)
class State:
    """What `systemctl show` says of the service."""

    values: dict[str, str]

    @classmethod
    def ask(cls, host: Host) -> Self:
        lines = host.systemctl("show", NAME, "--timestamp=unix", "-p", _ASKED, check=False).splitlines()
        return cls({key: value for key, _, value in (line.partition("=") for line in lines)})

    def __getitem__(self, key: str) -> str:
        return self.values.get(key, "")

    @property
    def running(self) -> bool:
        """Type=notify: only a gate that said READY is active."""
        return (self["ActiveState"], self["SubState"]) == ("active", "running")

    @property
    def wanted(self) -> bool:
        """Running, or on its way there."""
        return self["ActiveState"] in ("active", "activating", "reloading")

    @property
    def meant(self) -> bool:
        """Wanted, or given up by systemd: not stopped by somebody."""
        return self.wanted or self["ActiveState"] == "failed"

    @property
    def restarts(self) -> int:
        return int(self["NRestarts"]) if self["NRestarts"].isdigit() else 0

    def moment(self, key: str) -> int:
        """A timestamp in UTC seconds; 0 when it has none."""
        digits = self[key].removeprefix("@")
        return int(digits) if digits.isdigit() else 0

    @property
    def failure(self) -> str:
        """Why it is not running, in words."""
        result, status = self["Result"], self["ExecMainStatus"]
        words = {
            "exit-code": f"it ended with exit code {status}",
            "signal": f"it was ended by signal {status}",
            "core-dump": f"it was ended by signal {status}",
            "watchdog": "its loop stood still and the watchdog ended it",
            "timeout": "it did not say READY in time",
            "oom-kill": "it took more memory than it may have",
            "start-limit-hit": "it ended again and again",
            "resources": "systemd could not start it (journalctl -u edgegate)",
            "protocol": "it ended before it said READY",
        }
        return words.get(result, f"{self['ActiveState']}, {self['SubState']}")


def ready(
    host: Host,
    within_s: float,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until the service is READY and stays so. Returns "" then, else the reason in words."""
    until = now() + within_s
    since, pid, last = 0.0, "", ""
    while True:
        state = State.ask(host)
        if state.running:
            if state["MainPID"] != pid:
                since, pid = now(), state["MainPID"]
            if now() - since >= SETTLE_S:
                return ""
        else:
            pid = ""
            if state["Result"] not in ("", "success"):
                last = state.failure
            if state["ActiveState"] == "failed" or state.restarts >= CRASHES:
                return last or state.failure
        if now() > until and not pid:
            return last or f"it was not READY within {within_s:.0f} s"
        sleep(_POLL_S)
