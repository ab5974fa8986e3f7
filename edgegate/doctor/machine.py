"""The machine as files and a few programs: everything the doctor reads outside of the gate's own files.

`root` stands before /proc, /sys, /etc and /run, so that a machine can be laid out in a folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

UNIT = "edgegate.service"
SAFE_UNIT = "edgegate-safe.service"
_LIMIT = 64 * 1024
_PATIENCE_S = 5.0
_ASKED = (
    "LoadState ActiveState SubState UnitFileState StatusText NRestarts Result WatchdogUSec User SupplementaryGroups "
    "MemorySwapMax"
)


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the gate."""

    name: str
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Machine:
    """This one, or one laid out below `root`."""

    root: Path = Path("/")

    def path(self, name: str) -> Path:
        """A path of this machine such as /proc/meminfo."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str:
        """What a small file says, without blanks and zero bytes around it; empty when it cannot be read."""
        try:
            with self.path(name).open("rb") as stream:
                return stream.read(_LIMIT).decode("utf-8", "replace").strip(" \t\r\n\0")
        except OSError:
            return ""

    def run(self, *command: str) -> str | None:
        """What a program of this machine says; None where there is none, or when it fails or takes too long."""
        program = shutil.which(command[0])
        if program is None:
            return None
        try:
            done = subprocess.run(  # noqa: S603 - the commands are constants of this package
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout[:_LIMIT].decode("utf-8", "replace").strip() if done.returncode == 0 else None

    def has_systemd(self) -> bool:
        """Was this machine booted with systemd? (sd_booted(3))"""
        return self.path("/run/systemd/system").is_dir()

    def unit(self, name: str = UNIT) -> dict[str, str]:
        """What systemd knows of a unit (systemctl(1), `show`); empty without systemd."""
        said = self.run("systemctl", "show", name, f"--property={_ASKED.replace(' ', ',')}")
        return dict(line.split("=", 1) for line in (said or "").splitlines() if "=" in line)

    def credentials(self) -> set[str]:
        """The names of the files that systemd, as root, hands to the gate (systemd.exec(5), `LoadCredential=`)."""
        said = self.run("systemctl", "cat", UNIT) or ""
        settings = (line.split("=", 1) for line in said.splitlines() if line.startswith("LoadCredential"))
        return {value.strip().partition(":")[0] for _, value in settings}

    def user(self) -> User:
        """The user of the unit, else `edgegate` where there is one, else whoever asks."""
        unit = self.unit()
        for name in (unit.get("User"), "edgegate"):
            for line in self._lines("/etc/passwd"):
                if len(line) > 3 and line[0] == name and line[2].isdigit() and line[3].isdigit():
                    extra = set(unit.get("SupplementaryGroups", "").split())
                    return User(name, int(line[2]), frozenset({int(line[3]), *self._groups(name, extra)}))
        uid = os.geteuid()
        name = next((line[0] for line in self._lines("/etc/passwd") if len(line) > 2 and line[2] == str(uid)), str(uid))
        return User(name, uid, frozenset({os.getegid(), *os.getgroups()}))

    def group(self, gid: int) -> str:
        """A group's name, or its number."""
        return next((line[0] for line in self._lines("/etc/group") if len(line) > 2 and line[2] == str(gid)), str(gid))

    def _groups(self, user: str, names: set[str]) -> set[int]:
        lines = [line for line in self._lines("/etc/group") if len(line) > 3 and line[2].isdigit()]
        return {int(line[2]) for line in lines if line[0] in names or user in line[3].split(",")}

    def _lines(self, name: str) -> list[list[str]]:
        return [line.split(":") for line in self.text(name).splitlines()]


def may(user: User, path: Path, want: int) -> Path | None:
    """Can this user read (4), write (2), enter (1) what is at `path`? None if so, otherwise what stands in the way:
    the path itself or a folder above it. Raises OSError when it does not exist.
    """
    real = path.resolve(strict=True)
    for step in (*reversed(real.parents), real):
        if not _allows(user, step.stat(), want if step == real else 1):
            return step
    return None


def _allows(user: User, found: os.stat_result, want: int) -> bool:
    if user.uid == 0:
        return want & 1 == 0 or stat.S_ISDIR(found.st_mode) or found.st_mode & 0o111 != 0
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid in user.groups else 0
    return (found.st_mode >> shift) & want == want
