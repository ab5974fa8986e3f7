"""A badge reader on USB that types what it reads, as a keyboard with the US layout.

    python3 -m guest.usb_reader CONTROL VENDOR PRODUCT SERIAL

Orders: plug, unplug, `type TEXT` (a newline is the Enter key).
"""

from __future__ import annotations

import struct
import sys
import time
from collections import deque
from pathlib import Path
from string import ascii_lowercase

from .usb import Gadget

KEYS = {letter: (4 + place, False) for place, letter in enumerate(ascii_lowercase)}
KEYS |= {letter.upper(): (code, True) for letter, (code, _) in KEYS.items()}
for plain, shifted, first in (("1234567890", "!@#$%^&*()", 30), ("-=[]\\", "_+{}|", 45), (";'`,./", ':"~<>?', 51)):
    KEYS |= {key: (first + place, False) for place, key in enumerate(plain)}
    KEYS |= {key: (first + place, True) for place, key in enumerate(shifted)}
KEYS |= {"\n": (40, False), "\t": (43, False), " ": (44, False)}
"""Usage (HID usage tables, page 7) and whether Shift is held."""
LEFT_SHIFT = 0x02
EVERY_S = 0.004
"""From report to report, two a character: as a fast scanner does. Linux keeps 20 or so for a program that is busy."""

REPORT = bytes.fromhex(  # the boot keyboard of the HID specification, appendix B.1, without its lamps
    "05010906a101050719e029e71500250175019508810295017508810195067508150025650507190029658100c0"
)


class Reader(Gadget):
    """A keyboard that types by itself."""

    port = 1

    def __init__(self, vendor: int, product: int, serial: str) -> None:
        device = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, vendor, product, 0x100, 1, 2, 3, 1)
        parts = [
            bytes([9, 4, 0, 0, 1, 3, 1, 1, 0]),  # interface: HID, boot, keyboard
            struct.pack("<BBHBBBH", 9, 0x21, 0x111, 0, 1, 0x22, len(REPORT)),
            struct.pack("<BBBBHB", 7, 5, 0x81, 3, 8, 4),  # endpoint 1, in, interrupt
        ]
        body = b"".join(parts)
        head = struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 1, 1, 0, 0x80, 50)
        super().__init__(device, head + body, ["EdgeGate", "Test Reader", serial])
        self._reports: deque[bytes] = deque()
        self._due = 0.0

    def control(self, kind: int, request: int, value: int, index: int, data: bytes) -> bytes | None:
        if (kind, request, value) == (0x81, 6, 0x2200):
            return REPORT
        return b"" if kind == 0x21 else None  # idle rate, protocol, lamps

    def packet(self, limit: int) -> bytes | None:
        now = time.monotonic()
        if not self._reports or now < self._due:
            return None
        self._due = now + EVERY_S
        return self._reports.popleft()

    def pause_s(self) -> float | None:
        return max(0.0, self._due - time.monotonic()) if self._reports else None

    def unplug(self) -> None:
        super().unplug()
        self._reports.clear()

    def obey(self, words: list[str]) -> str:
        if words[0] != "type":
            return super().obey(words)
        unknown = sorted(set(words[1]) - set(KEYS))
        if unknown:
            raise ValueError(f"no key for {unknown}")
        for character in words[1]:
            code, shift = KEYS[character]
            self._reports.append(struct.pack("BxB5x", LEFT_SHIFT if shift else 0, code))
            self._reports.append(bytes(8))
        return "ok"


if __name__ == "__main__":
    control, vendor, product, serial = sys.argv[1:]
    Reader(int(vendor, 16), int(product, 16), serial).serve(Path(control))
