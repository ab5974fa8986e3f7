"""A USB webcam that shows what it is told, through the kernel's own driver for webcams.

    python3 -m guest.usb_camera CONTROL PICTURE WIDTH HEIGHT FPS SERIAL

A PICTURE is the beginning of file names: those ending in .jpg are shown to who asks for MJPEG, those ending in .yuyv
to who asks for YUYV, and only formats with files are offered. With several files of a format they are shown in turn:
a living camera's frames are never twice the same. Orders: plug, unplug, `show PICTURE`, `freeze` (one frame, again and
again), `stall` (no frames at all), `go` (on as before).

The transfers are bulk, not isochronous: the driver handles both, and this needs no timing by the frame.
"""

from __future__ import annotations

import struct
import sys
import time
from itertools import cycle
from pathlib import Path

from .usb import Gadget

PAYLOAD = 32 * 512
"""What the driver takes in one transfer, header included."""
HEADER = 2
FORMATS = {".jpg": b"MJPG", ".yuyv": b"YUY2"}
YUY2 = bytes.fromhex("5955593200001000800000aa00389b71")
PROBE = struct.Struct("<HBBI5HII")
"""Hint, format, frame, interval in 100 ns, five fields for encoders, greatest frame, greatest payload (UVC 1.0)."""


class Camera(Gadget):
    """A webcam of one size and one rate."""

    def __init__(self, picture: str, width: int, height: int, fps: float, serial: str) -> None:
        self._frames: dict[str, list[bytes]] = {}
        self._show(picture)
        self._formats = [ending for ending in FORMATS if ending in self._frames]
        self._interval_s = 1 / fps
        self._format = 1
        self._endless = cycle(self._now())
        self._frame = b""
        self._sent = self._flip = 0
        self._due = 0.0
        self._frozen = self._stalled = False
        self._greatest = 2 * width * height
        super().__init__(
            # "Miscellaneous, interface association": several interfaces that belong together
            struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0xEF, 2, 1, 64, 0x1209, 2, 0x100, 1, 2, 3, 1),
            self._configuration(width, height),
            ["EdgeGate", "Test Camera", serial],
        )

    def _show(self, picture: str) -> None:
        frames: dict[str, list[bytes]] = {}
        for ending in FORMATS:
            start = Path(picture)
            files = sorted(file for file in start.parent.glob("*" + ending) if file.name.startswith(start.name))
            if files:
                frames[ending] = [file.read_bytes() for file in files]
        missing = set(self._frames) - set(frames)
        if missing or not frames:
            raise ValueError(f"no file {picture}*{' or '.join(sorted(missing) or FORMATS)}")
        self._frames = frames

    def _now(self) -> list[bytes]:
        return self._frames[self._formats[self._format - 1]]

    def _configuration(self, width: int, height: int) -> bytes:
        interval = self._interval()
        control = [
            bytes.fromhex("122402010102000000000000000003000000"),  # 1: camera
            bytes.fromhex("092403020101000100"),  # 2: output by USB, from 1
        ]
        formats = b""
        for index, ending in enumerate(self._formats, 1):
            size = (1, 0, width, height, 8 * self._greatest, 8 * self._greatest, self._greatest, interval, 1, interval)
            if ending == ".jpg":
                formats += bytes([11, 0x24, 6, index, 1, 1, 1, 0, 0, 0, 0])
            else:
                formats += bytes([27, 0x24, 4, index, 1]) + YUY2 + bytes([16, 1, 0, 0, 0, 0])
            formats += struct.pack("<BBBBBHHIIIIBI", 30, 0x24, 7 if ending == ".jpg" else 5, *size)
        formats += bytes([6, 0x24, 13, 1, 1, 4])
        count = len(self._formats)
        body = b"".join(
            (
                bytes([8, 11, 0, 2, 14, 3, 0, 0]),  # interfaces 0 and 1 are one video function
                bytes([9, 4, 0, 0, 0, 14, 1, 0, 0]),
                struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x100, 13 + sum(map(len, control)), 48_000_000, 1, 1),
                *control,
                bytes([9, 4, 1, 0, 1, 14, 2, 0, 0]),
                struct.pack(
                    "<BBBBHBBBBBBB", 13 + count, 0x24, 1, count, 13 + count + len(formats), 0x81, 0, 2, 0, 0, 0, 1
                ),
                bytes(count),
                formats,
                struct.pack("<BBBBHB", 7, 5, 0x81, 2, 512, 0),  # endpoint 1, in, bulk
            )
        )
        return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 2, 1, 0, 0x80, 250) + body

    def _interval(self) -> int:
        return round(self._interval_s * 10_000_000)

    def control(self, kind: int, request: int, value: int, index: int, data: bytes) -> bytes | None:
        selector = value >> 8
        if (index, selector) not in ((1, 1), (1, 2)):  # only probe and commit of the streaming interface
            return None
        if request == 0x01:
            wanted = data[2]
            if 1 <= wanted <= len(self._formats):
                self._format = wanted
            if selector == 2:
                self._restart()
            return b""
        if request == 0x85:
            return struct.pack("<H", PROBE.size)
        if request == 0x86:
            return b"\x03"  # may be read and written
        return PROBE.pack(0, self._format, 1, self._interval(), 0, 0, 0, 0, 0, self._greatest, PAYLOAD)

    def _restart(self) -> None:
        self._endless = cycle(self._now())
        self._frame, self._sent = b"", 0

    def packet(self, limit: int) -> bytes | None:
        now = time.monotonic()
        if not self._frame:
            if self._stalled or now < self._due:
                return None
            self._due = max(now, self._due + self._interval_s)
            self._frame = self._now()[0] if self._frozen else next(self._endless)
            self._sent = 0
            self._flip ^= 1
        end = self._sent + min(limit, PAYLOAD) - HEADER
        piece = self._frame[self._sent : end]
        last = end >= len(self._frame)
        self._sent = end
        if last:
            self._frame = b""
        return bytes([HEADER, 0x80 | self._flip | (0x02 if last else 0)]) + piece

    def pause_s(self) -> float | None:
        return None if self._stalled else max(0.0, self._due - time.monotonic())

    def obey(self, words: list[str]) -> str:
        match words:
            case ["show", picture]:
                self._show(picture)
                self._endless = cycle(self._now())
                self._frozen = self._stalled = False
            case ["freeze" | "stall" | "go" as state]:
                self._frozen, self._stalled = state == "freeze", state == "stall"
            case _:
                return super().obey(words)
        return "ok"


if __name__ == "__main__":
    control, picture, width, height, fps, serial = sys.argv[1:]
    Camera(picture, int(width), int(height), float(fps), serial).serve(Path(control))
