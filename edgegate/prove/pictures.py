"""Which files are pictures, by their first bytes whatever their name says, and which of them show a badge."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edgegate.badges.credential import PREFIX
from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.errors import EdgeGateError
from edgegate.images import MAX_BYTES, grey, read_image
from edgegate.model import Image
from edgegate.ports import Decoder

BEGINNINGS = {
    "PNG": "89504e470d0a1a0a",
    "JPEG": "ffd8ff",
    "GIF": "47494638",
    "TIFF": "49492a00|4d4d002a",
    "RIFF": "52494646",  # WebP, AVI, sound
    "MP4, HEIC": "........66747970",
    "Matroska": "1a45dfa3",
    "NumPy": "934e554d5059",
    "pickle": "8004|8005",
    "zip, npz": "504b0304",
    "PDF": "25504446",
    "BMP": "424d........00000000",
    "PNM": "503[1-7](0a|20|0d)",
    "SVG": "3c737667|efbbbf3c737667",
}
"""The first bytes (hexadecimal, as patterns) of pictures, films, and what arrays of numbers are saved as."""
HEAD = 12
_BEGINNING = re.compile("|".join(BEGINNINGS.values()))
_SVG = re.compile(rb"<svg[\s>]")
_LINES = re.compile(rb'\sd="(M[Mmhvz0-9 .,+-]{20,200000})"')
_STEP = re.compile(rb"([Mmhvz])([0-9 .,+-]*)")
_ENOUGH = 4_000_000
"""Pixels of a picture that the slower decoder looks at too."""
_MAX_MODULES = 177 + 2 * 20
_MODULE_PX = 4


def beginning(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as stream:
        return stream.read(HEAD)


def is_picture(path: Path) -> bool:
    """A picture, a film, or saved numbers. An SVG may begin with all kinds of things: `<svg` soon is enough."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    return bool(_BEGINNING.match(head[:HEAD].hex())) or _SVG.search(head) is not None


def badges_in(path: Path) -> int:
    """How many badges a picture shows; 0 where it cannot be read."""
    try:
        picture = drawn(path.read_bytes()) if _is_svg(path) else grey(read_image(path))
    except (EdgeGateError, OSError, MemoryError):
        return 0
    return len({text for text in _texts(picture) if text.startswith(PREFIX)}) if picture is not None else 0


def drawn(svg: bytes) -> Image | None:
    """A drawing made of horizontal lines one unit wide, as QR codes are drawn (segno does), as a picture.

    None where there is no such drawing in it: this is no renderer of SVG.
    """
    found = _LINES.search(svg[:MAX_BYTES])
    if found is None:
        return None
    modules = np.full((_MAX_MODULES, _MAX_MODULES), 255, np.uint8)
    x = y = 0.0
    try:
        for step, text in _STEP.findall(found[1]):
            numbers = [float(number) for number in re.findall(rb"[+-]?[0-9]*\.?[0-9]+", text)]
            if step in b"Mm":
                x, y = (numbers[0], numbers[1]) if step == b"M" else (x + numbers[0], y + numbers[1])
            elif step == b"h":
                modules[int(y), int(x) : int(x + numbers[0])] = 0
                x += numbers[0]
    except (ValueError, IndexError, OverflowError):
        return None
    return np.kron(modules, np.ones((_MODULE_PX, _MODULE_PX), np.uint8))


def _is_svg(path: Path) -> bool:
    with path.open("rb") as stream:
        return _SVG.search(stream.read(1024)) is not None and path.stat().st_size <= MAX_BYTES


def _texts(picture: Image) -> list[str]:
    decoders: list[type[Decoder]] = [ZxingDecoder]
    if picture.size <= _ENOUGH:
        decoders.append(PyzbarDecoder)
    for kind in decoders:
        try:
            if texts := kind().decode(picture, 0.0):
                return texts
        except EdgeGateError:
            continue  # a machine without the zbar library
    return []
