"""What no single key of the configuration can tell: two uses of one pin, settings that exclude each other.

Works on the raw values, so that it also speaks when other keys are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgegate.config import LAST_PI_PIN, MAX_PIN, PIN_KEYS, Config

Key: TypeAlias = tuple[str | int, ...]
RECORDED = ("frames", "video", "demo")
_ONE_OF_A_KIND = ("qr", "stdin")
_TYPING = ("stdin", "hid", "serial", "wiegand")
_WIEGAND_LINES = ("d0", "d1")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, what, the value if it can be shown, and what would be right."""

    key: Key
    text: str
    value: object = None
    hint: str = ""


def cross_checks(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """The mistakes that need more than one key to be seen."""
    signals, camera, badges = (_section(raw, name) for name in ("signals", "camera", "badges"))
    readers = [(number, reader) for number, reader in enumerate(_readers(badges)) if isinstance(reader, dict)]
    kinds = [str(reader.get("kind")) for _, reader in readers]
    yield from _pins(signals, readers)
    yield from _camera(camera, kinds)
    yield from _reader_pairs(readers, kinds)
    yield from _plain(badges, kinds)


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, dict) else {}


def _readers(badges: Mapping[str, Any]) -> list[Any]:
    readers = badges.get("readers", [{"kind": "qr"}])
    return readers if isinstance(readers, list) else []


def _words(value: object) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _pins(signals: Mapping[str, Any], readers: list[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    defaults = Config().signals
    chip = str(signals.get("pins", defaults.pins)).startswith("gpiod:")
    uses: list[tuple[Key, object]] = [
        (("signals", name), signals.get(name, getattr(defaults, name))) for name in PIN_KEYS
    ]
    for number, reader in readers:
        if reader.get("kind") == "wiegand":
            uses += [(("badges", "readers", number, line), reader.get(line)) for line in _WIEGAND_LINES]
    users: dict[int, Key] = {}
    for key, pin in uses:
        if isinstance(pin, bool) or not isinstance(pin, int):
            continue
        if LAST_PI_PIN < pin <= MAX_PIN and not chip:
            yield Problem(key, f"must be at most {LAST_PI_PIN}, the last pin of a Raspberry Pi", pin, "BCM numbers")
        if pin in users:
            # The line to show is one that the file really has.
            here, other = (key, users[pin]) if key[0] == "badges" or key[1] in signals else (users[pin], key)
            used = f"pin {pin} is already used by {other[-1]}"
            yield Problem(here, used, pin, "every pin has one use")
        users.setdefault(pin, key)
    if "relay" in _words(signals.get("active_low")) and signals.get("relay") is None:
        yield Problem(("signals", "active_low"), "there is no relay", "relay", "name its pin with signals.relay")


def _camera(camera: Mapping[str, Any], kinds: list[str]) -> Iterator[Problem]:
    recorded = str(camera.get("source", "v4l2:")).partition(":")[0] in RECORDED
    if camera.get("pace") == "fast" and not recorded:
        yield Problem(("camera", "pace"), "only recordings can be played fast", "fast", "use pace: real with a camera")
    if camera.get("pace") == "fast" and set(kinds) & {"hid", "serial", "wiegand"}:
        yield Problem(("camera", "pace"), "devices cannot be read fast", "fast", "use pace: real, or {kind: stdin}")
    if camera.get("open") == "when-asked":
        key: Key = ("camera", "open")
        if "qr" in kinds:
            yield Problem(
                key, "a camera that reads badges must stay open", "when-asked", "use open: always, or another reader"
            )
        elif recorded and camera.get("pace") == "fast":
            yield Problem(key, "a recording played fast is always open", "when-asked", "use pace: real")


def _reader_pairs(readers: list[tuple[int, dict[str, Any]]], kinds: list[str]) -> Iterator[Problem]:
    for kind in _ONE_OF_A_KIND:
        if kinds.count(kind) > 1:
            yield Problem(("badges", "readers"), f"two readers of kind {kind}", None, "keep one")
    devices: set[str] = set()
    for number, reader in readers:
        device = reader.get("device")
        if isinstance(device, str):
            if device.lower() in devices:
                yield Problem(("badges", "readers", number, "device"), "has two readers", device, "one reader a device")
            devices.add(device.lower())


def _plain(badges: Mapping[str, Any], kinds: list[str]) -> Iterator[Problem]:
    formats = _words(badges.get("formats"))
    if badges.get("allow_plain") is True and not formats:
        yield Problem(("badges", "allow_plain"), "needs badges.formats", True, "such as formats: [typed]")
    if formats and badges.get("allow_plain", False) is False:
        yield Problem(("badges", "formats"), "only with badges.allow_plain: true", None, "remove the formats, or allow")
    if "typed" in formats and not set(kinds) & set(_TYPING):
        yield Problem(("badges", "formats"), "no reader types", "typed", "add a reader: hid, serial, wiegand or stdin")
    if set(formats) - {"typed"} and "qr" not in kinds:
        yield Problem(("badges", "formats"), "need the reader qr, which is the camera's", None, "add {kind: qr}")
