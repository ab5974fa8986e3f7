"""Whether what is in memory can reach a disk: by swapping, or when the whole machine goes to sleep on it."""

from __future__ import annotations

from edgegate.prove.process import properties
from edgegate.prove.report import Claim, Found, Hand, fails, holds, judged, listed, unchecked
from edgegate.prove.scene import Scene

ZRAM = "/dev/zram"
"""Swap in compressed memory never reaches a disk."""
NO_DEVICE = "0:0"


def _areas(scene: Scene) -> list[str]:
    lines = scene.machine.text("/proc/swaps").splitlines()[1:]
    return [line.split()[0] for line in lines if line.split() and not line.startswith(ZRAM)]


def _group(scene: Scene) -> str:
    """The limit that the kernel keeps for the service; empty where it keeps none."""
    place = properties(scene.machine, ["ControlGroup"]).get("ControlGroup", "")
    return f"/sys/fs/cgroup{place}/memory.swap.max" if place else ""


def _swap(scene: Scene) -> Found:
    areas, limit = _areas(scene), _group(scene)
    if not areas:
        return holds()
    if limit and scene.machine.text(limit) == "0":
        return holds("closed", areas=listed(areas))
    return fails(areas=listed(areas))


def _by_swaps(scene: Scene) -> Hand:
    if _areas(scene) and (limit := _group(scene)):
        return Hand(f"cat {limit}", "0")
    return Hand(f"awk 'NR > 1 && $1 !~ \"^{ZRAM}\" {{print $1}}' /proc/swaps")


def _hibernation(scene: Scene) -> Found:
    machine = scene.machine
    if not machine.path("/sys/power/state").exists():
        return unchecked("no_power")
    able = "disk" in machine.text("/sys/power/state").split()
    device = machine.text("/sys/power/resume") or NO_DEVICE
    return judged(able and device != NO_DEVICE, device=device)


def _by_resume(scene: Scene) -> Hand:
    return Hand("grep -qw disk /sys/power/state && grep -vx 0:0 /sys/power/resume")


CLAIMS = (Claim("memory.swap", _swap, _by_swaps), Claim("memory.hibernation", _hibernation, _by_resume))
