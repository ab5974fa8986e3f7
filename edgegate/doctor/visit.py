"""Which checks there are, in which order, and what they wait for."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from edgegate.config import Config, OwnReader, QrReader
from edgegate.config_file import load
from edgegate.doctor import board, faces, keeping, parts, permissions, service, settings, storage, timekeeping
from edgegate.doctor.machine import SAFE_UNIT, Machine
from edgegate.doctor.report import Check, Finding, Line, carry_out, skip
from edgegate.errors import ConfigError

CAMERA_S = 30.0
"""A camera may take its time to open, and is then watched for two seconds."""
NO_CONFIGURATION = "needs a configuration without mistakes"


def examine(machine: Machine, path: Path, loopback: tuple[int, int] | None = None) -> Iterator[Line]:
    """Look at everything, in turn. Raises EdgeGateError, before the first line, when there is no configuration."""
    found: Config | ConfigError
    try:
        found = load(path)
    except ConfigError as error:
        found = error
    config = found if isinstance(found, Config) else None
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what the parts log, their lines here say better
    try:
        with alone(config) as free:
            for check in (
                *_machine(machine, config),
                Check("configuration", partial(settings.configuration, found)),
                *_gate(machine, config),
                *_devices(machine, config, free, loopback),
                Check("service", partial(service.service, machine)),
            ):
                yield carry_out(check)
    finally:
        logging.disable(level)


@contextmanager
def alone(config: Config | None) -> Iterator[bool]:
    """True while no gate runs; none can start before this ends. Unlike the daemon, the doctor makes no lock file."""
    lock = -1
    with suppress(OSError):
        if config is not None:
            lock = os.open(config.journal.path.with_suffix(".lock"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield lock < 0 or _taken(lock)
    finally:
        if lock >= 0:
            os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _machine(machine: Machine, config: Config | None) -> Iterator[Check]:
    yield Check("rights", partial(permissions.rights, machine))
    yield Check("versions", partial(board.versions, machine))
    yield Check("libraries", board.libraries, limit_s=180)
    yield Check("board", partial(board.board, machine))
    yield Check("memory", partial(board.memory, machine))
    yield Check("temperature", partial(board.temperature, machine))
    yield Check("clock", partial(timekeeping.clock, config))
    yield Check("time server", partial(timekeeping.synchronised, machine))
    yield Check("battery clock", partial(timekeeping.battery_clock, machine))
    yield Check("flash wear", partial(storage.wear, machine))


def _gate(machine: Machine, config: Config | None) -> Iterator[Check]:
    checks: tuple[tuple[str, Callable[[Config], Finding], float], ...] = (
        ("disk", storage.disk, 15),
        ("issuers", settings.issuers, 15),
        ("site secret", partial(settings.site_secret, machine=machine), 15),
        ("device key", partial(settings.device, machine=machine), 15),
        ("permissions", partial(permissions.permissions, machine=machine), 15),
        ("vault", partial(keeping.vault, machine=machine), 120),
        ("journal", keeping.journal, 120),
        ("pack", faces.pack, 120),
        ("liveness", faces.liveness, 120),
        ("camera name", partial(parts.camera_name, machine=machine), 15),
    )
    for name, look, limit_s in checks:
        yield Check(name, partial(look, config) if config is not None else _without_configuration, limit_s)


def _devices(machine: Machine, config: Config | None, free: bool, loopback: tuple[int, int] | None) -> Iterator[Check]:
    """Camera, readers and pins have one holder at a time."""
    if config is None:
        yield from (Check(name, _without_configuration) for name in ("camera", "readers", "pins"))
        return
    busy = partial(_in_use, machine)
    held = busy if not free else partial(_held_safe, machine) if _holds_safe(machine) else None
    yield Check("camera", partial(parts.camera, config) if free else busy, CAMERA_S)
    for number, reader in enumerate(config.badges.readers, start=1):
        if not isinstance(reader, QrReader):
            yield Check(f"reader {number}", _reader(reader, config, None if free else busy, held))
    yield Check("pins", held or partial(parts.pins, config))
    if loopback is not None:
        yield Check("loop-back", held or partial(parts.loopback, config, *loopback))


def _reader(
    reader: OwnReader, config: Config, busy: Callable[[], Finding] | None, held: Callable[[], Finding] | None
) -> Callable[[], Finding]:
    return (held if reader.kind == "wiegand" else busy) or partial(parts.reader, reader, config)


def _without_configuration() -> Finding:
    return skip(NO_CONFIGURATION)


def _in_use(machine: Machine) -> Finding:
    status = machine.unit().get("StatusText", "")
    return skip(f"in use by the running gate{f', which says {status!r}' if status else ''}")


def _holds_safe(machine: Machine) -> bool:
    return machine.unit(SAFE_UNIT).get("ActiveState") == "active"


def _held_safe(machine: Machine) -> Finding:
    return skip(f"held at their fault values by {SAFE_UNIT}", f"`systemctl stop {SAFE_UNIT}` to try them")
