"""Left behind: pictures, saved numbers, badges and private keys where none should be."""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from shlex import join

from edgegate.files import exists
from edgegate.prove import pictures
from edgegate.prove.inventory import Entry, declared, entries, folders, pattern, secrets, stores
from edgegate.prove.report import Claim, Found, Hand, find, judged, listed, unchecked
from edgegate.prove.scene import Scene

SHELVES = ("Desktop", "Documents", "Downloads", "Pictures", "Bureau", "Images", "Téléchargements")
"""Where people and programs put pictures, in their home folder."""
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - looked into, not written to
DEEP, SHALLOW = 3, 2
MOST = 2000
PATIENCE_S = 90.0
_CHUNK = 1 << 20
_TEXT = "EG1:[0-9A-Z $%*+./:-]{100}"
_BADGE = re.compile(_TEXT.encode())
_KEY = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")
MARKS = (rb"\x89PNG\r", rb"JFIF\x00", rb"Exif\x00\x00", rb"WEBPVP8", rb"\x93NUMPY", rb"GIF8[79]a")
"""What pictures and saved arrays hold near their beginning, long enough to be in no store by chance, and within what
grep(1) takes for a line."""
_MARK = re.compile(b"|".join(MARKS))
_OVERLAP = 128
_SUFFIXES = ("png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff")


def homes() -> tuple[Path, ...]:
    """The home folders of whoever asks: of the person behind sudo too."""
    found = {Path.home()}
    with suppress(KeyError):
        found.add(Path(pwd.getpwnam(os.environ.get("SUDO_USER", "")).pw_dir))
    return tuple(sorted(path for path in found if path.is_dir() and path != Path("/")))


def shelves(scene: Scene) -> list[tuple[Path, int]]:
    """Where somebody may have left a badge's picture beside the gate's folders, and how deep to look there."""
    places = [(home, 1) for home in scene.homes]
    places += [(home / name, DEEP) for home in scene.homes for name in SHELVES]
    places += [(folder, SHALLOW) for folder in scene.temporary]
    return [(path, depth) for path, depth in places if path.is_dir() and path not in folders(scene)]


def _pictures(scene: Scene) -> Found:
    found = [str(entry.path) for entry in _files(scene) if pictures.is_picture(entry.path)]
    return judged(found, count=sum(1 for _ in _files(scene)), files=listed(sorted(found)))


def _by_beginnings(scene: Scene) -> Hand:
    """od(1) shows the first bytes as hexadecimal digits, in which grep(1) looks for the same beginnings."""
    starts = "|".join(pictures.BEGINNINGS.values())
    script = (
        f'od -An -v -tx1 -N{pictures.HEAD} "$1" | tr -d " \\n" | grep -qE "^({starts})" || '
        'head -c 1024 "$1" | grep -qaE "<svg[[:space:]>]"'
    )
    return Hand(find(folders(scene), "-type", "f", "-exec", "sh", "-c", script, "-", "{}", ";", "-print"))


def _inside(scene: Scene) -> Found:
    there = [path for path in stores(scene) if exists(path)]
    found = [str(path) for path in there if _holds(path, _MARK)]
    return judged(found, files=listed(found or [str(path) for path in there]))


def _by_marks(scene: Scene) -> Hand:
    marks = "|".join(mark.decode("ascii") for mark in MARKS)
    return Hand(f"LC_ALL=C {join(['grep', '-lsaP', marks, *map(str, stores(scene))])}")


def _badges(scene: Scene) -> Found:
    known = declared(scene)
    suspects = [entry.path for entry in _files(scene) if entry.path not in known]
    return _badges_among(scene, iter(suspects))


def _badges_elsewhere(scene: Scene) -> Found:
    return _badges_among(scene, (path for folder, depth in shelves(scene) for path in _below(folder, depth)))


def _badges_among(scene: Scene, files: Iterator[Path]) -> Found:
    """Looks at so many files, for so long, and says so when that was not enough."""
    found, count, until = [], 0, time.monotonic() + PATIENCE_S
    for path in islice(files, MOST):
        if time.monotonic() > until:
            return unchecked("too_many", count=count)
        try:
            if _holds(path, _BADGE) or (pictures.is_picture(path) and pictures.badges_in(path)):
                found.append(str(path))
        except OSError:
            continue  # gone, or not for us to read
        count += 1
    if found:
        return judged(found, files=listed(sorted(found)), count=count)
    return unchecked("too_many", count=count) if next(files, None) is not None else judged(False, count=count)


def _badges_by_zbar(scene: Scene) -> Hand:
    return _zbar([["-type", "f"]], [folders(scene)])


def _elsewhere_by_zbar(scene: Scene) -> Hand:
    found = shelves(scene)
    return _zbar([["-maxdepth", str(depth), "-type", "f"] for _, depth in found], [(folder,) for folder, _ in found])


def _zbar(tests: list[list[str]], places: list[tuple[Path, ...]]) -> Hand:
    """How many badges zbarimg(1) (Debian: zbar-tools) and grep(1) see. Only their number: a badge's text is its key.

    zbarimg reads no SVG, so every drawing of a QR code counts as a badge.
    """
    names = [word for suffix in _SUFFIXES for word in ("-o", "-iname", f"*.{suffix}")][1:]
    parts = []
    for words, folder in zip(tests, places, strict=True):
        parts.append(find(folder, *words, "(", *names, ")", "-exec", "zbarimg", "-q", "--raw", "{}", "+"))
        parts.append(find(folder, *words, "-exec", "grep", "-hsaE", f"{_TEXT}|class=.qrline", "{}", "+"))
    tool = "command -v zbarimg >/dev/null || echo 'zbarimg is missing: apt install zbar-tools'"
    return Hand(f"{tool}; {{ {'; '.join(parts or ['true'])}; }} 2>/dev/null | grep -caE 'EG1:[0-9A-Z]|qrline'", "0")


def _keys(scene: Scene) -> Found:
    device = set(secrets(scene))
    private = [path.with_suffix(".key") for path in scene.config.badges.issuers]
    found = {str(path) for path in private if exists(path) and path not in device}
    known = set(stores(scene)) | device
    found |= {str(entry.path) for entry in _files(scene) if entry.path not in known and _holds(entry.path, _KEY)}
    return judged(found, files=listed(sorted(found)))


def _keys_by_grep(scene: Scene) -> Hand:
    device = [word for path in secrets(scene) for word in ("!", "-path", pattern(path))]
    marks = "-----BEGIN ([A-Z]+ )*PRIVATE KEY-----"
    return Hand(find(folders(scene), "-type", "f", *device, "-exec", "grep", "-laE", "-e", marks, "{}", "+"))


def _files(scene: Scene) -> Iterator[Entry]:
    return (entry for entry in entries(scene) if entry.is_file)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Files no deeper than that, of whatever can be entered; links are not followed."""
    for where, below, files in os.walk(folder):
        here = len(Path(where).relative_to(folder).parts) + 1
        if here >= depth:
            below.clear()
        yield from (Path(where, name) for name in sorted(files) if Path(where, name).is_file())


def _holds(path: Path, mark: re.Pattern[bytes]) -> bool:
    """Is that anywhere in a file? Read piece by piece, whatever its length."""
    with path.open("rb") as stream:
        before = b""
        while piece := stream.read(_CHUNK):
            if mark.search(before + piece):
                return True
            before = piece[-_OVERLAP:]
    return False


CLAIMS = (
    Claim("files.pictures", _pictures, _by_beginnings),
    Claim("files.pictures_inside", _inside, _by_marks),
    Claim("files.badges", _badges, _badges_by_zbar),
    Claim("files.badges_elsewhere", _badges_elsewhere, _elsewhere_by_zbar),
    Claim("files.keys", _keys, _keys_by_grep),
)
