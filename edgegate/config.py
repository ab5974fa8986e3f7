"""The configuration as frozen, validated values. `config_file.load` reads one from YAML.

Every section forbids unknown keys and does not convert types: `"17"` is not a pin.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

MAX_RETENTION_DAYS = 90
SOURCES = {
    "v4l2": "a device, as v4l2:/dev/video0",
    "picamera2": "a camera's number, as picamera2:0",
    "gstreamer": "a pipeline, as gstreamer:nvarguscamerasrc ! …",
    "rtsp": "an address, as rtsp://camera/stream",
    "frames": "a folder",
    "video": "a file",
    "demo": "",
}
_FILES = ("v4l2", "frames", "video")
LAST_PI_PIN = 27
MAX_PIN = 1023


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def _resolve(value: object, info: ValidationInfo) -> object:
    """A path, relative to the configuration file's folder."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise PydanticCustomError("path", "must be a path")
    base = (info.context or {}).get("base", Path())
    try:
        path = Path(base) / Path(value).expanduser()
    except RuntimeError:
        raise PydanticCustomError("path", "must be a path; this machine knows no such user") from None
    if not path.name:
        raise PydanticCustomError("path", "must name a file, not the root of the disk")
    return path


def _public_key(path: Path) -> Path:
    """`.key` beside it is where the private part goes."""
    if path.suffix == ".key":
        raise PydanticCustomError("path", "must be a public key, which does not end in .key")
    return path


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("text", "must be one line of printable characters")
    return text


def _source(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("source", "must be text such as v4l2:/dev/video0")
    kind, _, argument = value.partition(":")
    if kind not in SOURCES:
        raise PydanticCustomError("source", "must be one of {kinds}", {"kinds": ", ".join(SOURCES)})
    if bool(argument) != bool(SOURCES[kind]):
        raise PydanticCustomError(
            "source", "{kind} takes {what}", {"kind": kind, "what": SOURCES[kind] or "nothing after it"}
        )
    if kind in _FILES:
        return f"{kind}:{_resolve(argument, info)}"
    if kind == "picamera2" and not re.fullmatch(r"[0-9]", argument):
        raise PydanticCustomError("source", "picamera2 takes {what}", {"what": SOURCES[kind]})
    if kind == "rtsp" and not _host(value):
        raise PydanticCustomError("source", "rtsp takes {what}", {"what": SOURCES[kind]})
    return value if argument else kind


def _host(url: str) -> str | None:
    """The host an address names; None when it names none."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None


def _pins(value: object) -> object:
    if value in ("mock", "lgpio") or (isinstance(value, str) and re.fullmatch(r"gpiod:/dev/[\w./-]+", value)):
        return value
    raise PydanticCustomError("pins", "must be mock, lgpio or gpiod:/dev/gpiochipN")


def _hid_device(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}|/dev/input/[\w.:@+/-]+", text):
        raise PydanticCustomError("device", "must be vendor:product or a path below /dev/input")
    return text


def _pack(value: object, info: ValidationInfo) -> object:
    """`auto` and names stay as they are; whatever has a slash is a directory."""
    if isinstance(value, str) and "/" in value:
        return str(_resolve(value, info))
    return value


def _liveness(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


Where = Annotated[Path, BeforeValidator(_resolve)]
PublicKey = Annotated[Where, AfterValidator(_public_key)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Pin = Annotated[int, Field(ge=0, le=MAX_PIN)]
Output: TypeAlias = Literal["green", "amber", "red", "buzzer", "relay"]
Format: TypeAlias = Literal[
    "typed", "qr", "code128", "code39", "codabar", "itf", "ean13", "ean8", "datamatrix", "aztec", "pdf417"
]


class Hold(Section):
    granted_s: Seconds = 2.0
    refer_s: Seconds = 20.0
    alarm_s: Seconds = 15.0


class Gate(Section):
    name: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)] = "Porte A"
    language: Literal["fr", "en"] = "fr"
    device_key: Where = Path("device.key")
    hold: Hold = Hold()


class Camera(Section):
    source: Annotated[str, BeforeValidator(_source)] = "v4l2:/dev/video0"
    width: Annotated[int, Field(ge=160, le=4096)] = 1280
    height: Annotated[int, Field(ge=120, le=4096)] = 720
    fps: Annotated[float, Field(gt=0, le=120)] = 15.0
    max_age_s: Annotated[float, Field(gt=0, le=10)] = 1.0
    pace: Literal["real", "fast"] = "real"
    format: Literal["auto", "mjpeg", "yuyv"] = "auto"
    open: Literal["always", "when-asked"] = "always"

    @property
    def shown(self) -> str:
        """The source as a log or a screen may show it: an address or a pipeline may carry a password."""
        if self.kind == "gstreamer":
            return f"gstreamer:{(self.argument.split() or [''])[0]} ! …"
        return f"rtsp://{_host(self.source)}/…" if self.kind == "rtsp" else self.source

    @property
    def kind(self) -> str:
        return self.source.partition(":")[0]

    @property
    def argument(self) -> str:
        return self.source.partition(":")[2]


class QrReader(Section):
    kind: Literal["qr"]
    decoder: Literal["zxing", "pyzbar", "both"] = "both"


class StdinReader(Section):
    kind: Literal["stdin"]


class HidReader(Section):
    kind: Literal["hid"]
    device: Annotated[str, AfterValidator(_hid_device)]
    layout: Literal["us", "fr"] = "us"


class SerialReader(Section):
    kind: Literal["serial"]
    device: Where
    baud: Annotated[int, Field(ge=300, le=4_000_000)] = 9600
    terminator: Literal["cr", "lf", "crlf", "etx"] = "cr"


class WiegandReader(Section):
    kind: Literal["wiegand"]
    d0: Pin
    d1: Pin
    bits: Literal[26, 34] = 26


OwnReader: TypeAlias = StdinReader | HidReader | SerialReader | WiegandReader
"""The readers that are no camera."""
Reader = Annotated[QrReader | OwnReader, Field(discriminator="kind")]


class Badges(Section):
    readers: Annotated[tuple[Reader, ...], Field(strict=False, min_length=1, max_length=8)] = (QrReader(kind="qr"),)
    issuers: Annotated[tuple[PublicKey, ...], Field(strict=False, min_length=1, max_length=16)] = (Path("issuer.pub"),)
    allow_plain: bool = False
    formats: Annotated[tuple[Format, ...], Field(strict=False, max_length=11)] = ()


class Faces(Section):
    pack: Annotated[str, BeforeValidator(_pack), Field(min_length=1)] = "auto"
    models_dir: Where = Path("models")
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    min_probes: Annotated[int, Field(ge=1, le=50)] = 3
    target_fmr: Annotated[float, Field(ge=1e-6, le=1e-2)] = 1e-4
    liveness: Annotated[Literal["off", "advisory", "enforce"], BeforeValidator(_liveness)] = "off"
    liveness_pack: Annotated[str, BeforeValidator(_pack), Field(min_length=1)] = "minifasnet"


class Signals(Section):
    pins: Annotated[str, BeforeValidator(_pins)] = "mock"
    green: Pin = 17
    amber: Pin = 27
    red: Pin = 22
    buzzer: Pin = 23
    acknowledge: Pin = 24
    diary: Pin = 25
    buzzer_max_s: Seconds = 15.0
    active_low: Annotated[tuple[Output, ...], Field(strict=False, max_length=5)] = ()
    tone_hz: Annotated[float, Field(ge=100, le=10_000)] | None = None
    relay: Pin | None = None
    relay_s: Annotated[float, Field(gt=0, le=30)] = 1.0


class Vault(Section):
    path: Where = Path("vault.db")
    site_secret: Where = Path("site.key")


class Journal(Section):
    path: Where = Path("journal.db")
    retention_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] = 30


class Config(Section):
    """One gate. `file` is where it was read from."""

    file: Path = Field(default=Path("config.yaml"), exclude=True)
    gate: Gate = Gate()
    camera: Camera = Camera()
    badges: Badges = Badges()
    faces: Faces = Faces()
    signals: Signals = Signals()
    vault: Vault = Vault()
    journal: Journal = Journal()


PIN_KEYS = ("green", "amber", "red", "buzzer", "acknowledge", "diary", "relay")
