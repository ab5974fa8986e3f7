"""Canaries: bytes that must never reach a disk, in every form in which they could; and where to look for them.

A canary is a name and its needles, each ten bytes or longer and unlike anything else; one needle found gives it away.
The search reads files whole, whatever their names; of a process that runs, what it holds open and what it has mapped
from files, those already deleted included.
"""

from __future__ import annotations

import base64
import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from edgegate.model import Image, Vector

Canaries = Mapping[str, Sequence[bytes]]

CHUNK = 1 << 20
HEADER = 700
"""So many bytes of a picture's file may be the same in another."""
_WINDOW = 32
_SHORTEST = 10
_DISTINCT = 8
"""Fewer different bytes than this in a piece, and a plain wall would pass for the canary."""
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)")


def windows(data: bytes, count: int, size: int = _WINDOW) -> list[bytes]:
    """So many pieces from all over `data` that are unlike anything else."""
    last = len(data) - size
    if last < 0:
        return [data] if len(data) >= _SHORTEST else []
    places = np.linspace(0, last, count).astype(int)
    pieces = (data[place : place + size].lstrip(b"\0") for place in places)  # zeros are everywhere
    return [piece for piece in pieces if len(piece) >= _SHORTEST and len(set(piece)) >= _DISTINCT]


def of_picture(image: Image) -> dict[str, list[bytes]]:
    """A BGR picture as it could be written: raw in every order of channels, grey, as numbers for a network, coded."""
    rows = [image[row] for row in np.linspace(0, len(image) - 1, 12).astype(int)]
    channels = [row[:, channel] for row in rows for channel in range(3)]
    opaque = np.full((image.shape[1], 1), 255, np.uint8)
    forms: dict[str, list[NDArray[Any]]] = {
        "BGR": rows,
        "RGB": [row[:, ::-1] for row in rows],
        "BGRA": [np.hstack([row, opaque]) for row in rows],
        "grey": [cv2.cvtColor(row[None], cv2.COLOR_BGR2GRAY)[0] for row in rows],
        "one channel": channels,
        "float32": [row.astype("<f4") for row in rows],
        "float32, one channel": [row.astype("<f4") for row in channels],
    }
    found = {
        f"picture, {name}": [
            piece for row in arrays for piece in windows(np.ascontiguousarray(row).tobytes(), 3, 16 * row.itemsize)
        ]
        for name, arrays in forms.items()
    }
    return found | {f"picture, {name}": windows(data, 12) for name, data in _coded(image)}


def _coded(image: Image) -> Iterator[tuple[str, bytes]]:
    """As the libraries here would code it. What is in front is left out: it may be the same in any picture."""
    for suffix, quality in ((".jpg", 95), (".jpg", 92), (".jpg", 90), (".png", 0)):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality] if quality else []
        yield f"OpenCV's {suffix} {quality or ''}".rstrip(), cv2.imencode(suffix, image, options)[1].tobytes()[HEADER:]
    picture = Pil.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    for kind in ("JPEG", "PNG", "WEBP"):
        out = io.BytesIO()
        picture.save(out, kind)
        yield f"Pillow's {kind}", out.getvalue()[HEADER:]


def of_file(name: str, path: Path) -> dict[str, list[bytes]]:
    """A picture's file as it lies on the disk: a copy of it, whole or in part."""
    return {name: windows(path.read_bytes()[HEADER:], 64)}


def of_template(vector: Vector) -> dict[str, list[bytes]]:
    """An embedding as numbers of several kinds, and as text."""
    floats = np.asarray(vector, "<f4")
    steps = np.rint(floats / (np.abs(floats).max() / 127)).astype(np.int8)
    raw = floats.tobytes()
    written = [str(number) for number in [*floats[:8].tolist(), *floats[:8]]]
    return {
        "template, float32": windows(raw, 32, 16),
        "template, float64": windows(floats.astype("<f8").tobytes(), 32, 16),
        "template, float16": windows(floats.astype("<f2").tobytes(), 16, 16),
        "template, int8": windows(steps.tobytes(), 16, 16),
        "template, written": [text.encode() for text in written if len(text) >= _SHORTEST],
        "template, coded": [*windows(raw.hex().encode(), 16), *windows(base64.b64encode(raw), 16)],
    }


def of_text(name: str, text: str) -> dict[str, list[bytes]]:
    """A word, in capitals and small letters, in the encodings in use."""
    forms = {text, text.lower(), text.upper()}
    return {name: [form.encode(coding) for form in forms for coding in ("utf-8", "utf-16-le", "utf-32-le")]}


def of_bytes(name: str, data: bytes) -> dict[str, list[bytes]]:
    """A secret as bytes, and as text."""
    return {name: [data, data.hex().encode(), data.hex().upper().encode(), base64.b64encode(data)[:-4]]}


class Hunt:
    """Looks for the needles of canaries. One that is found gives its canary's name, and where it was."""

    def __init__(self, needles: Canaries) -> None:
        assert all(len(needle) >= _SHORTEST for some in needles.values() for needle in some)
        assert all(needles.values()), "a canary without needles is never found"
        self.needles = needles
        self._overlap = max((len(needle) for some in needles.values() for needle in some), default=1) - 1
        self._starts: dict[bytes, list[tuple[str, bytes]]] = {}
        for name, some in needles.items():
            for needle in some:
                self._starts.setdefault(needle[:_SHORTEST], []).append((name, needle))
        # Two bytes rule out most places at once: fifteen times as fast as one search for each needle.
        self._pairs = np.zeros(1 << 16, np.bool_)
        for start in self._starts:
            self._pairs[int.from_bytes(start[:2], "little")] = True

    def seen(self, stream: BinaryIO, length: int | None = None) -> set[str]:
        """The names of the canaries in a stream, up to `length` bytes of it; one megabyte of memory at a time."""
        found, before, left = set[str](), b"", length
        while block := stream.read(CHUNK if left is None else min(CHUNK, left)):
            data = before + block
            found |= self._in(data)
            before = data[-self._overlap :]
            left = None if left is None else left - len(block)
        return found

    def _in(self, data: bytes) -> set[str]:
        numbers = np.frombuffer(data, np.uint8).astype(np.uint16)
        places = np.flatnonzero(self._pairs[numbers[:-1] | numbers[1:] << 8])
        return {
            name
            for place in places.tolist()
            for name, needle in self._starts.get(data[place : place + _SHORTEST], ())
            if data.startswith(needle, place)
        }

    def in_files(self, paths: Iterable[Path]) -> list[str]:
        """What is found in files, and in all files below folders; their names are looked at too."""
        found = []
        for path in sorted(_files(paths)):
            try:
                with path.open("rb") as stream:
                    names = self.seen(stream) | self._in(os.fsencode(path.name))
            except FileNotFoundError:
                continue  # a journal of SQLite's that was there a moment ago
            found += [f"{name} in {path}" for name in sorted(names)]
        return found

    def in_process(self, pid: int, source: Path) -> list[str]:
        """What a process that runs holds open or mapped in files, but for those below `source`. Whatever is written
        to a shared mapping reaches its file; a private one is a copy that never does.

        Raises PermissionError where the system does not let us look (ptrace(2), PTRACE_MODE_READ).
        """

        def shared(modes: str, name: str) -> bool:
            return modes[3] == "s" and name.startswith("/") and not name.startswith(f"{source}/")

        return [*self._in_open_files(pid, source), *self.in_memory(pid, shared)]

    def _in_open_files(self, pid: int, source: Path) -> Iterator[str]:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
                if not stat.S_ISREG(link.stat().st_mode) or target.startswith(f"{source}/"):
                    continue  # a pipe, a socket, a device; or what we gave it to read
                with link.open("rb") as stream:
                    yield from (f"{name} in open file {target}" for name in sorted(self.seen(stream)))
            except FileNotFoundError:
                continue  # closed meanwhile

    def in_memory(self, pid: int, wanted: Callable[[str, str], bool]) -> Iterator[str]:
        """What is found in a process' memory, in the mappings whose modes (as rw-p) and name are wanted."""
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace").splitlines():
                match = _MAPPING.match(line)
                if match is None or match[3][0] != "r" or not wanted(match[3], match[4]):
                    continue
                start, end = int(match[1], 16), int(match[2], 16)
                try:
                    memory.seek(start)
                    names = self.seen(memory, end - start)
                except OSError:
                    continue  # unmapped meanwhile, or a device's own memory
                yield from (f"{name} in memory of {match[4] or 'no file'}" for name in sorted(names))


def _files(paths: Iterable[Path]) -> set[Path]:
    files: set[Path] = set()
    for path in paths:
        inside = path.rglob("*") if path.is_dir() else [path]
        files |= {file for file in inside if file.is_file() and not file.is_symlink()}
    return files
