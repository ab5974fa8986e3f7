"""The parts of an installation around the version itself. Each function does one step and says what it changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from edgegate.deploy import assets, configuration, devices
from edgegate.deploy.host import Host, last_line, link, write
from edgegate.deploy.versions import CONFIG, FOLDER

COMMAND = "/usr/local/bin/edgegate"
DEVICE_KEY = "/etc/edgegate/device.key"
_ZBAR = ("/usr/lib", "/lib", "/usr/local/lib")


def files(host: Host, version: Path | None = None) -> list[str]:
    """Put unit, rules and the like in place, those of the version in the folder `version`. Returns what changed."""
    return [place for name, place in assets.PLACES.items() if write(host.path(place), assets.unit(name, version))]


def user(host: Host) -> list[str]:
    """The user and groups that the gate runs as."""
    database = [host.path("/etc/passwd"), host.path("/etc/group")]
    before = [path.read_text("utf-8") if path.exists() else "" for path in database]
    root = () if host.live else (f"--root={host.root}",)
    host.run("systemd-sysusers", *root, assets.PLACES["sysusers.conf"] if host.live else "edgegate.conf")
    after = [path.read_text("utf-8") for path in database]
    return ["user edgegate"] if before != after else []


def directories(host: Host) -> list[str]:
    """Configuration and state, with their owners."""
    wanted = [host.path(path) for path in ("/etc/edgegate", "/var/lib/edgegate", "/var/lib/edgegate/models")]
    before = [_owner(path) for path in wanted]
    root = () if host.live else (f"--root={host.root}",)
    host.run("systemd-tmpfiles", "--create", *root, assets.PLACES["tmpfiles.conf"] if host.live else "edgegate.conf")
    return [str(path) for path, owner in zip(wanted, before, strict=True) if _owner(path) != owner]


def device_key(host: Host, version: Path) -> str:
    """The key by which the device signs, made by the version in this folder. Says what it did; a gate runs without."""
    path = host.path(DEVICE_KEY)
    if path.exists() and path.with_suffix(".pub").exists():
        return "nothing to do"
    if "device.key" not in assets.unit("edgegate.service", version):
        return "this version has none"
    done = host.attempt(version / "bin" / "python", "-m", "edgegate.device_key", path)
    return f"{DEVICE_KEY}: made" if done.returncode == 0 else f"not made: {last_line(done.stderr)}"


def first_configuration(host: Host) -> list[str]:
    """Write /etc/edgegate/config.yaml unless there is one. Returns a line for each choice."""
    path = host.path(CONFIG)
    if path.exists():
        return []
    text, said = configuration.first(devices.look(host), zbar=_zbar(host))
    write(path, text, 0o640)
    if os.geteuid() == 0:
        shutil.chown(path, group=path.parent.stat().st_gid)
    return said


def asked(host: Host) -> dict[str, Any]:
    """What the configuration needs, as the installed version reads it (see `needs`). Raises EdgeGateError for a
    configuration with mistakes."""
    python = host.path(f"{FOLDER}/current/bin/python")
    found: dict[str, Any] = json.loads(host.run(python, "-m", "edgegate.deploy.needs", host.path(CONFIG)))
    return found


def chosen(host: Host, needs: dict[str, Any], version: Path | None = None) -> list[str]:
    """Drop-ins and rules that only this configuration needs; those it needs no longer go."""
    changed = []
    for name, key in (("edgegate-network.conf", "network"), ("edgegate-csi.conf", "csi")):
        place = assets.CHOSEN[name]
        if needs[key]:
            changed += [place] if write(host.path(place), assets.unit(name, version)) else []
        else:
            changed += _remove(host, place)
    rules = needs["rules"]
    if rules:
        text = "# The badge readers of /etc/edgegate/config.yaml. Written anew by `edgegate service install`.\n"
        if write(host.path(assets.READER_RULES), text + "\n".join(rules) + "\n"):
            changed.append(assets.READER_RULES)
    else:
        changed += _remove(host, assets.READER_RULES)
    return changed


def command(host: Host) -> list[str]:
    """`edgegate` on everybody's path; a program of that name that is not ours stays."""
    path = host.path(COMMAND)
    if path.exists() and not path.is_symlink():
        return []
    return [COMMAND] if link(path, f"{FOLDER}/current/bin/edgegate") else []


def reload(host: Host, changed: list[str]) -> None:
    """Tell systemd and udev what changed."""
    if not host.live or not changed:
        return
    host.systemctl("daemon-reload")
    if any("udev" in place for place in changed):
        host.attempt("udevadm", "control", "--reload")
        host.attempt("udevadm", "trigger", "--subsystem-match=gpio", "--subsystem-match=input", "--subsystem-match=tty")
    if any("modules-load" in place for place in changed):
        host.attempt("systemctl", "restart", "systemd-modules-load.service")


def _remove(host: Host, place: str) -> list[str]:
    path = host.path(place)
    if not path.exists():
        return []
    path.unlink()
    return [place]


def _owner(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_uid, status.st_gid, status.st_mode


def _zbar(host: Host) -> bool:
    return any(next(host.path(folder).glob("**/libzbar.so.0"), None) for folder in _ZBAR)
