"""What is plugged in: cameras, readers, GPIO chips, by names that stay the same when they are plugged elsewhere."""

from __future__ import annotations

import fcntl
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from edgegate.deploy.host import Host

_QUERYCAP = 0x80685600
_CAPTURE, _DEVICE_CAPS = 0x1, 0x8000_0000
_CHIP_INFO = 0x8044B401
"""GPIO_GET_CHIPINFO_IOCTL (linux/gpio.h): name and label of 32 bytes each, then the number of lines."""
_HEADER_LABEL = "pinctrl-"
_READER_NAMES = re.compile(r"scan|barcode|rfid|reader|symbol|honeywell|datalogic|newland|zebra", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Devices:
    """`cameras`, `readers` (that type) and `serials` by stable path; `others` are keyboards that may be readers."""

    cameras: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    chips: tuple[str, ...] = ()
    header: str = ""
    """The chip of a Raspberry Pi's own header, whose number is another on each model and kernel."""
    board: str = ""

    @property
    def raspberry_pi(self) -> bool:
        return self.board.startswith("Raspberry Pi")


def look(host: Host) -> Devices:
    """Look at /dev. Opens no device but cameras and chips, and those only to ask what they are."""
    keyboards = _names(host, "/dev/input/by-id", "*-event-kbd")
    readers = tuple(name for name in keyboards if _READER_NAMES.search(name))
    chips = _names(host, "/dev", "gpiochip[0-9]*")
    return Devices(
        cameras=_cameras(host),
        readers=readers,
        others=tuple(name for name in keyboards if name not in readers),
        serials=_names(host, "/dev/serial/by-id", "*"),
        chips=chips,
        header=next((name for name in chips if _label(host.path(name)).startswith(_HEADER_LABEL)), ""),
        board=_board(host),
    )


def captures(path: Path) -> bool:
    """Does this V4L2 node give pictures? A camera has other nodes as well, for metadata."""
    try:
        with path.open("rb", buffering=0) as device:
            answer = fcntl.ioctl(device, _QUERYCAP, bytes(104))
    except OSError:
        return False
    capabilities, of_node = struct.unpack_from("=II", answer, 84)
    return bool((of_node if capabilities & _DEVICE_CAPS else capabilities) & _CAPTURE)


def _label(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as device:
            answer = fcntl.ioctl(device, _CHIP_INFO, bytes(68))
    except OSError:
        return ""
    return answer[32:64].rstrip(b"\0").decode("ascii", "replace")


def _cameras(host: Host) -> tuple[str, ...]:
    """Each capturing node once, by the most stable of its names."""
    found: dict[Path, str] = {}
    for folder, pattern in (("/dev/v4l/by-id", "*"), ("/dev/v4l/by-path", "*"), ("/dev", "video[0-9]*")):
        for name in _names(host, folder, pattern):
            node = host.path(name).resolve()
            if node not in found and captures(node):
                found[node] = name
    return tuple(found.values())


def _names(host: Host, folder: str, pattern: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{path.name}" for path in sorted(host.path(folder).glob(pattern)))


def _board(host: Host) -> str:
    try:
        return host.path("/proc/device-tree/model").read_text("utf-8").strip("\0 \n")
    except (OSError, UnicodeDecodeError):
        return ""
