"""The first configuration of a device: the example, with places and devices of this machine put in."""

from __future__ import annotations

import re
import sys

from edgegate.deploy import assets
from edgegate.deploy.devices import Devices

STATE = "/var/lib/edgegate"
ETC = "/etc/edgegate"


def first(devices: Devices, *, zbar: bool) -> tuple[str, list[str]]:
    """The text of config.yaml, and a line for each choice that was made in it."""
    text, said = assets.example(), []
    places = {
        ("gate", "device_key"): f"{ETC}/device.key",
        ("badges", "issuers"): f"[{ETC}/issuer.pub]",
        ("faces", "models_dir"): f"{STATE}/models",
        ("vault", "path"): f"{STATE}/vault.db",
        ("vault", "site_secret"): f"{ETC}/site.key",
        ("journal", "path"): f"{STATE}/journal.db",
    }
    for (section, key), value in places.items():
        text = put(text, section, key, value)
    for choose in (_camera, _pins):
        (section, key), value, why = choose(devices)
        text = put(text, section, key, value)
        said.append(f"{section}.{key}: {value} ({why})")
    decoder, why = (
        ("both", "libzbar is there") if zbar else ("zxing", "libzbar0 is missing; with it, `both` reads more")
    )
    said.append(f"badges decoder: {decoder} ({why})")
    readers = [f"    - {{kind: qr, decoder: {decoder}}}"]
    readers += [f"    - {{kind: hid, device: {path}, layout: us}}" for path in devices.readers]
    said += [f"badges reader: {path} (its name says that it is one)" for path in devices.readers]
    readers += [
        f"    # - {{kind: hid, device: {path}, layout: us}}  # found; if this is the reader" for path in devices.others
    ]
    readers += [f"    # - {{kind: serial, device: {path}}}  # found; if this is the reader" for path in devices.serials]
    return _readers(text, readers), said


def put(text: str, section: str, key: str, value: str) -> str:
    """Exchange one value of the example, keeping its comment. Raises KeyError when the example has no such key."""
    pattern = re.compile(rf"(^{section}:\n(?:(?:[ #].*)?\n)*?  {key}: )(\S.*?)(\s+#.*)?$", re.MULTILINE)
    text, count = pattern.subn(lambda found: f"{found[1]}{value}{found[3] or ''}", text, count=1)
    if count != 1:
        raise KeyError(f"{section}.{key}")
    return text


def _camera(devices: Devices) -> tuple[tuple[str, str], str, str]:
    key = ("camera", "source")
    if devices.cameras:
        others = len(devices.cameras) - 1
        why = f"the first of {others + 1} cameras" if others else "the only camera"
        return key, f'"v4l2:{devices.cameras[0]}"', why
    return key, '"v4l2:/dev/video0"', "no camera found yet: plug it in, or edit this line"


def _pins(devices: Devices) -> tuple[tuple[str, str], str, str]:
    key = ("signals", "pins")
    if devices.raspberry_pi:
        if sys.version_info >= (3, 13) and devices.header:
            return key, f"gpiod:{devices.header}", f"the header of {devices.board}; lgpio has no wheel for this Python"
        return key, "lgpio", devices.board
    if len(devices.chips) == 1:
        return key, f"gpiod:{devices.chips[0]}", f"the only GPIO chip{' of ' + devices.board if devices.board else ''}"
    if devices.chips:
        return key, "mock", f"no lights yet: choose one of {', '.join(devices.chips)}, as gpiod:/dev/gpiochip0"
    return key, "mock", "no lights: no GPIO chip found"


def _readers(text: str, lines: list[str]) -> str:
    """Exchange the list of readers; the commented examples below it stay."""
    return re.sub(r"(?m)^    - \{kind: qr,.*$", lambda _: "\n".join(lines), text, count=1)
