"""The machine to install on: its paths, its commands, and what must be there before anything is changed."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edgegate.errors import EdgeGateError

PYTHON = (3, 11)
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "SYSTEMD_PAGER": "",
    "PYTHONNOUSERSITE": "1",
}
_PRIVATE = ("/home/", "/root/", "/run/user/", "/tmp/")  # noqa: S108 - named to be refused


@dataclass(frozen=True, slots=True)
class Host:
    """`root` is `/`, or a folder that stands for it: then no service is started and no user needs to be root."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return self.root == Path("/")

    def path(self, absolute: str) -> Path:
        """Where a path of the device lies on this machine."""
        return self.root / absolute.lstrip("/")

    def run(self, *command: str | Path, check: bool = True, text: str = "", timeout_s: float | None = None) -> str:
        """What a command prints. Raises EdgeGateError with the last line it said when it fails."""
        done = self.attempt(*command, text=text, timeout_s=timeout_s)
        if check and done.returncode:
            raise EdgeGateError(
                f"failed: {last_line(done.stderr or done.stdout) or describe(done.returncode)}",
                where=" ".join(str(part) for part in command[:2]),
                next="mend this, then run the same command again",
            )
        return done.stdout

    def attempt(
        self, *command: str | Path, text: str = "", timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a clean environment; its exit code is the caller's to judge."""
        environment = {**_ENVIRONMENT, **self.environment}
        words = [str(part) for part in command]
        try:
            return subprocess.run(  # noqa: S603 - a list of words, no shell
                words,
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=environment,
                timeout=timeout_s,
            )
        except FileNotFoundError:
            raise EdgeGateError("is not on this machine", where=words[0], next="install it, or use Debian") from None
        except OSError as error:
            raise EdgeGateError(f"cannot be run ({error.strerror})", where=words[0], next="check this file") from None
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 124, "", f"did not answer within {timeout_s:.0f} s")

    def systemctl(self, *words: str, check: bool = True) -> str:
        """Speak to systemd. Below another root it is told nothing but what a file records (`enable`, `disable`)."""
        if self.live:
            return self.run("systemctl", *words, check=check).strip()
        if words[0] in ("enable", "disable"):
            return self.run("systemctl", f"--root={self.root}", *words, check=check).strip()
        return ""

    def require(self) -> None:
        """Root, systemd, and a Python that runs the gate. Raises EdgeGateError with the one thing that is missing."""
        if sys.version_info < PYTHON:
            raise EdgeGateError(
                f"this is Python {sys.version_info[0]}.{sys.version_info[1]}",
                next="use Debian 12, Raspberry Pi OS bookworm, or a Python of 3.11 or newer",
            )
        if not self.live:
            return
        if os.geteuid() != 0:
            raise EdgeGateError("only root may do this", next="run it again with sudo")
        if not Path("/run/systemd/system").is_dir():
            raise EdgeGateError("systemd does not run here", next="use `edgegate run`, or a system with systemd")

    def python(self, named: Path | None = None) -> Path:
        """The interpreter to build on: the one named, else this one if the service may read it, else the system's."""
        own = Path(getattr(sys, "_base_executable", sys.executable))
        for candidate in (named,) if named is not None else (own, Path("/usr/bin/python3")):
            if str(candidate.resolve()).startswith(_PRIVATE) and named is None and self.live:
                continue  # ProtectHome=yes: the service sees nothing of it
            done = self.attempt(candidate, "-c", "import sys, venv; print(*sys.version_info[:2])")
            version = tuple(int(word) for word in done.stdout.split() if word.isdigit())
            if done.returncode == 0 and version >= PYTHON:
                return candidate
        raise EdgeGateError(
            "no Python 3.11 or newer that the service could use",
            where=str(named or "/usr/bin/python3"),
            next="install python3, or name an interpreter outside /home and /root with --python",
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One installation at a time."""
        folder = self.path("/run")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "edgegate-service.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise EdgeGateError("another `edgegate service` is at work", next="wait until it has ended") from None
            yield


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file whole or not at all; True when it was not there in this very form."""
    with suppress(OSError):
        if path.read_text("utf-8") == text and path.stat().st_mode & 0o777 == mode:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True


def link(path: Path, target: str | Path) -> bool:
    """Make or turn a symbolic link in one step, so that there is never a moment without one."""
    if path.is_symlink() and path.readlink() == Path(target):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def last_line(text: str) -> str:
    """The last line of what a program said, without pip's and our own preambles."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ").removeprefix("edgegate: ")[:200] if lines else ""


def describe(code: int) -> str:
    """An exit code as subprocess gives it, in words."""
    return f"ended by signal {-code}" if code < 0 else f"exit code {code}"


def disk_full(error: OSError) -> bool:
    """Is it the one error of writing that says so?"""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
