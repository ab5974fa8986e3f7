"""A scanner that types: the USB reports it sends for a text, and the input events the kernel makes of them.

As a command it is that scanner, on a machine with a USB device port or the kernel's own `dummy_hcd` (as root):
`python -m tests.scanner plug NAME [SERIAL]`, `unplug NAME`, and `type NAME LAYOUT < text`.

Its tables are those of the USB HID usage tables (chapter 10) and of what is engraved on the keys, by usage: written
apart from the ones they test.
"""

from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")
VENDOR, PRODUCT = "08ff", "0009"
EV_SYN, EV_KEY, EV_MSC = 0, 1, 4
SYN_REPORT, SYN_DROPPED, MSC_SCAN = 0, 3, 4
ENTER, TAB, CAPS, KEYPAD_ENTER = 0x28, 0x2B, 0x39, 0x58
SHIFT, ALT_GR = 0x02, 0x40
"""Bits of a report's first byte: left Shift, right Alt."""
_LETTERS = {letter: 0x04 + index for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_DIGITS = {digit: 0x1E + index for index, digit in enumerate("1234567890")}
_AZERTY = {"a": "q", "q": "a", "z": "w", "w": "z"}
_AZERTY_DIGITS = ["&1", "é2~", '"3#', "'4{", "(5[", "-6|", "è7`", "_8\\", "ç9^", "à0@"]

ENGRAVED = {
    "us": {
        **{usage: letter + letter.upper() for letter, usage in _LETTERS.items()},
        **dict(zip(_DIGITS.values(), ["1!", "2@", "3#", "4$", "5%", "6^", "7&", "8*", "9(", "0)"], strict=True)),
        **{0x2C: " ", 0x2D: "-_", 0x2E: "=+", 0x2F: "[{", 0x30: "]}", 0x31: "\\|"},
        **{0x33: ";:", 0x34: "'\"", 0x35: "`~", 0x36: ",<", 0x37: ".>", 0x38: "/?"},
    },
    "fr": {
        **{_LETTERS[_AZERTY.get(letter, letter)]: letter + letter.upper() for letter in _LETTERS if letter != "m"},
        **dict(
            zip(_DIGITS.values(), ["&1", "é2~", '"3#', "'4{", "(5[", "-6|", "è7`", "_8\\", "ç9^", "à0@"], strict=True)
        ),
        **{0x10: ",?", 0x2C: " ", 0x2D: ")°]", 0x2E: "=+}", 0x30: "$£¤", 0x32: "*µ"},
        **{0x33: "mM", 0x34: "ù%", 0x36: ";.", 0x37: ":/", 0x38: "!§", 0x64: "<>"},
    },
}
"""What each key types by itself, with Shift, and with AltGr."""
KEYPAD = {char: 0x54 + index for index, char in enumerate("/*-+\n1234567890.")}
STROKES = {
    layout: {char: (mods, usage) for usage, chars in keys.items() for char, mods in zip(chars, (0, SHIFT, ALT_GR))}  # noqa: B905
    for layout, keys in ENGRAVED.items()
}
"""Modifiers and usage for every character that a layout has."""

_CODES_FROM_A = (
    "30 48 46 32 18 33 34 35 23 36 37 38 50 49 24 25 16 19 31 20 22 47 17 45 21 44 "  # a to z
    "2 3 4 5 6 7 8 9 10 11 28 1 14 15 57 12 13 26 27 43 43 39 40 41 51 52 53 58"  # 1 to CapsLock
)
_CODES_FROM_KEYPAD = "98 55 74 78 96 79 80 81 75 76 77 71 72 73 82 83 86"
CODES = {
    **{0x04 + index: int(code) for index, code in enumerate(_CODES_FROM_A.split())},
    **{0x54 + index: int(code) for index, code in enumerate(_CODES_FROM_KEYPAD.split())},
}
"""Usage to the kernel's key code (drivers/hid/hid-input.c)."""
MODIFIER_CODES = (29, 42, 56, 125, 97, 54, 100, 126)
"""The key code of each bit of a report's first byte."""
_REPORT_DESCRIPTOR = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507"
    "190029658100c0"
)
"""A keyboard in the USB HID specification's own words (appendix B.1)."""


def strokes(text: str, layout: str, end: int = ENTER) -> list[tuple[int, int]]:
    """The keys for a text, each with its modifiers, and for the end of it (0: none)."""
    return [STROKES[layout][char] for char in text] + ([(0, end)] if end else [])


def event(kind: int, code: int, value: int, at: float) -> bytes:
    """A `struct input_event`."""
    return struct.pack("@llHHi", int(at), round(at % 1 * 1e6), kind, code, value)


def events(keys: list[tuple[int, int]], at: float, every_s: float = 0.0) -> bytes:
    """What the kernel tells of these keys, pressed and released one after the other."""
    data = []
    for mods, usage in keys:
        held = [code for bit, code in enumerate(MODIFIER_CODES) if mods >> bit & 1]
        for value in (1, 0):
            data += [event(EV_KEY, code, value, at) for code in held]
            data += [event(EV_MSC, MSC_SCAN, 0x70000 + usage, at), event(EV_KEY, CODES[usage], value, at)]
            data += [event(EV_SYN, SYN_REPORT, 0, at)]
        at += every_s
    return b"".join(data)


def plug(name: str, serial: str = "SN0001") -> Path:
    """Make the gadget `name` and plug it into a free USB device port. Returns the node that its keys go to."""
    gadget = GADGETS / name
    function, config = gadget / "functions/hid.0", gadget / "configs/c.1"
    if not gadget.exists():
        for folder in (gadget, gadget / "strings/0x409", function, config):
            folder.mkdir()
        for file, value in {"idVendor": f"0x{VENDOR}", "idProduct": f"0x{PRODUCT}"}.items():
            (gadget / file).write_text(value)
        for file, value in {"manufacturer": "ACME", "product": "Badge Reader", "serialnumber": serial}.items():
            (gadget / "strings/0x409" / file).write_text(value)
        for file, value in {"protocol": "1", "subclass": "1", "report_length": "8"}.items():
            (function / file).write_text(value)
        (function / "report_desc").write_bytes(_REPORT_DESCRIPTOR)
        (config / "hid.0").symlink_to(function)
    used = {(other / "UDC").read_text().strip() for other in GADGETS.iterdir()}
    free = [port.name for port in sorted(Path("/sys/class/udc").iterdir()) if port.name not in used]
    (gadget / "UDC").write_text(free[0])
    return node(name)


def unplug(name: str) -> None:
    """Pull it; `plug` puts it back."""
    (GADGETS / name / "UDC").write_text("\n")


def node(name: str) -> Path:
    """Where the keys of a gadget go: /dev/hidgN."""
    return Path("/dev/hidg" + (GADGETS / name / "functions/hid.0/dev").read_text().strip().partition(":")[2])


def type_on(name: str, keys: list[tuple[int, int]], every_s: float = 0.0) -> None:
    """Press and release each key, `every_s` seconds apart or as fast as the host asks."""
    with node(name).open("wb", buffering=0) as gadget:
        for mods, usage in keys:
            gadget.write(bytes((mods, 0, usage, 0, 0, 0, 0, 0)))
            gadget.write(bytes(8))
            time.sleep(every_s)


def main(verb: str, name: str, *rest: str) -> None:
    if verb == "plug":
        print(plug(name, *rest))
    elif verb == "unplug":
        unplug(name)
    else:
        type_on(name, strokes(sys.stdin.read().rstrip("\n"), rest[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
