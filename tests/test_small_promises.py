"""Promises of single lines that belong to no larger suite."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edgegate import files
from edgegate.app import App
from edgegate.camera.scripted import ScriptedCamera
from edgegate.camera.stage import code_image
from edgegate.errors import EdgeGateError
from edgegate.faces.fake_engine import draw_face
from edgegate.signals.patterns import FAULT_VALUES
from edgegate.testing import pin
from tests.commands import Cli
from tests.conftest import Site, blank


def test_the_private_key_is_never_the_site_secret(cli: Cli, tmp_path: Path) -> None:
    """`badges.issuers: [site.pub]` would put both into site.key."""
    (tmp_path / "config.yaml").write_text("badges: {issuers: [site.pub]}\n", "utf-8")

    code, out, err = cli("issuer", "init", "--no-passphrase", cwd=tmp_path)

    assert (2, "") == (code, out)
    assert "would be one file; give badges.issuers or vault.site_secret another name" in err
    assert ["config.yaml"] == [path.name for path in tmp_path.iterdir()]


def test_an_svg_badge_is_not_called_unknown(cli: Cli, site: Site) -> None:
    """A drawing is not read; the line says what to use instead."""
    site.enrol(None, badge="badge.svg")

    code, _, err = cli("enroll", "revoke", "badge.svg", cwd=site.folder)

    assert (2, "edgegate: badge.svg: an SVG drawing is not read; use a PNG picture or the card number\n") == (code, err)


def test_private_files_reach_a_disk_without_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """FAT, as on a USB stick, knows no files without a name either: the file is written all the same, and still never
    over another."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(files, "_nameless", lambda folder: None)
    monkeypatch.setattr(os, "link", no_links)
    files.write_private(tmp_path / "badge.png", b"key")
    with pytest.raises(EdgeGateError):
        files.write_private(tmp_path / "badge.png", b"other")

    assert {"badge.png": b"key"} == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_events_are_utf8_whatever_the_locale(site: Site) -> None:
    """French sentences do not end the stream where the terminal knows no accents."""
    site.configure(gate={"language": "fr"}, camera={"source": "frames:frames"})
    (site.folder / "frames").mkdir()
    cv2.imwrite(str(site.folder / "frames" / "0.png"), blank())

    done = subprocess.run(
        [sys.executable, "-m", "edgegate", "run", "--events", "-", "--until-end"],
        cwd=site.folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=True,
        timeout=60,
    )

    states = [event for event in map(json.loads, done.stdout.decode("utf-8").splitlines()) if event["event"] == "state"]
    assert "Prêt." == states[0]["sentence"]


def test_a_stop_before_the_loop_runs_is_clean(site: Site) -> None:
    """SIGTERM while models load: exit 0 and not a word."""
    site.configure(faces={"pack": "dlib"}, camera={"pace": "real"})
    gate = subprocess.Popen(
        [sys.executable, "-m", "edgegate", "run"], cwd=site.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (site.folder / "journal.lock").exists():
        assert gate.poll() is None
    gate.send_signal(signal.SIGTERM)
    out, err = gate.communicate(timeout=30)

    assert (0, b"") == (gate.returncode, out)
    assert b"Traceback" not in err


def test_an_error_in_the_loop_leaves_the_outputs_safe(site: Site) -> None:
    """Whatever breaks while the light is green: on the way out every output is driven to its fault value."""
    badge = site.enrol("ana")
    picture = blank(960, 540)
    draw_face(picture, "ana", 60, 120, 240)
    code = cv2.resize(code_image(badge.text), (300, 300), interpolation=cv2.INTER_AREA)
    picture[120:420, 500:800] = code
    apps: list[App] = []

    def break_when_green(_: float) -> None:
        if apps and "on" == apps[0].signals.levels()["green"]:
            raise ZeroDivisionError

    config = site.configure(gate={"hold": {"granted_s": 5}})
    with (
        pytest.raises(ZeroDivisionError),
        App(config, camera=ScriptedCamera(picture), at_frame=break_when_green) as app,
    ):
        apps.append(app)
        lines = {name: pin(app.signals, name) for name in FAULT_VALUES}
        app.run()

    assert FAULT_VALUES == {name: bool(line.state) for name, line in lines.items()}
    assert "on" == app.signals.levels()["amber"]
