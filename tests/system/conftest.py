"""The product, installed from its bundle on a machine with real parts. Needs root; see README.md.

These tests are not part of `make test`: `make system-test` says so with EDGEGATE_SYSTEM_TEST=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.enrolment import read_badge
from edgegate.images import read_image
from edgegate.model import Image
from tests.system import product
from tests.system.pictures import prepare
from tests.system.vm import Guest, Machine, build

ROOT = Path(__file__).parent.parent.parent
collect_ignore_glob = [] if os.environ.get("EDGEGATE_SYSTEM_TEST") == "1" else ["test_*.py"]
SOAK = os.environ.get("EDGEGATE_SOAK") == "1"
WIDTH, HEIGHT = 640, 480
CONFIG = """\
gate: {name: "Machine", language: en, hold: {granted_s: 6, refer_s: 8, alarm_s: 60}}
camera:
  source: "v4l2:/dev/v4l/by-id/usb-EdgeGate_Test_Camera_SN0001-video-index0"
  width: 640
  height: 480
  fps: 5
  max_age_s: 10  # the machine computes so slowly that a picture is old when its turn comes
badges:
  readers: [{kind: qr, decoder: zxing}, {kind: hid, device: "1209:0001", layout: us}]
  issuers: [/etc/edgegate/issuer.pub]
faces: {pack: dlib, models_dir: /var/lib/edgegate/models, timeout_s: 60, min_probes: 1}
signals: {pins: "gpiod:/dev/gpiochip0", buzzer_max_s: 50}
vault: {path: /var/lib/edgegate/vault.db, site_secret: /etc/edgegate/site.key}
journal: {path: /var/lib/edgegate/journal.db}
"""
SLOW = """\
# Emulation is 10 to 100 times slower than the slowest board.
[Service]
WatchdogSec=30
TimeoutStartSec=600
"""
PARTS = """\
[Unit]
Description=What is wired and plugged in
DefaultDependencies=no
After=systemd-udevd.service systemd-modules-load.service sys-kernel-config.mount
Before=edgegate.service
ConditionVirtualization=!container
[Service]
Type=oneshot
RemainAfterExit=yes
WorkingDirectory=/opt/machine
ExecStart=/usr/bin/python3 -m guest.plug
KillMode=process
TimeoutStartSec=150
[Install]
WantedBy=multi-user.target
"""
INSTALL = """\
sh /mnt/bundle/install --no-start
install -m 640 -g edgegate /mnt/site/config.yaml /etc/edgegate/config.yaml
edgegate issuer init --no-passphrase
edgegate service install --no-start
edgegate enroll add --volunteer --photo /mnt/site/ana.png --consent-by both --consent-version 1 \
    --expires {expires} --badge-out /root/ana.png
edgegate enroll add --diary --badge-out /root/dan.png
edgegate enroll add --diary --badge-out /root/eve.png
edgegate enroll revoke /root/eve.png
cd / && edgegate check && edgegate journal verify || test ! -e /var/lib/edgegate/journal.db
systemctl enable edgegate.service parts.service
"""

PLUGGED_IN = """\
until systemctl is-active --quiet parts.service; do
  if systemctl is-failed --quiet parts.service; then journalctl --no-pager -n 5 -u parts.service; exit 1; fi
  sleep 0.5
done
"""


@dataclass(frozen=True)
class Gate:
    """A disk on which the gate is installed, and what the badges of three people say."""

    disk: Path
    texts: dict[str, str]
    """`ana` is a volunteer, `dan` shows the diary, `eve`'s badge is revoked."""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's folder, unpacked; EDGEGATE_BUNDLE names one that was made before."""
    folder = tmp_path_factory.mktemp("bundle")
    made = os.environ.get("EDGEGATE_BUNDLE")
    if made is None:
        subprocess.run([sys.executable, "-m", "edgegate.deploy.bundle", "--out", folder], cwd=ROOT, check=True)
        (archive,) = folder.glob("edgegate-*.tar")
    else:
        archive = Path(made)
    return product.unpack(archive, folder / "stick")


@pytest.fixture(scope="session")
def gate(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """Installed by a technician, three badges given out by the office, switched off."""
    folder = tmp_path_factory.mktemp("gate")
    site = folder / "site"
    site.mkdir()
    (site / "config.yaml").write_text(CONFIG, "utf-8")
    cv2.imwrite(str(site / "ana.png"), portrait("astronaut"))
    tree = product.copy_tree(build(), folder / "tree")
    (tree / "etc/systemd/system/edgegate.service.d").mkdir()
    (tree / "etc/systemd/system/edgegate.service.d/slow.conf").write_text(SLOW, "ascii")
    (tree / "etc/systemd/system/parts.service").write_text(PARTS, "ascii")
    expires = (date.today() + timedelta(days=90)).isoformat()
    _prepare_contracts(tree / "opt/machine")
    product.in_container(tree, INSTALL.format(expires=expires), {"bundle": bundle, "site": site})
    texts = {name: read_badge(tree / f"root/{name}.png") for name in ("ana", "dan", "eve")}
    pictures = tree / "opt/machine/pictures"
    pictures.mkdir(parents=True)
    for name, people, badge in (
        ("hall", (), None),
        ("ana", ("astronaut",), "ana"),
        ("thief", ("group-1",), "ana"),
        ("alone", ("astronaut",), None),
    ):
        prepare(_picture(people, tree / f"root/{badge}.png" if badge else None), pictures / name)
    prepare(np.full((HEIGHT, WIDTH, 3), 5, np.uint8), pictures / "dark")
    subprocess.run(["cp", "-r", ROOT / "tests/system/guest", tree / "opt/machine"], check=True)
    return Gate(product.make_disk(tree, folder / "gate.img"), texts)


def _prepare_contracts(to: Path) -> None:
    """The contract suites of the adapters, and pytest, which no bundle has."""
    target = ("uv", "pip", "install", "--quiet", "--python-version", "3.11", "--no-deps", "--target", str(to / "site"))
    packages = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
    subprocess.run([sys.executable, "-m", *target, *packages], check=True)
    ignored = shutil.ignore_patterns("__pycache__", "system")
    shutil.copytree(ROOT / "tests", to / "tests", ignore=ignored)
    shutil.copy(ROOT / "config.example.yaml", to)


def _picture(people: tuple[str, ...], badge: Path | None) -> Image:
    scene = Scene(tuple(portrait(name) for name in people), read_image(badge) if badge else None)
    return compose(scene, WIDTH, HEIGHT, np.random.default_rng(5))


@pytest.fixture(scope="session")
def machine(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with that disk."""
    return Machine(tmp_path_factory.mktemp("machine") / "gate", {"repository": ROOT}, gate.disk, PLUGGED_IN)


@pytest.fixture(scope="module")
def guest(machine: Machine) -> Iterator[Guest]:
    """It is on, for all tests of one file."""
    with machine.boot() as booted:
        yield booted
