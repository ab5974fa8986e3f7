"""On 64-bit ARM, a Raspberry Pi's and a Jetson's processor, by emulation: the bundle's wheels install and compute."""

from __future__ import annotations

import subprocess
from datetime import date, timedelta
from pathlib import Path

import cv2
import pytest

from edgegate.camera.people import portrait
from tests.system.conftest import ROOT, SOAK

LIBRARIES = (
    "base45, cbor2, cryptography, cv2, cwt, dlib, gpiod, gpiozero, insightface, lgpio, logging_journald, numpy, "
    "onnxruntime, pydantic, pyzbar.pyzbar, rich, segno, serial, skimage, stdnum, yaml, zxingcpp"
)


CONFIG = """\
gate: {name: "ARM", language: en}
camera: {source: "frames:frames", pace: fast}
faces: {pack: dlib}
"""
TOUR = """\
set -eu
cd /out
edgegate() { python3 -m edgegate "$@"; }
edgegate issuer init --no-passphrase
edgegate enroll add --volunteer --photo me.png --consent-by both --consent-version 1 \\
    --expires EXPIRES --badge-out ana.png
edgegate simulate --photo me.png --badge ana.png --out frames --frames 8
edgegate run --events - --until-end
edgegate journal verify
"""


def on_arm(stick: Path, *command: str, out: Path | None = None) -> str:
    """Run a command with the bundle's wheels and this checkout. Returns what it printed; fails with it."""
    done = subprocess.run(
        [
            *(ROOT / "tests/system/arm64", "-r", stick / "requirements.txt", "-w", stick / "wheels"),
            *("-m", f"repository={ROOT}", *(("-o", out) if out else ())),
            *("env", "PYTHONPATH=/mnt/repository:/site", *command),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1500,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return done.stdout


def test_everything_imports(bundle: Path) -> None:
    """Each compiled library loads on its processor, and every module of ours."""
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "edgegate").rglob("*.py")
        if path.name != "__main__.py"
    )
    code = f"import platform, {LIBRARIES}, {', '.join(modules)}; print(platform.machine(), 'all')"
    assert "aarch64 all" in on_arm(bundle, "python3", "-c", code)


def test_a_volunteer_is_recognised(bundle: Path, tmp_path: Path) -> None:
    """Keys, enrolment, pictures, the daemon: badge read, signature and seal opened, face compared by the embedded
    pack, decision journalled; all of it computed there."""
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    cv2.imwrite(str(tmp_path / "me.png"), portrait("astronaut"))
    expires = (date.today() + timedelta(days=90)).isoformat()
    said = on_arm(bundle, "bash", "-c", TOUR.replace("EXPIRES", expires), out=tmp_path)
    assert '"decision": "granted", "reason": "match"' in said
    assert "the chain holds" in said


@pytest.mark.skipif(not SOAK, reason="thirteen situations take many minutes in emulation: `make soak` plays them")
def test_the_demo_decides_as_it_should(bundle: Path) -> None:
    """Thirteen situations with the embedded pack, end to end; it fails if one is decided otherwise."""
    assert "Journal: " in on_arm(bundle, "python3", "-m", "edgegate", "demo", "--fast")
