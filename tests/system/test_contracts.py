"""The contract suites of pins and cameras, the very ones that run on mock pins and simulated cameras, on real parts."""

from __future__ import annotations

import re

from tests.system.conftest import SOAK
from tests.system.test_gate import act
from tests.system.vm import Guest

SUITE = (
    "PYTHONPATH=/opt/machine:/opt/machine/site PYTHONDONTWRITEBYTECODE=1 /opt/edgegate/current/bin/python -m pytest -q "
    "--noconftest -p no:cacheprovider -o addopts= -W error"
)


def passed(output: str) -> int:
    """How many tests passed."""
    found = re.search(r"(\d+) passed", output)
    assert found is not None, output
    return int(found[1])


def test_the_pins_of_a_real_chip(guest: Guest) -> None:
    """`gpiod:` (and, in the long version, lgpio and mock too) keeps every promise of the port on the kernel's chip."""
    only = "" if SOAK else "-k 'gpiod and plain'"
    act(guest, "until('READY')")
    said = guest.run(
        "systemctl stop edgegate; systemctl stop edgegate-safe; cd /opt/machine\n"
        "read -r chip lines < <(python3 -c 'from guest.parts import Chip; c = Chip(); print(c.device, c.lines)')\n"
        f"EDGEGATE_TEST_GPIOCHIP=$chip EDGEGATE_TEST_GPIOSIM=$lines {SUITE} {only} tests/contracts/test_signals.py",
        timeout_s=900,
    )
    assert passed(said.output) > 20


def test_a_real_webcam(guest: Guest) -> None:
    """MJPEG through the kernel's own driver, by the stable name; unplugged and plugged in again while it is read."""
    said = guest.run(
        "cd /opt/machine; systemctl stop edgegate\n"
        "camera='cd /opt/machine && python3 -c \"from guest.parts import Camera; Camera().'\n"
        "EDGEGATE_TEST_CAMERA=/dev/v4l/by-id/usb-EdgeGate_Test_Camera_SN0001-video-index0 "
        'EDGEGATE_TEST_CAMERA_UNPLUG="$camera"\'unplug()"\' EDGEGATE_TEST_CAMERA_REPLUG="$camera"\'plug()"\' '
        f"{SUITE} -k 'v4l2 or yuyv or device' tests/contracts/test_camera.py",
        timeout_s=600,
    )
    assert passed(said.output) > 8
