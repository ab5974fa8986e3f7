"""The figures of docs/liveness.md: `EDGEGATE_SHARED=… python -m tests.liveness.measure [PLAY …]`, about twenty
minutes for all.

Nobody was filmed for them. Photographs of five people are cut out and moved before a background that stays (live), or
moved as a sheet with all that is on it (print, screen, badge): what moves with what is as at a gate, the light is not.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from edgegate.camera.people import portrait
from edgegate.faces.insightface_engine import InsightfaceEngine
from edgegate.faces.pack import load
from edgegate.images import read_image
from edgegate.liveness import fused
from edgegate.liveness.cues import Cues
from edgegate.liveness.fused import FusedLiveness
from edgegate.model import Image
from edgegate.ports import Face, LivenessVerdict
from tests.liveness.kit import badge, minifasnet, wall

WIDTH, HEIGHT, FACE, LOOKS = 1280, 720, 160, 10
PEOPLE = (
    *("alex_lacamoire/1.png", "alex_lacamoire/2.jpg", "alex_lacamoire/3.jpg", "barack_obama/3.jpg"),
    *("joe_biden/1.jpg", "joe_biden/2.jpg", "rose_leslie/1.jpg", "rose_leslie/2.jpg"),
)
"""Photographs from which head and shoulders can be cut out cleanly."""
Matrix = NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class CutOut:
    """A person, the face `FACE` pixels wide; which pixels are the person; which were in the photograph."""

    picture: Image
    person: NDArray[np.float32]
    valid: Image
    face: Box


def cut_out(image: Image, face: Face) -> CutOut:
    """Head and shoulders by GrabCut, begun with an ellipse around the face and a block below it."""
    x, y, w, h = face.box
    scale, width, height = FACE / w, 4 * FACE, int(3.6 * FACE)
    move = np.array([[scale, 0, width / 2 - (x + w / 2) * scale], [0, scale, 0.42 * height - (y + h / 2) * scale]])
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
    picture = np.asarray(cv2.warpAffine(smooth, move, (width, height)), np.uint8)
    valid = np.asarray(cv2.warpAffine(np.ones(image.shape[:2], np.uint8), move, (width, height)), np.uint8)
    tall = h * scale
    top, middle = 0.42 * height - tall / 2, width // 2
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    around = (middle, int(top + 0.45 * tall)), (int(0.75 * FACE), int(0.75 * tall))
    cv2.ellipse(mask, *around, 0, 0, 360, cv2.GC_PR_FGD, -1)
    below = (int(middle - 1.2 * FACE), int(top + 1.25 * tall)), (int(middle + 1.2 * FACE), height)
    cv2.rectangle(mask, *below, cv2.GC_PR_FGD, -1)
    inside = (middle, int(top + 0.5 * tall)), (int(0.45 * FACE), int(0.45 * tall))
    cv2.ellipse(mask, *inside, 0, 0, 360, cv2.GC_FGD, -1)
    mask[:, :8] = mask[:, -8:] = 0
    mask[valid == 0] = 0
    mask[: max(0, int(top - 0.3 * tall))] = 0
    cv2.grabCut(picture, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    _, parts = cv2.connectedComponents(person)
    person = (parts == parts[int(top + tall / 2), middle]).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.5), np.float32)
    return CutOut(picture, soft, valid, (middle - FACE / 2, top, float(FACE), tall))


def sheet(person: CutOut, kind: str) -> tuple[Image, Box]:
    """The photograph with its own background and a rim; for `badge`, a small one with the code below it."""
    x, y, w, h = person.face
    reach = {"print": (1.0, 0.6), "screen": (0.3, 0.24), "badge": (0.4, 0.36)}[kind]
    left, right = int(max(0, x - reach[0] * w)), int(min(person.picture.shape[1], x + w + reach[0] * w))
    top, bottom = int(max(0, y - reach[1] * h)), int(min(person.picture.shape[0], y + h + reach[1] * h))
    valid = person.valid[top:bottom, left:right]
    down, across = valid.mean(axis=1), valid.mean(axis=0)
    rows, columns = np.flatnonzero(down > 0.95 * down.max()) + top, np.flatnonzero(across > 0.9 * across.max()) + left
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    rim, colour = int(0.12 * w), (18, 18, 18) if kind == "screen" else (245, 245, 245)
    picture = np.asarray(
        cv2.copyMakeBorder(
            person.picture[top:bottom, left:right], rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=colour
        ),
        np.uint8,
    )
    if kind == "badge":
        size = int(1.3 * w)
        below = np.full((size + 20, max(size, picture.shape[1]), 3), 245, np.uint8)
        below[10 : 10 + size, :size] = badge(size)
        wide = below.shape[1] - picture.shape[1]
        beside = cv2.copyMakeBorder(picture, 0, 0, 0, wide, cv2.BORDER_CONSTANT, value=colour)
        picture = np.asarray(np.vstack([beside, below]), np.uint8)
    return picture, (x - left + rim, y - top + rim, w, h)


def play(
    person: CutOut, kind: str, background: Image, seed: int, *, step: float, shake: float = 0.0
) -> Iterator[Image]:
    """`LOOKS` frames. `step` is how far head or hand go from one to the next, in pixels; about a third of it is one
    hundredth of the face's width. What is `live` has the badge in the hand, a sheet has it beside it."""
    dice = np.random.default_rng(seed)
    if kind == "live":
        patch, weight, face = person.picture, person.person, person.face
    else:
        patch, face = sheet(person, kind)
        weight = np.ones(patch.shape[:2], np.float32)
    card = badge(230)
    middle = (face[0] + face[2] / 2, face[1] + face[3] / 2)
    body, hand, lean = _sway(dice, step), _sway(dice, 1.3 * step), _sway(dice, 0.6)
    size = np.cumprod(dice.normal(1, 0.003, LOOKS)) * (0.7 if kind == "badge" else 1.0)
    for number in range(LOOKS):
        picture = background.copy()
        at = (500 + body[number, 0], (250 if kind == "badge" else 330) + body[number, 1])
        move = _moved(middle, at, float(size[number]), float(_sway(dice, 0.5)[0, 0]))
        if kind != "live":
            move = move @ _leaning(patch, lean[number])
        _paste(picture, patch, weight, move)
        if kind != "badge":
            _paste(
                picture,
                card,
                np.ones(card.shape[:2], np.float32),
                _moved((115, 115), (1050 + hand[number, 0], 480 + hand[number, 1]), 1.0, 5.0),
            )
        yield _seen(picture, dice, dice.normal(0, shake, 2))


def _sway(dice: np.random.Generator, step: float, keep: float = 0.8) -> Matrix:
    """A walk that comes back, (`LOOKS`, 2)."""
    speed, place, found = np.zeros(2), np.zeros(2), []
    for _ in range(LOOKS):
        speed = keep * speed + dice.normal(0, step * np.sqrt(1 - keep**2), 2)
        place = 0.97 * place + speed
        found.append(place.copy())
    return np.array(found)


def _moved(middle: tuple[float, float], to: tuple[float, float], scale: float, degrees: float) -> Matrix:
    move = cv2.getRotationMatrix2D(middle, degrees, scale)
    move[:, 2] += np.subtract(to, middle)
    return np.vstack([move, [0, 0, 1]])


def _leaning(patch: Image, lean: Matrix) -> Matrix:
    """A sheet is never held quite upright."""
    height, width = patch.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    way = np.array([lean[0] * width, lean[1] * height]) * 0.02 * np.array([[1], [-1], [1], [-1]])
    return np.asarray(cv2.getPerspectiveTransform(flat, (flat + way).astype(np.float32)), np.float64)


def _paste(picture: Image, patch: Image, weight: NDArray[np.float32], move: Matrix) -> None:
    size = (picture.shape[1], picture.shape[0])
    share = cv2.warpPerspective(weight, move, size)[:, :, None]
    picture[:] = (picture * (1 - share) + cv2.warpPerspective(patch, move, size) * share).astype(np.uint8)


def _seen(picture: Image, dice: np.random.Generator, shake: NDArray[np.float64]) -> Image:
    """Through a lens and a sensor, on a camera that may shake."""
    move = np.array([[1, 0, shake[0]], [0, 1, shake[1]]], np.float64)
    moved = cv2.warpAffine(picture, move, (picture.shape[1], picture.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(moved, (0, 0), float(dice.uniform(0.4, 0.8)))
    bright = cv2.convertScaleAbs(smooth, alpha=float(dice.uniform(0.97, 1.03))).astype(np.float32)
    noise = dice.normal(0, 3, bright.shape[:2])[:, :, None]
    return np.asarray(np.clip(bright + noise, 0, 255), np.uint8)


def backgrounds() -> list[Image]:
    """A plain wall, a patterned one, and a photograph out of focus."""
    plain = np.repeat(np.linspace(196, 120, HEIGHT)[:, None, None], WIDTH, axis=1) * np.ones(3)
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    photograph = read_image(Path(spec.origin).parent / "data" / "coffee.png")
    fitted = cv2.resize(photograph, (WIDTH, int(photograph.shape[0] * WIDTH / photograph.shape[1])))
    return [
        plain.astype(np.uint8),
        np.asarray(cv2.resize(wall(), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8),
        np.asarray(cv2.GaussianBlur(fitted[:HEIGHT], (0, 0), 2), np.uint8),
    ]


PLAYS: dict[str, Callable[[CutOut, Image, int], Iterator[Image]]] = {
    "live, standing": lambda person, behind, seed: play(person, "live", behind, seed, step=3),
    "live, restless": lambda person, behind, seed: play(person, "live", behind, seed, step=8),
    "live, camera shakes": lambda person, behind, seed: play(person, "live", behind, seed, step=3, shake=4),
    "print": lambda person, behind, seed: play(person, "print", behind, seed, step=3),
    "print, moved": lambda person, behind, seed: play(person, "print", behind, seed, step=8),
    "screen": lambda person, behind, seed: play(person, "screen", behind, seed, step=3),
    "screen, moved": lambda person, behind, seed: play(person, "screen", behind, seed, step=8),
    "badge with photograph": lambda person, behind, seed: play(person, "badge", behind, seed, step=3),
    "badge with photograph, moved": lambda person, behind, seed: play(person, "badge", behind, seed, step=8),
}


def sequences(shared: Path, names: list[str]) -> None:
    """Cues raised, and verdicts with and without cues, for 3 and 5 answers."""
    faces, engine = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface")), minifasnet(shared)
    photographs = [read_image(shared / "faces" / "people" / name) for name in PEOPLE]
    people = [cut_out(image, faces.detect(image)[0]) for image in photographs]
    behind = backgrounds()
    print(f"{len(people)} photographs before {len(behind)} backgrounds, {LOOKS} looks each")
    for name in names:
        make = PLAYS[name]
        raised: Counter[str] = Counter()
        verdicts: dict[tuple[int, bool], Counter[str]] = {}
        for number, person in enumerate(people):
            for place, wall_behind in enumerate(behind):
                shots = [(image, faces.detect(image)) for image in make(person, wall_behind, 10 * number + place)]
                seen = [(image, found[0]) for image, found in shots if found]
                cues = Cues()
                for image, face in seen:
                    cues.add(image, face.box)
                raised.update(cue.value for cue in cues.raised)
                told = _Told([engine.score(image, face) for image, face in seen])
                for looks in (3, 5):
                    for with_cues in (True, False):
                        verdict = _verdict(told, seen, looks, with_cues=with_cues)
                        verdicts.setdefault((looks, with_cues), Counter())[verdict] += 1
        print(f"{name}: cues {dict(raised)}")
        for (looks, with_cues), count in verdicts.items():
            print(f"    {looks} answers, {'with' if with_cues else 'without'} cues: {dict(count)}", flush=True)


class _Told:
    """Port `LivenessEngine`: says again what was said before."""

    name, live_at, spoof_below, needs_points = "told", 0.6, 0.2, False

    def __init__(self, scores: list[float | None]) -> None:
        self._scores, self._next = scores, 0

    def again(self) -> _Told:
        return _Told(self._scores)

    def score(self, image: Image, face: Face) -> float | None:
        self._next += 1
        return self._scores[self._next - 1]


def _verdict(told: _Told, seen: list[tuple[Image, Face]], looks: int, *, with_cues: bool) -> str:
    one = FusedLiveness(told.again(), min_looks=looks, with_cues=with_cues)
    one.begin()
    verdict = LivenessVerdict.UNSURE
    for image, face in seen:
        verdict = one.look(image, face).verdict
        if verdict is LivenessVerdict.LIVE:
            break
    one.end()
    return verdict.value


def pictures(shared: Path) -> None:
    """Scores of single photographs as they are, and means of six frames of them by the width of the face."""
    faces, engine = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface")), minifasnet(shared)
    found = [*sorted((shared / "faces" / "pad").rglob("*.jpg")), *sorted((shared / "faces" / "people").glob("*/*"))]
    for path in found:
        image = read_image(path)
        seen = faces.detect(image)
        if not seen:
            print(f"{path.parent.name}/{path.stem}: no face")
            continue
        alone, means = engine.score(image, seen[0]), []
        for width in (80, 120, 180, 230):
            dice = np.random.default_rng(width)
            scores = []
            for _ in range(6):
                picture = _at_width(image, seen[0].box, width * float(dice.normal(1, 0.005)), dice)
                there = faces.detect(picture)
                scores.append(engine.score(picture, there[0]) if there else None)
            answered = [score for score in scores if score is not None]
            means.append(f"{np.mean(answered):.2f} (most {max(answered):.2f})" if answered else "-")
        print(
            f"{path.parent.name}/{path.stem}: {'-' if alone is None else f'{alone:.2f}'}; {', '.join(means)}",
            flush=True,
        )


def _at_width(image: Image, box: Box, face: float, dice: np.random.Generator) -> Image:
    """The photograph before the camera, its face so wide, through lens, sensor and JPEG."""
    x, y, w, h = box
    scale = face / w
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
    shift = np.array([0.45 * WIDTH - (x + w / 2) * scale, 0.45 * HEIGHT - (y + h / 2) * scale]) + dice.normal(0, 2, 2)
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    picture = cv2.warpAffine(smooth, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    seen = _seen(np.asarray(picture, np.uint8), dice, np.zeros(2))
    data = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def cost(shared: Path) -> None:
    """Milliseconds of a look, in turn with detector and recogniser on one thread."""
    faces, engine, cues = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface"), 1), minifasnet(shared), Cues()
    image = cv2.resize(backgrounds()[2], (WIDTH, HEIGHT))
    person = portrait("astronaut")
    image[100 : 100 + person.shape[0], 300 : 300 + person.shape[1]] = person[: HEIGHT - 100]
    image[300:530, 1000:1230] = badge(230)
    times: dict[str, list[float]] = {"detector and recogniser": [], "minifasnet": [], "cues": []}
    dice = np.random.default_rng(0)
    for _ in range(50):
        picture = _seen(np.asarray(image, np.uint8), dice, dice.normal(0, 3, 2))
        start = perf_counter()
        face = faces.detect(picture)[0]
        faces.embed(picture, face)
        found = perf_counter()
        engine.score(picture, face)
        judged = perf_counter()
        cues.add(picture, face.box)
        for name, seconds in zip(times, (found - start, judged - found, perf_counter() - judged), strict=True):
            times[name].append(seconds)
    whole = median(times["detector and recogniser"])
    for name, seconds_of in times.items():
        print(f"{name}: {1000 * median(seconds_of):.1f} ms, {median(seconds_of) / whole:.2f} of the first")


if __name__ == "__main__":
    root = Path(os.environ.get("EDGEGATE_SHARED", ""))
    if not (root / "models" / "minifasnet").is_dir():
        sys.exit("name the folder with weights and photographs with EDGEGATE_SHARED")
    cv2.setNumThreads(1)
    print(f"{fused.MIN_LOOKS} answers are asked for at the gate")
    cost(root)
    pictures(root)
    sequences(root, sys.argv[1:] or list(PLAYS))
