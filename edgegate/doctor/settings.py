"""The configuration and the keys it names."""

from __future__ import annotations

import os
import stat

from edgegate import device_key
from edgegate.badges.issuer import is_encrypted, load_public, private_path
from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, ok, skip, warn
from edgegate.errors import ConfigError, EdgeGateError
from edgegate.files import exists
from edgegate.vault import secret
from edgegate.words import LANGUAGES, Words


def configuration(found: Config | ConfigError) -> Finding:
    """What the daemon's own loader made of it."""
    if isinstance(found, ConfigError):
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        return fail(f"{found.problems[0]}{more}", "`edgegate check` lists every mistake")
    for language in LANGUAGES:
        Words(language)
    return ok(f"{found.file} is good: gate {found.gate.name!r}, words in {', '.join(LANGUAGES)}")


def issuers(config: Config) -> Finding:
    """Whose badges this gate believes."""
    count = len(load_public(config.badges.issuers))
    says = f"{count} public key{'s' if count > 1 else ''}"
    for path in config.badges.issuers:
        if exists(private_path(path)) and not is_encrypted(path):
            return warn(
                f"{says}; {private_path(path)} lies on this device without a passphrase: who takes it makes badges",
                "move it to the office, or make keys with a passphrase",
            )
    return ok(says)


def site_secret(config: Config, machine: Machine) -> Finding:
    """Readable for the gate, and not for everybody."""
    path = config.vault.site_secret
    try:
        secret.load(path)
    except EdgeGateError as error:
        if path.name in machine.credentials():
            return skip(f"{path} is systemd's to hand over", "see what the line `service` says")
        return fail(f"{path}: {error.what}", error.next)
    mode = stat.S_IMODE(path.stat().st_mode) if exists(path) else 0
    return ok(f"{path} can be read, mode {mode:04o}")


def device(config: Config, machine: Machine) -> Finding:
    """The device's own key: there, nobody else's to read, and with the public part that belongs to it."""
    path = config.gate.device_key
    handed = path.name in machine.credentials()
    try:
        key = device_key.load(path)
        device_key.check_public(path, key)
    except device_key.DeviceKeyMissing as error:
        return warn(f"{error.where} {error.what}: what this device signs cannot be made or checked", error.next)
    except EdgeGateError as error:
        if handed and os.geteuid() != 0:
            return skip(f"{path} is systemd's to hand over", "see what the line `service` says")
        return fail(f"{error.where}: {error.what}", error.next)
    if not handed and machine.unit().get("LoadState") == "loaded":
        return warn(
            f"device {key.name}, whose key the unit does not hand to the gate", "run `edgegate service install`"
        )
    return ok(f"device {key.name}, mode {stat.S_IMODE(path.stat().st_mode):04o}")
