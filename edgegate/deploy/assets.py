"""The files that are installed with the gate, from a checkout, from a wheel, or from an installed version."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

UNITS = "/usr/local/lib/systemd/system"
"""Below /run/systemd/system, where a version on trial stands, and below /etc, where the technician's changes do."""
DROP_INS = f"{UNITS}/edgegate.service.d"

PLACES = {
    "edgegate.service": f"{UNITS}/edgegate.service",
    "edgegate-safe.service": f"{UNITS}/edgegate-safe.service",
    "sysusers.conf": "/usr/local/lib/sysusers.d/edgegate.conf",
    "tmpfiles.conf": "/usr/local/lib/tmpfiles.d/edgegate.conf",
    "modules-load.conf": "/usr/local/lib/modules-load.d/edgegate.conf",
    "70-edgegate.rules": "/usr/local/lib/udev/rules.d/70-edgegate.rules",
}
"""What every installation has: name below `systemd/`, place on the device."""
CHOSEN = {"edgegate-network.conf": f"{DROP_INS}/network.conf", "edgegate-csi.conf": f"{DROP_INS}/csi.conf"}
"""What only some configurations need."""
READER_RULES = "/etc/udev/rules.d/71-edgegate-readers.rules"
SEALED = f"{DROP_INS}/sealed.conf"


def checkout() -> Path | None:
    """The root of the checkout that this code runs in, if it does."""
    root = Path(__file__).parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "systemd").is_dir() else None


def unit(name: str, version: Path | None = None) -> str:
    """A file of `systemd/`, of this code's own version or of an installed one in the folder `version`."""
    if version is not None:
        return next(version.glob(f"lib/python*/site-packages/edgegate/deploy/files/systemd/{name}")).read_text("utf-8")
    root = checkout()
    return ((root / "systemd" if root else _files() / "systemd") / name).read_text("utf-8")


def example() -> str:
    """`config.example.yaml`."""
    return ((checkout() or _files()) / "config.example.yaml").read_text("utf-8")


def requirements() -> str:
    """What a device needs, with the hashes of all wheels."""
    return (resources.files("edgegate.deploy") / "requirements.txt").read_text("utf-8")


def _files() -> Traversable:
    return resources.files("edgegate.deploy") / "files"
