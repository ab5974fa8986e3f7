"""The reader `hid`: USB and Bluetooth scanners and RFID readers that type like a keyboard.

Reads the kernel's input devices by their documented interface (linux/input.h, Documentation/input/input.rst), because
`evdev` has no wheels: a bare board without compiler and network could not install it. The device is grabbed, so that
nothing that is typed reaches a console.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgegate.badges.keys import DIGITS, ENTER, LAYOUTS, Keystrokes
from edgegate.badges.plugged import not_there, refused, unplugged
from edgegate.badges.typed import WAIT_S
from edgegate.errors import EdgeGateError, ReaderLost

SYSFS = Path("/sys/class/input")
NODES = Path("/dev/input")

_EVENT = struct.Struct("@llHHi")
"""`struct input_event`: seconds, microseconds, type, code, value. Both times are machine words: also where a 32-bit
system keeps its time in 64 bits."""
_MASK = struct.Struct("@IIQ")
_BATCH = 64 * _EVENT.size
# Requests as asm-generic/ioctl.h numbers them: x86, ARM and RISC-V, 32 and 64 bits.
_EVIOCGRAB = 0x40044590
_EVIOCSMASK = 0x40104593
_EVIOCSCLOCKID = 0x400445A0
_EV_MSC = 4
_HINT = "a scanner must be set to keyboard mode (USB HID)"
_WORD_DIGITS = 2 * struct.calcsize("@l")


@dataclass(frozen=True, slots=True)
class Keyboard:
    """An input device of this machine that can type a code."""

    node: Path
    """/dev/input/eventN; N changes with every plug."""
    name: str
    """As its maker calls it."""
    id: str
    """vendor:product, hexadecimal."""
    unit: tuple[str, str]
    """The same for all interfaces of one piece of hardware: where it is plugged in, and its serial number."""


def keyboards() -> list[Keyboard]:
    """All that can type, in the order they were plugged in; needs no permission for the devices themselves."""
    found = []
    with suppress(OSError):
        folders = [path for path in SYSFS.iterdir() if re.fullmatch(r"event\d+", path.name)]
        for folder in sorted(folders, key=lambda path: int(path.name[5:])):
            with suppress(OSError, ValueError):  # unplugged while we look
                found += [keyboard] if (keyboard := _keyboard(folder)) else []
    return found


def _keyboard(folder: Path) -> Keyboard | None:
    def said(name: str) -> str:
        return (folder / "device" / name).read_text("utf-8", "replace").strip()

    words = said("capabilities/key").split()
    keys = int("".join(word.zfill(_WORD_DIGITS) for word in words) or "0", 16)
    if not all(keys >> key & 1 for key in (ENTER, *DIGITS)):
        return None
    name = "".join(char for char in said("name") if char.isprintable())
    vendor, product = said("id/vendor").lower(), said("id/product").lower()
    return Keyboard(NODES / folder.name, name, f"{vendor}:{product}", (said("phys").rpartition("/")[0], said("uniq")))


class HidKeyboard:
    """Port `Reader`. `device` is vendor:product in hexadecimal, or a path below /dev/input.

    The kernel keeps 64 events for us, some twelve characters: a process that stands still for longer than it takes to
    type those loses the code, and gives no part of it.
    """

    endless = True

    def __init__(self, device: str, layout: str = "us") -> None:
        """`layout`: a name in `LAYOUTS`, the one that the scanner was set to."""
        self.name = f"hid {device}"
        self._device, self._layout = device, LAYOUTS[layout]
        self._fd = -1
        self._poll = select.poll()
        self._keys = Keystrokes(self._layout)
        self._texts: deque[str] = deque()

    def open(self) -> None:
        self.close()
        path = self._find()
        try:
            self._fd = self._take(path)
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                raise EdgeGateError(
                    "is no input device", where=self.name, next=f"name a path in {NODES}/by-id, or vendor:product"
                ) from None
            raise refused(error, self.name, _HINT) from None
        self._poll.register(self._fd, select.POLLIN)

    def read(self) -> str:
        if self._fd < 0:
            raise unplugged(self.name)
        end = time.monotonic() + WAIT_S
        while not self._texts:
            if (left := end - time.monotonic()) <= 0:
                return ""
            if not self._poll.poll(left * 1000):
                self._keys.pause(end)
                return ""
            self._texts.extend(self._typed())
        return self._texts.popleft()

    def close(self) -> None:
        if self._fd >= 0:
            self._poll.unregister(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._keys = Keystrokes(self._layout)
        self._texts.clear()

    def _find(self) -> Path:
        """The device's node, now: symbolic links are followed at every opening."""
        if self._device.startswith("/"):
            node = Path(os.path.realpath(self._device))
            if node.exists() and all(keyboard.node != node for keyboard in keyboards()):
                raise EdgeGateError(
                    "is no keyboard", where=self.name, next="name the path that ends in -event-kbd, or vendor:product"
                )
            return node
        found = [keyboard for keyboard in keyboards() if keyboard.id == self._device.lower()]
        if not found:
            raise not_there(self.name, _HINT)
        if len({keyboard.unit for keyboard in found}) > 1:
            raise ReaderLost(
                "there are two of this kind", where=self.name, next=f"name one by its path in {NODES}/by-id or by-path"
            )
        return found[0].node

    def _take(self, path: Path) -> int:
        """Open a device for this process alone, with times on the monotonic clock."""
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _EVIOCGRAB, 1)
            fcntl.ioctl(fd, _EVIOCSCLOCKID, struct.pack("@i", time.CLOCK_MONOTONIC))
            # Scan codes would take a third of the kernel's buffer.
            fcntl.ioctl(fd, _EVIOCSMASK, _MASK.pack(_EV_MSC, 0, 0))
        except OSError:
            os.close(fd)
            raise
        return fd

    def _typed(self) -> Iterator[str]:
        """The texts completed by what the kernel has for us."""
        try:
            data = os.read(self._fd, _BATCH)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            raise unplugged(self.name)
        for seconds, micros, kind, code, value in _EVENT.iter_unpack(data):
            yield from self._keys.event(kind, code, value, seconds + micros / 1e6)
