"""`edgegate service status`: one screen that says whether the gate runs, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from edgegate.deploy import seal, trial, unit
from edgegate.deploy.host import Host
from edgegate.deploy.install import MISSING_KEYS
from edgegate.deploy.versions import CONFIG, Versions

Say = Callable[[str, str], None]


def status(host: Host, say: Say) -> int:
    """0 when the gate is READY, 1 when it is not."""
    versions = Versions(host)
    current, state = versions.current(), unit.State.ask(host)
    if current is None:
        say("version", "none installed")
        say("next", "edgegate service install")
        return 1
    before = versions.previous()
    say("version", current + (f"   (before: {before})" if before else ""))
    if trial.orphaned(host):
        say("trial", "another version runs on trial; at the latest a reboot ends it")
    words = f"{state['ActiveState']} ({state['SubState']})"
    if state.running:
        words += f" since {datetime.fromtimestamp(state.moment('ActiveEnterTimestamp')):%Y-%m-%d %H:%M:%S}"
    say("service", f"{words}, {state.restarts} restarts, at boot: {state['UnitFileState'] or 'no'}")
    if state["StatusText"]:
        say("says", state["StatusText"])
    step = _next(host, state)
    if step:
        say("next", step)
    return 0 if state.running else 1


def _next(host: Host, state: unit.State) -> str:
    try:
        if not host.path(CONFIG).exists():
            return "edgegate service install   (writes the configuration)"
        if not seal.there(host):
            return MISSING_KEYS
    except PermissionError:
        return "" if state.running else "sudo edgegate service status   (only root sees why)"
    if state["NeedDaemonReload"] == "yes":
        return "systemctl daemon-reload && systemctl restart edgegate   (its unit was changed)"
    if state.running:
        return ""
    if state["ActiveState"] == "failed":
        return f"{state.failure}: journalctl -u edgegate -n 20, mend it, then systemctl restart edgegate"
    if state.wanted:
        return f"wait, or journalctl -u edgegate -f ({state.failure})"
    return "edgegate service install   (starts it)"
