"""What the liveness tests share: simulated presentations, and a small model with the add-on's interface."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from onnx import TensorProto, helper

from edgegate.camera.people import portrait
from edgegate.camera.stage import code_image
from edgegate.liveness.engines import open_engine
from edgegate.model import Image
from edgegate.ports import Face, LivenessEngine

WIDTH, HEIGHT = 800, 600
FACE = 110
"""Width of the simulated faces, in pixels."""
LOOKS = 8


@dataclass(frozen=True)
class Shot:
    """One simulated frame and where its face is."""

    image: Image
    face: Face


def wall(seed: int = 0) -> Image:
    """A wall with enough on it to see whether it moves."""
    coarse = np.random.default_rng(seed).uniform(60, 200, (HEIGHT // 25, WIDTH // 25, 3)).astype(np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def live(step: float = 1.0, seed: int = 0) -> list[Shot]:
    """A head that moves by itself before a wall that stays, a badge that moves otherwise."""
    shots = []
    person = _person()
    for number in range(LOOKS):
        image = wall(seed)
        head, hand = _sway(number, step), _sway(number, 1.3 * step, phase=2.0)
        _paste(image, person, 300 + head[0], 120 + head[1], mask=_head(person))
        _paste(image, badge(), 560 + hand[0], 330 + hand[1])
        shots.append(_shot(image, (300 + head[0], 120 + head[1]), seed + number))
    return shots


def held_up(step: float = 1.0, seed: int = 0, rim: int = 12, *, on_sheet: bool = False) -> list[Shot]:
    """A print with a white rim before the same wall; with `on_sheet`, the badge is on the same sheet."""
    shots = []
    person = _person()
    sheet = cv2.copyMakeBorder(person, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(245, 245, 245))
    if on_sheet:
        beside = np.full((sheet.shape[0], 190, 3), 245, np.uint8)
        beside[60:230, 10:180] = badge(170)
        sheet = np.hstack([sheet, beside])
    for number in range(LOOKS):
        image = wall(seed)
        hand = _sway(number, step)
        _paste(image, np.asarray(sheet, np.uint8), 300 - rim + hand[0], 120 - rim + hand[1])
        if not on_sheet:
            other = _sway(number, 1.3 * step, phase=2.0)
            _paste(image, badge(), 600 + other[0], 380 + other[1])
        shots.append(_shot(image, (300 + hand[0], 120 + hand[1]), seed + number))
    return shots


def shaken(shots: list[Shot], pixels: float = 8.0) -> list[Shot]:
    """The same, seen by a camera that shakes."""
    moved = []
    for number, shot in enumerate(shots):
        x, y = _sway(number, pixels / 10, phase=1.0)
        move = np.array([[1, 0, x], [0, 1, y]], np.float64)
        image = cv2.warpAffine(shot.image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        left, top, width, height = shot.face.box
        moved.append(Shot(np.asarray(image, np.uint8), Face((left + x, top + y, width, height), 1.0)))
    return moved


def _sway(number: int, step: float, phase: float = 0.0) -> tuple[float, float]:
    return 14 * step * float(np.sin(0.9 * number + phase)), 7 * step * float(np.cos(1.3 * number + phase))


def _person() -> Image:
    """Head and shoulders, the face `FACE` pixels wide."""
    picture = portrait("astronaut")
    scale = FACE / 230
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _head(person: Image) -> Image:
    mask = np.zeros(person.shape[:2], np.uint8)
    height, width = person.shape[:2]
    cv2.ellipse(mask, (width // 2, height // 2), (int(0.34 * width), int(0.42 * height)), 0, 0, 360, 255, -1)
    return mask


def badge(size: int = 150) -> Image:
    code = code_image("EG1:" + "7K" * 60)
    return np.asarray(cv2.resize(code, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _paste(image: Image, patch: Image, x: float, y: float, mask: Image | None = None) -> None:
    """Whole pixels would jump; the patch is moved by what is left of one."""
    height, width = patch.shape[:2]
    left, top = int(np.floor(x)), int(np.floor(y))
    move = np.array([[1, 0, x - left], [0, 1, y - top]], np.float64)
    size = (width + 1, height + 1)
    covered = mask if mask is not None else np.full((height, width), 255, np.uint8)
    weight = cv2.warpAffine(covered, move, size).astype(np.float32)[:, :, None] / 255
    moved = cv2.warpAffine(patch, move, size, borderMode=cv2.BORDER_REPLICATE)
    part = image[top : top + height + 1, left : left + width + 1]
    part[:] = (part * (1 - weight) + moved * weight).astype(np.uint8)


def _shot(image: Image, at: tuple[float, float], seed: int) -> Shot:
    """Through a lens and a sensor. The face lies in a portrait as `camera.people.cut_out` put it there."""
    smooth = cv2.GaussianBlur(image, (0, 0), 0.6)
    noise = np.random.default_rng(seed).normal(0, 2, smooth.shape)
    seen = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    height = FACE * 119 / 91
    return Shot(seen, Face((at[0] + 0.65 * FACE, at[1] + 0.55 * height, FACE, height), 1.0))


def addon_model(*, dimensions: int = 1) -> bytes:
    """A graph with the interface of InsightFace's liveness add-on: [N, 3, 80, 80] to [N], here the mean brightness."""
    shape_in: list[str | int | None] = ["N", 3, 80, 80]
    shape_out: list[str | int | None] = ["N", 1]
    graph = helper.make_graph(
        [
            helper.make_node(
                "ReduceMean", ["image"], ["live"], axes=[1, 2, 3] if dimensions == 1 else [2, 3], keepdims=0
            )
        ],
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("live", TensorProto.FLOAT, shape_out[:dimensions])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def classes_model(values: tuple[float, ...], size: int = 80) -> bytes:
    """A graph with MiniFASNet's interface that says the same of every picture."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "values"], ["classes"]),
        ],
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, [1, len(values)])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("values", TensorProto.FLOAT, [1, len(values)], values),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def small_liveness_pack(folder: Path, values: tuple[float, ...] = (0.1, 0.8, 0.1)) -> Path:
    """A folder with MiniFASNet's interface, whose model says the same of every picture."""
    data = classes_model(values)
    folder.mkdir(parents=True)
    (folder / "live.onnx").write_bytes(data)
    models = f"[{{file: live.onnx, sha256: {hashlib.sha256(data).hexdigest()}, scale: 2.7}}]"
    licence = "{model: Apache-2.0, distributable: true}"
    manifest = f"{{name: small, kind: liveness, engine: minifasnet, models: {models}, licence: {licence}}}"
    (folder / "pack.yaml").write_text(manifest, "utf-8")
    return folder


def opened(manifest: str, read: Callable[[str], bytes]) -> LivenessEngine:
    """The engine of a manifest written in a test."""
    return open_engine(manifest.encode(), Path("pack/pack.yaml"), read)


def minifasnet(shared: Path) -> LivenessEngine:
    """The real weights."""
    folder = shared / "models" / "minifasnet"
    manifest = folder / "pack.yaml"
    return open_engine(manifest.read_bytes(), manifest, lambda file: (folder / file).read_bytes())
