"""A machine for the doctor, laid out as files below a folder, with small programs of its own in front of the PATH."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, Result

HEALTHY_UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "StatusText": "READY: Ready.",
    "NRestarts": "0",
    "Result": "success",
    "WatchdogUSec": "10s",
    "User": "edgegate",
    "SupplementaryGroups": "video gpio",
    "MemorySwapMax": "0",
}


@dataclass
class House:
    """The folder of such a machine."""

    folder: Path
    patch: pytest.MonkeyPatch

    @property
    def machine(self) -> Machine:
        return Machine(self.folder / "root")

    def put(self, name: str, text: str | bytes) -> Path:
        """A file of this machine."""
        path = self.machine.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def program(self, name: str, script: str) -> None:
        """A program found before the real one."""
        programs = self.folder / "bin"
        if not programs.exists():
            programs.mkdir()
            self.patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(0o755)

    def systemd(self, cat: str = "", safe: str = "inactive", **changes: str) -> None:
        """Booted with systemd, whose `systemctl show` and `cat` of the gate's unit say this."""
        self.machine.path("/run/systemd/system").mkdir(parents=True, exist_ok=True)
        said = "\n".join(f"{key}={value}" for key, value in (HEALTHY_UNIT | changes).items())
        (self.folder / "unit.txt").write_text(said, "utf-8")
        (self.folder / "cat.txt").write_text(cat, "utf-8")
        self.program(
            "systemctl",
            f'case "$1 $2" in\n'
            f"  'show edgegate.service') cat '{self.folder}/unit.txt';;\n"
            f"  'show edgegate-safe.service') echo ActiveState={safe};;\n"
            f"  'cat edgegate.service') cat '{self.folder}/cat.txt';;\n"
            f"  *) exit 1;;\nesac",
        )


def good(finding: Finding) -> str:
    """What a finding says that finds nothing wrong."""
    assert (Result.OK, "") == (finding.result, finding.remedy), finding
    return finding.says


def told(finding: Finding, result: Result) -> str:
    """What a finding says that asks for something, with what it asks for."""
    assert result is finding.result, finding
    assert finding.remedy
    return f"{finding.says}; {finding.remedy}"
