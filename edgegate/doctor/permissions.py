"""May the user that runs the gate use its files and devices, and nobody else those that are secret?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edgegate.badges.hid import keyboards
from edgegate.config import Config, HidReader, SerialReader
from edgegate.doctor.machine import Machine, User, may
from edgegate.doctor.report import Finding, fail, merge, ok, warn

READ, WRITE, ENTER = 4, 2, 1
_VERBS = {READ: "read", READ | WRITE: "use", READ | WRITE | ENTER: "write to", READ | ENTER: "look into"}
MOST = 3
"""How many troubles fit in one line."""


def rights(machine: Machine) -> Finding:
    """Can whoever asks see what is to be seen?"""
    user, uid = machine.user(), os.geteuid()
    if uid in (0, user.uid):
        return ok("root sees everything" if uid == 0 else f"as {user.name}, who runs the gate")
    return warn(f"what only root or {user.name} may open will seem broken", "run `sudo edgegate doctor`")


def permissions(config: Config, machine: Machine) -> Finding:
    """Everything the configuration names that is there; what is missing is told by others."""
    user = machine.user()
    handed = machine.credentials()
    wanted = [*_files(config, handed), *_devices(config, machine)]
    troubles = [finding for path, want in wanted if (finding := _look(user, machine, path, want)) is not None]
    troubles += _too_open(config)
    if not troubles:
        return ok(f"user {user.name} may use all {len(wanted)} files, folders and devices that are there")
    if len(troubles) > MOST:
        troubles[MOST:] = [fail(f"{len(troubles) - MOST} more", "")]
    return merge(*troubles)


def _files(config: Config, handed: set[str]) -> Iterator[tuple[Path, int]]:
    yield config.file, READ
    for path in config.badges.issuers:
        yield path, READ
    for path in (config.vault.site_secret, config.gate.device_key):
        if path.name not in handed:
            yield path, READ
    for path in (config.vault.path, config.journal.path):
        yield path.parent, READ | WRITE | ENTER
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            yield path.with_name(name), READ | WRITE
    yield config.journal.path.with_suffix(".lock"), READ | WRITE
    yield config.faces.models_dir, READ | ENTER


def _devices(config: Config, machine: Machine) -> Iterator[tuple[Path, int]]:
    use = READ | WRITE
    if config.camera.kind == "v4l2":
        yield Path(config.camera.argument), use
    for reader in config.badges.readers:
        if isinstance(reader, SerialReader):
            yield reader.device, use
        elif isinstance(reader, HidReader) and reader.device.startswith("/"):
            yield Path(reader.device), READ
        elif isinstance(reader, HidReader):
            for keyboard in keyboards():
                if keyboard.id == reader.device.lower():
                    yield keyboard.node, READ
    kind, _, chip = config.signals.pins.partition(":")
    if kind == "gpiod":
        yield Path(chip), use
    elif kind == "lgpio":
        # A Pi's header is on chip 0 or, with some kernels of the Pi 5, on chip 4; both have the same owner.
        for path in sorted(machine.path("/dev").glob("gpiochip*"))[:1]:
            yield path, use


def _look(user: User, machine: Machine, path: Path, want: int) -> Finding | None:
    try:
        barrier = may(user, path, want)
    except OSError:
        return None
    return _barred(user, machine, path, want, barrier) if barrier is not None else None


def _barred(user: User, machine: Machine, path: Path, want: int, barrier: Path) -> Finding:
    """What would let this user in."""
    says = f"user {user.name} may not {_VERBS[want]} {path}"
    found = barrier.stat()
    if stat.S_ISCHR(found.st_mode):
        group = machine.group(found.st_gid)
        rules = "the rules of `edgegate service install`"
        # Members of `input` could read every keyboard: the rules give the gate its own readers only.
        shared = found.st_gid != 0 and (found.st_mode >> 3) & want == want and group != "input"
        return fail(says, f"`usermod -aG {group} {user.name}`, or {rules}" if shared else f"it needs {rules}")
    if barrier != path.resolve():
        return fail(f"{says}: {barrier} is in the way", f"`chmod o+x {barrier}`, or move the file")
    return fail(
        says, f"`chown {user.name} {path}`" if want & WRITE else f"`chgrp {user.name} {path}`, `chmod g+r {path}`"
    )


def _too_open(config: Config) -> Iterator[Finding]:
    """A key is refused by the gate itself when everybody may read it; its state should be as private."""
    for folder in dict.fromkeys((config.vault.path.parent, config.journal.path.parent)):
        if folder.is_dir() and (mode := stat.S_IMODE(folder.stat().st_mode)) & 0o077:
            yield warn(f"{folder} is open to others (mode {mode:04o})", f"`chmod 700 {folder}`")
    for path in (config.vault.site_secret, config.gate.device_key, config.vault.path, config.journal.path):
        if path.is_file() and path.stat().st_mode & 0o007:
            yield fail(f"everybody may open {path}", f"`chmod 600 {path}`")
