"""The issuer's passphrase, typed on a real terminal (a pseudo-terminal of the kernel's)."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

INIT = ("issuer", "init")
ENROL = ("enroll", "add", "--diary", "--badge-out", "badge.png")


def at_terminal(folder: Path, args: tuple[str, ...], *answers: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing an answer (or Ctrl-D) at each prompt. Exit code and screen."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgegate", *args],
        cwd=folder,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    screen, waiting = b"", list(answers)
    try:
        while data := os.read(terminal, 4096):
            screen += data
            if waiting and data.endswith(b": "):
                os.write(terminal, waiting.pop(0))
    except OSError:
        pass  # the terminal went with the process
    finally:
        os.close(terminal)
    return process.wait(timeout=30), screen.decode()


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder with a configuration and an issuer whose passphrase was typed."""
    (tmp_path / "config.yaml").write_text("gate: {name: Test}\n", "utf-8")
    code, screen = at_terminal(tmp_path, INIT, b"sesame\n", b"sesame\n")
    assert 0 == code, screen
    assert "sesame" not in screen
    return tmp_path


def test_the_passphrase_is_asked_for_and_not_shown(office: Path) -> None:
    """The right one enrols; the screen never shows it."""
    code, screen = at_terminal(office, ENROL, b"sesame\n")

    assert 0 == code, screen
    assert "sesame" not in screen
    assert (office / "badge.png").exists()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (b"open\n", "does not open with this passphrase"),
        (b"\n", "the passphrase is empty"),
        (b"\x04", "no passphrase was typed"),
    ],
)
def test_a_wrong_passphrase_is_one_line(office: Path, typed: bytes, says: str) -> None:
    """Wrong, empty, or none at all: nothing is issued."""
    code, screen = at_terminal(office, ENROL, typed)

    assert 2 == code, screen
    assert says in screen.splitlines()[-1]
    assert not (office / "badge.png").exists()
    assert not (office / "vault.db").exists()


def test_two_different_passphrases_make_nothing(tmp_path: Path) -> None:
    """A slip while typing must not make a key that nobody can open."""
    (tmp_path / "config.yaml").write_text("gate: {name: Test}\n", "utf-8")

    code, screen = at_terminal(tmp_path, INIT, b"sesame\n", b"sesamee\n")

    assert 2 == code, screen
    assert "the two passphrases differ" in screen
    assert ["config.yaml"] == [path.name for path in tmp_path.iterdir()]
