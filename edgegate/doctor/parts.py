"""Camera, readers and pins, opened as the daemon opens them. Only while no gate runs: each has one holder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gpiozero import DigitalInputDevice, DigitalOutputDevice, Factory

from edgegate.adapters import open_camera, open_reader, open_signals
from edgegate.camera.dark import Light, light
from edgegate.camera.people import FACE_PX
from edgegate.config import Camera as CameraSettings
from edgegate.config import Config, OwnReader, StdinReader
from edgegate.config_checks import RECORDED
from edgegate.doctor.machine import Machine
from edgegate.doctor.report import Finding, fail, merge, ok, warn
from edgegate.errors import EdgeGateError, EndOfFrames
from edgegate.faces.measures import sharpness
from edgegate.faces.quality import ENROLMENT, GATE
from edgegate.model import Button, Image
from edgegate.ports import Camera, Face
from edgegate.signals.pins import factory

WATCHED_S = 2.0
SLOW = 0.8
"""Share of the rate asked for, below which a camera is slow."""
DIM, GLARING = 50.0, 215.0
"""Mean grey levels: quality suffers below and above."""
FACE_SHARE = FACE_PX / 1280
"""Width of a face against that of the picture."""
SETTLE_S = 0.02
STABLE = ("/dev/v4l/by-id", "/dev/v4l/by-path")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a camera gave: size, pictures per second after the first, and the last picture's light and focus."""

    width: int
    height: int
    fps: float
    light: Light
    focus: float


def camera(config: Config) -> Finding:
    """Opens, and gives the size and rate asked for, of something bright and sharp."""
    source = open_camera(config)
    try:
        source.open()
        seen = watch(source, WATCHED_S)
    finally:
        source.close()
    return judge(seen, config.camera)


def watch(source: Camera, seconds: float) -> Seen:
    """Look for that long from the first picture on. Raises what the camera raises."""
    picture = source.read()
    start, count = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        try:
            picture = source.read()
        except EndOfFrames:
            break
        count += 1
    elapsed = max(time.monotonic() - start, 1e-3)
    height, width = picture.shape[:2]
    return Seen(width, height, count / elapsed, light(picture), focus(picture))


def focus(picture: Image) -> float:
    """The sharpness of the sharpest part of the picture that is as large as a face, by the gate's own measure.

    The whole picture would not do: most of an entrance is bare wall, sharp or not.
    """
    height, width = picture.shape[:2]
    side = max(16, round(FACE_SHARE * width))
    places = [(x, y) for y in _steps(height, side) for x in _steps(width, side)]
    return max(sharpness(picture, Face((x, y, side, side), 1.0)) for x, y in places)


def _steps(length: int, side: int) -> list[int]:
    """Where squares of that side begin, each half over the next."""
    return [int(at) for at in np.arange(0, max(length - side, 0) + 1, side / 2)]


def judge(seen: Seen, asked: CameraSettings) -> Finding:
    """Against the configuration, and what the gate needs."""
    if asked.kind in RECORDED:
        return warn(
            f"{asked.kind} gives {seen.width}x{seen.height}, but it is no camera", "name one with camera.source"
        )
    found = [ok(asked.shown)]
    size = f"{seen.width}x{seen.height}"
    if (seen.width, seen.height) == (asked.width, asked.height):
        found.append(ok(size))
    else:
        asked_size = f"{asked.width}x{asked.height}"
        found.append(warn(f"{size} where {asked_size} was asked for", "set camera.width and height to what it can"))
    rate = f"{seen.fps:.1f} pictures a second"
    if seen.fps >= SLOW * asked.fps:
        found.append(ok(rate))
    else:
        remedy = "more light, camera.format: mjpeg, a USB port of its own, or a lower camera.fps"
        found.append(warn(f"{rate} where {asked.fps:g} were asked for", remedy))
    found.append(_brightness(seen.light))
    if seen.light.dark:
        return merge(*found)
    return merge(*found, _sharp(seen.focus))


def _brightness(seen: Light) -> Finding:
    says = f"brightness {seen.mean:.0f} of 255"
    if seen.dark:
        return fail(f"sees nothing ({says})", "uncover and clean the lens, or light the entrance")
    if seen.mean < DIM:
        return warn(f"dim ({says})", "light the entrance")
    if seen.mean > GLARING:
        return warn(f"glaring ({says})", "turn it away from window or lamp")
    return ok(says)


def _sharp(focus: float) -> Finding:
    says = f"focus {focus:.0f}"
    remedy = "clean the lens, turn its ring until this number is highest, with a printed page at arm's length"
    if focus < GATE.sharpness:
        return warn(f"nothing is sharp ({says}, {GATE.sharpness:g} is the least)", remedy)
    if focus < ENROLMENT.sharpness:
        return warn(f"hardly sharp ({says}, {ENROLMENT.sharpness:g} is good)", remedy)
    return ok(says)


def camera_name(config: Config, machine: Machine) -> Finding:
    """Numbers of /dev/videoN change with every plug; names by serial number or by socket stay."""
    if config.camera.kind != "v4l2":
        return ok(f"{config.camera.kind} has no number that could change")
    device = Path(config.camera.argument)
    if str(device).startswith(STABLE):
        return ok(f"{device} stays the same")
    names = [str(Path(folder) / name) for folder in STABLE for name in _names_of(device, machine.path(folder))]
    hint = f"write `camera.source: v4l2:{names[0]}`" if names else f"name it as `ls {STABLE[0]}` shows it"
    return warn(f"{device} may be another camera after a restart", hint)


def _names_of(device: Path, folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (link.name for link in sorted(folder.iterdir()) if link.resolve().name == device.resolve().name)


def reader(settings: OwnReader, config: Config) -> Finding:
    """Can it be opened?"""
    if isinstance(settings, StdinReader):
        return ok("lines typed to the gate: nothing to open")
    pins = factory(config.signals.pins) if settings.kind == "wiegand" else None
    try:
        with closing(open_reader(settings, None, pins)) as opened:
            opened.open()
            return ok(f"{opened.name} opens")
    finally:
        if pins is not None:
            pins.close()


def pins(config: Config) -> Finding:
    """Every output and button as the daemon takes them: for a moment the outputs are at their fault values."""
    names = config.signals.pins
    signals = open_signals(config, lambda button: None)
    try:
        # A button pulls its pin to ground while it is pressed.
        numbers = {button.value: getattr(config.signals, button.value) for button in Button}
        pressed = [name for name, number in numbers.items() if not signals.factory.pin(number).state]
    finally:
        signals.close()
    if names == "mock":
        return warn("`mock`: there are no lights", "set signals.pins to lgpio (Raspberry Pi) or gpiod:/dev/gpiochipN")
    if pressed:
        return warn(
            f"{names}: all can be taken; {' and '.join(pressed)} read{'s' if len(pressed) == 1 else ''} as pressed",
            "let go of it; if nobody holds it, check its wire to GND",
        )
    return ok(f"{names}: outputs and buttons can be taken")


def loopback(config: Config, out: int, into: int) -> Finding:
    """Drive one pin and read another, which a wire connects: tells a dead pin from a dead lamp."""
    pins = factory(config.signals.pins)
    try:
        return through(pins, out, into)
    finally:
        pins.close()


def through(pins: Factory, out: int, into: int) -> Finding:
    """Does `into` follow `out`?"""
    says = f"{out} to {into}"
    with (
        DigitalOutputDevice(out, pin_factory=pins) as output,
        DigitalInputDevice(into, pull_up=None, active_state=True, pin_factory=pins) as back,
    ):
        for level in (True, False, True, False):
            output.value = level
            time.sleep(SETTLE_S)
            if bool(back.value) is not level:
                return fail(
                    f"{says}: the second does not follow the first",
                    "connect the two by a wire of 1 kΩ; on a Jetson with JetPack 6 set the pinmux "
                    "(`/opt/nvidia/jetson-io/jetson-io.py`), then restart",
                )
    return ok(f"{says}: the second follows the first")


def parse_loopback(text: str) -> tuple[int, int]:
    """`17:27` as two pins. Raises EdgeGateError."""
    out, _, into = text.partition(":")
    if out.isdecimal() and into.isdecimal() and out != into and max(len(out), len(into)) <= 4:
        return int(out), int(into)
    raise EdgeGateError("is not two pins", where=text, next="write OUT:IN, such as 17:27")
