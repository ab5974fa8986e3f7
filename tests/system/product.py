"""The product on the machine's disk, from its bundle, by the technician's own commands, before the machine is on.

That part runs in a container with systemd as its first process: the same Debian, at the host's own speed. Emulated,
unpacking the wheels alone would take longer than everything else together.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

NSPAWN = (
    "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--boot", "--console=pipe",
)  # fmt: skip
UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'bash /order.sh > /order.out 2>&1; echo $? > /order.code; systemctl --no-block poweroff'
TimeoutStartSec=infinity
"""


class OrderFailed(Exception):
    """A script in the container ended with another exit code than 0."""


def in_container(tree: Path, script: str, folders: Mapping[str, Path] | None = None, timeout_s: float = 600) -> str:
    """Boot the tree as a container without network, run a bash script in it as root, shut it down. Returns what the
    script printed; raises OrderFailed with it. `folders` are seen as /mnt/<name>, read-only."""
    units = tree / "etc/systemd/system"
    (units / "order.service").write_text(UNIT, "ascii")
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "order.service").symlink_to("../order.service")
    (tree / "order.sh").write_text(f"set -eu\n{script}", "utf-8")
    (tree / "order.code").unlink(missing_ok=True)
    binds = [f"--bind-ro={path.resolve()}:/mnt/{name}" for name, path in (folders or {}).items()]
    done = subprocess.run(
        [*NSPAWN, *binds, "--directory", tree],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    (wants / "order.service").unlink()
    (units / "order.service").unlink()
    code, out = tree / "order.code", tree / "order.out"
    said = out.read_text("utf-8", "replace") if out.exists() else done.stdout.decode(errors="replace")[-4000:]
    if not code.exists() or code.read_text().strip() != "0":
        raise OrderFailed(f"exit code {code.read_text().strip() if code.exists() else 'none'}\n{said}")
    return said


def copy_tree(made: Path, to: Path) -> Path:
    """A copy of the machine's files, with their owners and devices."""
    subprocess.run(["cp", "-a", "--reflink=auto", made / "disk" / "tree", to], check=True)
    return to


def make_disk(tree: Path, image: Path) -> Path:
    """The tree as a raw ext4 image with 600 MB of room; the tree is gone then."""
    used_mb = int(subprocess.run(["du", "-sm", tree], check=True, capture_output=True).stdout.split()[0])
    with image.open("wb") as file:
        file.truncate((used_mb * 11 // 10 + 600) * 1024 * 1024)
    options = ("-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", "-L", "gate")
    subprocess.run(["mke2fs", "-q", *options, "-d", tree, image], check=True)
    shutil.rmtree(tree)
    return image


def unpack(bundle: Path, to: Path) -> Path:
    """The bundle's folder, as on a USB stick."""
    to.mkdir()
    subprocess.run(["tar", "-xf", bundle, "-C", to, "--strip-components=1"], check=True)
    return to
