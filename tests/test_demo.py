"""The demo is a promise to newcomers: it runs, decides as expected, and fails when it does not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgegate.cli import demo, main
from edgegate.demo.acts import Act, acts
from edgegate.demo.cast import Cast
from edgegate.model import Reason


def test_demo_decides_as_expected() -> None:
    """Fourteen acts, each as expected, and no face work outside a volunteer's presentation."""
    done = subprocess.run(
        [sys.executable, "-m", "edgegate", "demo", "--fast"], capture_output=True, text=True, timeout=300, check=False
    )

    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr
    assert 14 == done.stdout.count("as expected")
    assert "simulated" in done.stdout
    assert "0 outside a volunteer's presentation" in done.stdout


def test_demo_fails_when_a_decision_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An act that expects something else makes the exit code 1 and is marked in the table."""

    def wrong(cast: Cast) -> list[Act]:
        return [replace(act, expect=(Reason.REVOKED,)) for act in acts(cast) if act.title == "a forged signature"]

    monkeypatch.setattr(demo, "acts", wrong)

    assert 1 == main(["demo", "--fast"])
    assert "expected revoked" in capsys.readouterr().out


def test_demo_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys, vault and badges of the demo are gone with it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(demo, "acts", lambda cast: acts(cast)[5:6])

    assert 0 == main(["demo", "--fast"])
    assert [] == list(tmp_path.iterdir())
