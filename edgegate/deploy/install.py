"""`edgegate service install` and `upgrade`: from nothing, or from any half-way point, to a gate that runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegate.deploy import package, seal, system, trial, unit
from edgegate.deploy.host import Host
from edgegate.deploy.versions import CONFIG, Versions
from edgegate.errors import EdgeGateError

Say = Callable[[str, str], None]
"""Takes the name of a step and what it did."""
NOTHING = "nothing to do"
MISSING_KEYS = "edgegate issuer init -c /etc/edgegate/config.yaml"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    source: Path | None = None
    wheels: Path | None = None
    python: Path | None = None
    start: bool = True
    seal: str = "auto"
    ready_within_s: float = 60.0


def install(host: Host, wish: Wish, say: Say) -> int:
    """Every step is done if it is not done yet. Returns the exit code."""
    host.require()
    with host.alone():
        versions = Versions(host)
        _end_orphan(host, say)
        before = versions.current()
        name = _build(host, wish, versions, say)
        if before is not None and name != before:
            code = _upgrade(host, wish, versions, name, say)
            if code:
                return code
        elif before is None:
            versions.smoke(name)
            versions.switch(name)
        return _around(host, wish, versions, say)


def upgrade(host: Host, wish: Wish, say: Say) -> int:
    """Like `install`, of a device that has a version already."""
    host.require()
    if Versions(host).current() is None:
        raise EdgeGateError("nothing is installed yet", next="run `edgegate service install` instead")
    return install(host, wish, say)


def _build(host: Host, wish: Wish, versions: Versions, say: Say) -> str:
    with tempfile.TemporaryDirectory(prefix="edgegate-") as scratch:
        wanted = package.find(host, wish.source, wish.wheels, Path(scratch))
        if wanted is None:
            current = versions.current()
            if current is None:
                raise EdgeGateError("says not what to install", next="name a wheel or checkout with --from")
            say("version", f"{current}: {NOTHING}")
            return current
        new = versions.build(wanted, host.python(wish.python))
        say("version", f"{wanted.name}: {f'installed in {versions.folder / wanted.name}' if new else NOTHING}")
        return wanted.name


def _upgrade(host: Host, wish: Wish, versions: Versions, name: str, say: Say) -> int:
    """Try a version, keep it or go back. Returns 0 when it is the current one now."""
    before = versions.current()
    try:
        versions.smoke(name)
    except EdgeGateError:
        versions.remove(name)
        raise
    if host.live and wish.start and unit.State.ask(host).meant:
        say("upgrade", f"trying {name}, {wish.ready_within_s:.0f} s to be READY")
        stores = [Path(path) for path in system.asked(host)["stores"]]
        system.device_key(host, versions.folder / name)  # an older installation has none to hand over
        try:
            reason = trial.run(host, versions.folder / name, stores, wish.ready_within_s)
        except BaseException:
            host.systemctl("start", "--no-block", unit.NAME, check=False)
            raise
        if reason:
            host.systemctl("start", "--no-block", unit.NAME, check=False)
            still = unit.ready(host, wish.ready_within_s)
            versions.remove(name)
            end = f"{before} runs again" if not still else f"went back to {before}, which is not READY either: {still}"
            say("upgrade", f"{name} was not taken: {reason}; {end}")
            return 1
    versions.switch(name)
    say("upgrade", f"from {before} to {name}")
    return 0


def _around(host: Host, wish: Wish, versions: Versions, say: Say) -> int:
    """All that is not the version itself."""
    folder = versions.folder / (versions.current() or "")
    placed = system.files(host, folder)
    if trial.orphaned(host):
        trial.end(host)  # the installed unit says the same now; the service runs on
    say("files", _told(placed))
    say("user", _told(system.user(host)))
    say("folders", _told(system.directories(host)))
    say("device key", system.device_key(host, folder))
    choices = system.first_configuration(host)
    say("configuration", f"{CONFIG}: {'written' if choices else 'kept'}")
    for choice in choices:
        say("", choice)
    needs = system.asked(host)
    _expect(host, "vault.site_secret", needs["secret"], seal.PLAIN)
    _expect(host, "gate.device_key", needs.get("device_key", system.DEVICE_KEY), system.DEVICE_KEY)
    placed += system.chosen(host, needs, folder)
    had_plain = host.path(seal.PLAIN).exists()
    placed += seal.seal(host, seal.key_for(host, wish.seal))
    if had_plain and not host.path(seal.PLAIN).exists():
        say("site secret", "sealed: only this device opens it; its volunteers enrol again if it breaks, unless")
        say("", "you keep a copy elsewhere (systemd-creds decrypt --name=site.key " + seal.SEALED + " -)")
    system.command(host)
    system.reload(host, placed)
    code = _start(host, wish, needs, placed, say)
    gone = versions.prune() if code == 0 else []  # a gate that is not READY may need its last good version
    if gone:
        say("removed", ", ".join(gone))
    return code


def _start(host: Host, wish: Wish, needs: dict[str, Any], placed: list[str], say: Say) -> int:
    if host.systemctl("is-enabled", unit.NAME, check=False) != "enabled":
        host.systemctl("enable", "--quiet", unit.NAME)
    missing = [path for path in needs["issuers"] if not host.path(path).exists()]
    missing += [] if seal.there(host) else [seal.PLAIN]
    state = unit.State.ask(host)
    if missing:
        say("service", f"enabled, not started: {' and '.join(missing)} not there yet")
        say("next", f"{MISSING_KEYS}   (or copy this site's own)")
        say("", "edgegate service install   (seals, starts)")
        return 0
    if not wish.start or not host.live:
        say("service", "enabled, not started")
        return 0
    if state["NeedDaemonReload"] == "yes":
        host.systemctl("daemon-reload")
    elif state.running and not any("udev" not in place for place in placed) and not _older(host, state, needs):
        say("service", f"{NOTHING}: {state['StatusText'] or 'READY'}")
        return 0
    host.systemctl("reset-failed", unit.NAME, check=False)
    host.systemctl("restart" if state.wanted else "start", "--no-block", unit.NAME)
    reason = unit.ready(host, wish.ready_within_s)
    if reason:
        say("service", f"not READY: {reason}")
        say("next", "journalctl -u edgegate -n 20")
        return 1
    say("service", unit.State.ask(host)["StatusText"] or "READY")
    return 0


def _older(host: Host, state: unit.State, needs: dict[str, Any]) -> bool:
    """Was the service started before its configuration or a key was changed?"""
    read = [host.path(path) for path in (CONFIG, seal.PLAIN, system.DEVICE_KEY, *needs["issuers"])]
    started = state.moment("ExecMainStartTimestamp")
    return any(path.exists() and int(path.stat().st_mtime) > started for path in read)


def _end_orphan(host: Host, say: Say) -> None:
    """An upgrade that was killed left its trial: what is installed counts, not what is tried."""
    if trial.orphaned(host):
        trial.end(host)
        host.systemctl("restart", "--no-block", unit.NAME, check=False)
        Versions(host).prune()
        say("upgrade", "an earlier one did not end: the installed version runs again")
    trial.discard(host)


def _expect(host: Host, key: str, named: str, handed: str) -> None:
    """The unit hands over one file; another name in the configuration would never be read."""
    if named not in (str(host.path(handed)), handed):
        raise EdgeGateError(f"{key} is {named}", where=CONFIG, next=f"the service reads {handed}: put it there")


def _told(changed: list[str]) -> str:
    return f"{len(changed)} placed" if len(changed) > 3 else ", ".join(changed) or NOTHING
