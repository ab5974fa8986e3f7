"""The versions below /opt/edgegate: each in a folder of its own, `current` points at the one that runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from edgegate.deploy import package
from edgegate.deploy.host import Host, describe, disk_full, last_line, link
from edgegate.errors import EdgeGateError

FOLDER = "/opt/edgegate"
CONFIG = "/etc/edgegate/config.yaml"
_COMPLETE, _USED = ".complete", ".used"
_PICAMERA2 = "/usr/lib/python3/dist-packages/picamera2"
_SMOKE = "import cv2, dlib, insightface, numpy, onnxruntime, zxingcpp"
"""A wheel built for another processor ends in an illegal instruction: better here than at the gate."""


class Versions:
    """The folders of the installed versions."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.folder = host.path(f"{FOLDER}/versions")
        self.link = host.path(f"{FOLDER}/current")

    def current(self) -> str | None:
        """The version that `current` points at, if that is whole."""
        name = self.link.readlink().name if self.link.is_symlink() else ""
        return name if name and self.whole(name) else None

    def whole(self, name: str) -> bool:
        """Was it installed to the end? What an interrupted installation left is not."""
        return (self.folder / name / _COMPLETE).is_file()

    def used(self) -> list[str]:
        """The versions that were current once, the latest first. One that was only tried is none of them."""
        marks = self.folder.glob(f"*/{_USED}")
        return [mark.parent.name for mark in sorted(marks, key=lambda mark: mark.stat().st_mtime_ns, reverse=True)]

    def previous(self) -> str | None:
        """The version that was current before this one."""
        return next((name for name in self.used() if name != self.current()), None)

    def build(self, wanted: package.Package, python: Path) -> bool:
        """Install a version beside the others; False when it is there already. Half-made, it is removed again."""
        folder = self.folder / wanted.name
        if self.whole(wanted.name):
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            with tempfile.TemporaryDirectory(prefix="edgegate-") as scratch:
                self._make(wanted, python, folder, Path(scratch))
            os.sync()  # a power cut must not leave a whole-looking version with empty files
            (folder / _COMPLETE).touch()
            os.sync()
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if (isinstance(error, OSError) and disk_full(error)) or "No space left" in str(error):
                raise EdgeGateError(
                    "the disk is full; nothing was changed", where=str(self.folder), next="make room: 1 GB is enough"
                ) from None
            raise
        return True

    def smoke(self, name: str) -> None:
        """Does this version run on this machine, with this configuration? Raises EdgeGateError if not."""
        programs = self.folder / name / "bin"
        config = self.host.path(CONFIG)
        whole = ("check", "-c", config) if config.exists() else ("--version",)
        for command in ((programs / "edgegate", *whole), (programs / "python", "-c", _SMOKE)):
            try:
                done = self.host.attempt(*command, timeout_s=120)
                said = last_line(done.stderr or done.stdout) or describe(done.returncode)
            except EdgeGateError as error:
                said = str(error)
            else:
                if done.returncode == 0:
                    continue
            raise EdgeGateError(f"version {name} does not work on this machine ({said})", next="nothing was changed")

    def switch(self, name: str) -> bool:
        """Point `current` at a version, in one step."""
        (self.folder / name / _USED).touch()
        return link(self.link, f"versions/{name}")

    def remove(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def prune(self) -> list[str]:
        """Remove all but the current version and the one before it."""
        keep = {self.current(), self.previous()}
        gone = sorted(path.name for path in self.folder.iterdir() if path.name not in keep)
        for name in gone:
            self.remove(name)
        return gone

    def _make(self, wanted: package.Package, python: Path, folder: Path, scratch: Path) -> None:
        system = ["--system-site-packages"] if self.host.path(_PICAMERA2).is_dir() else []
        self.host.run(python, "-m", "venv", "--without-pip", *system, folder)
        inside = folder / "bin" / "python"
        package.install(self.host, wanted, inside, scratch)
        # The service cannot write here: compiled once, now. Some packages carry files that are no Python of today.
        self.host.attempt(inside, "-m", "compileall", "-q", "-j0", folder / "lib")

    def _sweep(self) -> None:
        """Remove what an interrupted installation left."""
        for path in self.folder.iterdir():
            if not self.whole(path.name):
                with contextlib.suppress(OSError):
                    shutil.rmtree(path)
