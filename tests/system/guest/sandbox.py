"""Runs in the place of the gate, in its unit: tries what the gate must not be able to do, and what it must.

Prints one JSON object: each attempt by its name, with what came of it. With `--greedy` it only takes memory.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

STATE = Path("/var/lib/edgegate")
GREEDY_MB = 1200
CAMERA = "/dev/v4l/by-id/usb-EdgeGate_Test_Camera_SN0001-video-index0"


def attempt(act: Callable[[], object]) -> str:
    """`done`, or the name of what refused."""
    try:
        act()
    except OSError as error:
        return type(error).__name__ + f" {error.errno}"
    return "done"


def write(folder: str) -> None:
    path = Path(folder, "planted")
    path.write_text("x")
    path.unlink()


def device(path: str, flags: int = os.O_RDWR) -> None:
    os.close(os.open(path, flags | os.O_NONBLOCK))


def connect(family: int) -> None:
    socket.socket(family, socket.SOCK_DGRAM).close()


def main() -> None:
    said = {f"write {folder}": attempt(partial(write, folder)) for folder in (
        "/", "/etc", "/etc/edgegate", "/opt/edgegate", "/usr/local/bin", "/var/lib", "/var/log", "/root", "/home",
        "/dev/shm", "/run", str(STATE), "/run/edgegate",
    )}  # fmt: skip
    said |= {f"device {path}": attempt(partial(device, path)) for path in (
        "/dev/vda", "/dev/kmsg", "/dev/mem", "/dev/uinput", "/dev/rtc0", "/dev/gpiochip0", CAMERA,
    )}  # fmt: skip
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_UNIX):
        said[f"socket {family.name}"] = attempt(partial(connect, family))
    said["read site.key"] = attempt(lambda: Path("/etc/edgegate/site.key").read_bytes())
    said["read credential"] = attempt(lambda: Path(os.environ["CREDENTIALS_DIRECTORY"], "site.key").read_bytes())
    said["executable memory"] = attempt(
        lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    )
    said["become root"] = attempt(lambda: os.setuid(0))
    said["core"] = str(resource.getrlimit(resource.RLIMIT_CORE))
    said["user"] = "root" if os.getuid() == 0 else "not root"
    print(json.dumps(said))


if __name__ == "__main__":
    if "--greedy" in sys.argv:
        taken = [bytearray(b"x" * (1 << 20)) for _ in range(GREEDY_MB)]
        print(f"took {len(taken)} MB")
    else:
        main()
