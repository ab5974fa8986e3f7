"""What the gate runs on: versions, libraries that load, the board, memory, temperature and power."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import subprocess
import sys

from edgegate import __version__
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, merge, ok, skip, warn

PACKAGES = ("numpy", "opencv-python", "onnxruntime", "gpiozero", "lgpio", "gpiod")
LIBRARIES = ("numpy", "cv2", "onnxruntime", "dlib", "zxingcpp")
LIBRARY_S = 30.0

LOW_MEMORY_MB = 300
"""The gate itself is to stay below 220 MB."""
WARM_C, HOT_C = 75.0, 85.0
"""A Raspberry Pi slows down from 80 degrees, and more from 85."""
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
_NOW = ("the supply is below 4.63 V", "the clock is capped", "throttled", "at the soft temperature limit")
_SINCE = ("the supply was too low", "the clock was capped", "it was throttled", "it was at the soft temperature limit")


def versions(machine: Machine) -> Finding:
    """EdgeGate, Python, the libraries that touch hardware, kernel and system."""
    system = next(
        (
            line.partition("=")[2].strip('"')
            for line in machine.text("/etc/os-release").splitlines()
            if line.startswith("PRETTY_NAME=")
        ),
        platform.system(),
    )
    found = [f"edgegate {__version__}", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue  # gpiod and lgpio are not for every machine; what is needed fails by itself
    return ok(", ".join([*found, f"Linux {platform.release()}", system]))


def libraries() -> Finding:
    """Does each compiled library load? In a process of its own: a wheel for another processor ends the one it is
    loaded into without a word (onnxruntime issue 24112, picamera2 issue 1088)."""
    findings = [_loads(name) for name in LIBRARIES]
    bad = [finding for finding in findings if finding is not None]
    return merge(*bad) if bad else ok(f"{', '.join(LIBRARIES)} load")


def _loads(name: str) -> Finding | None:
    remedy = "install the locked versions again, on a 64-bit system"
    try:
        done = subprocess.run(  # noqa: S603 - the names are those above
            [sys.executable, "-c", f"import {name}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIBRARY_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return fail(f"{name} does not load within {LIBRARY_S:g} s", remedy)
    if done.returncode == 0:
        return None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode < 0:
        return fail(f"{name} ends the process that loads it ({signal.Signals(-done.returncode).name})", remedy)
    return fail(f"{name} does not load ({said[-1] if said else done.returncode})", remedy)


def board(machine: Machine) -> Finding:
    """Which one it is, as its firmware says."""
    model = machine.text("/proc/device-tree/model")
    if not model:
        vendor, product = (machine.text(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
        return ok(f"{' '.join(filter(None, (vendor, product))) or 'unnamed board'}, {platform.machine()}")
    says = f"{model}, {platform.machine()}, {os.cpu_count()} cores"
    if "raspberry pi" in model.lower() and sys.maxsize < 2**32:
        return fail(
            f"{says}, a 32-bit system", "install the 64-bit Raspberry Pi OS: the libraries have no 32-bit wheels"
        )
    if "jetson" in model.lower():
        return ok(f"{says}; JetPack 6 leaves pins dead until its pinmux is changed: see --loopback")
    return ok(says)


def memory(machine: Machine) -> Finding:
    """How much there is, and whether the gate's could reach a disk."""
    sizes = {
        line.partition(":")[0]: int(line.split()[1]) // 1024
        for line in machine.text("/proc/meminfo").splitlines()
        if len(line.split()) > 1 and line.split()[1].isdigit()
    }
    if "MemAvailable" not in sizes:
        return skip("this machine does not tell")
    says = f"{sizes['MemAvailable']} MB of {sizes.get('MemTotal', 0)} MB are free"
    room = (
        ok(says)
        if sizes["MemAvailable"] >= LOW_MEMORY_MB
        else warn(says, f"end what else runs here; the gate wants {LOW_MEMORY_MB} MB")
    )
    return merge(room, _swap(machine), _limits(machine))


def _swap(machine: Machine) -> Finding:
    """Swap in compressed memory (zram) never reaches a disk."""
    areas = [line.split()[0] for line in machine.text("/proc/swaps").splitlines()[1:] if line.split()]
    on_disk = [area for area in areas if not area.startswith("/dev/zram")]
    if not on_disk:
        return ok("no swap on a disk")
    if machine.unit().get("MemorySwapMax") == "0" and _memory_is_limited(machine):
        return ok(f"swap on {', '.join(on_disk)} is closed to the gate")
    return warn(f"what is in memory could reach {', '.join(on_disk)}", "run the gate by its systemd unit, or `swapoff`")


def _limits(machine: Machine) -> Finding:
    """Raspberry Pi OS boots without the memory controller, and systemd then passes over the unit's limits."""
    if machine.has_systemd() and not _memory_is_limited(machine):
        return warn(
            "systemd cannot limit memory here",
            "add `cgroup_enable=memory` to the line in /boot/firmware/cmdline.txt and restart the board",
        )
    return ok("")


def _memory_is_limited(machine: Machine) -> bool:
    return "memory" in machine.text("/sys/fs/cgroup/cgroup.controllers").split()


def temperature(machine: Machine) -> Finding:
    """The hottest sensor of the board, and on a Raspberry Pi what its firmware says of heat and power."""
    zones = [path.name for path in machine.path("/sys/class/thermal").glob("thermal_zone*")]
    readings = [machine.text(f"/sys/class/thermal/{zone}/temp") for zone in zones]
    degrees = [int(reading) / 1000 for reading in readings if reading.lstrip("-").isdigit()]
    cooler = "give it air or a cooler, and keep it out of the sun"
    if not degrees:
        heat = skip("this board has no sensor")
    elif max(degrees) >= WARM_C:
        heat = (fail if max(degrees) >= HOT_C else warn)(f"{max(degrees):.0f} °C", cooler)
    else:
        heat = ok(f"{max(degrees):.0f} °C")
    return merge(heat, _power(machine))


def _power(machine: Machine) -> Finding:
    """Bits of the firmware's `get_throttled`: 0 to 3 now, 16 to 19 since it was started."""
    said = (machine.run("vcgencmd", "get_throttled") or "").partition("=")[2] or machine.text(THROTTLED)
    try:
        bits = int(said, 16)
    except ValueError:
        return ok("")
    now = [text for bit, text in enumerate(_NOW) if bits >> bit & 1]
    since = [text for bit, text in enumerate(_SINCE) if bits >> (bit + 16) & 1]
    remedy = "use the maker's own power supply and a short cable" if bits & 0x10001 else "give it air or a cooler"
    if now:
        return fail(", ".join(now), remedy)
    if since:
        return warn(f"since it was started {', '.join(since)}", remedy)
    return ok("never throttled")
