"""The disk the gate writes to: space, and how worn it is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, merge, ok, skip, warn

LOW_MB, FULL_MB = 500, 50
LOW_FILES, FULL_FILES = 5000, 100
EMMC = "/sys/block/mmcblk0/device"
WORN = 9
"""JEDEC's eMMC counts its life in tenths: 9 means that 80 to 90 % are used up."""
_RESERVES = {2: "most of its spare blocks are used up", 3: "its spare blocks are used up"}


@dataclass(frozen=True, slots=True)
class Space:
    """What is left on a file system for somebody who is not root. `files` is None where they are not counted."""

    mb: float
    files: int | None
    read_only: bool

    @classmethod
    def of(cls, folder: Path) -> Space:
        found = os.statvfs(folder)
        return cls(
            found.f_bavail * found.f_frsize / 1e6,
            found.f_favail if found.f_files else None,
            bool(found.f_flag & os.ST_RDONLY),
        )


def disk(config: Config) -> Finding:
    """Room for vault and journal."""
    folders = dict.fromkeys(path.parent for path in (config.journal.path, config.vault.path))
    return merge(*(_folder(folder) for folder in folders))


def _folder(folder: Path) -> Finding:
    try:
        return room(folder, Space.of(folder))
    except OSError as error:
        return fail(f"{folder}: {error.strerror}", "make it, or correct vault.path and journal.path")


def room(folder: Path, space: Space) -> Finding:
    """Is that enough?"""
    if space.read_only:
        return fail(
            f"{folder} is read-only",
            "put the state on a partition that can be written; after errors, look at `dmesg` and change the card",
        )
    files = "" if space.files is None else f" and {space.files} files"
    says = f"{folder} has room for {space.mb:.0f} MB{files}"
    left = min(space.mb / FULL_MB, (FULL_FILES if space.files is None else space.files) / FULL_FILES)
    low = space.mb < LOW_MB or (space.files is not None and space.files < LOW_FILES)
    remedy = "make room on this disk: old logs (`journalctl --vacuum-size=50M`), packages (`apt-get clean`)"
    return fail(says, remedy) if left < 1 else warn(says, remedy) if low else ok(says)


def wear(machine: Machine) -> Finding:
    """How much of its life built-in flash has behind it. SD cards do not tell."""
    life = _numbers(machine.text(f"{EMMC}/life_time"))
    spent = next((_RESERVES.get(number) for number in _numbers(machine.text(f"{EMMC}/pre_eol_info"))), None)
    if not life:
        kind = machine.text(f"{EMMC}/type")
        return skip("an SD card does not tell" if kind == "SD" else "this disk does not tell")
    says = f"at most {min(100, 10 * max(life))} % of the flash's life used"
    if spent is None and max(life) < WORN:
        return ok(says)
    return warn(", ".join(filter(None, (says, spent))), "copy it to a new one soon: docs/deploy.md")


def _numbers(text: str) -> list[int]:
    """`0x01 0x02`, as the kernel writes them."""
    return [int(word, 16) for word in text.split() if re.fullmatch("0x[0-9a-fA-F]{1,2}", word)]
