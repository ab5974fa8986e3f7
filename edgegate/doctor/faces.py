"""The packs: chosen, verified, licensed, and quick enough on this machine."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import numpy as np

from edgegate.adapters import FaceSide, load_faces, load_liveness, too_few_pictures
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.config import Config
from edgegate.doctor.report import Finding, fail, merge, ok, warn
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces import catalogue
from edgegate.faces.fake_engine import draw_face
from edgegate.liveness.fake import NAME as FAKE_LIVENESS
from edgegate.liveness.fused import MIN_LOOKS, FusedLiveness
from edgegate.model import Image
from edgegate.ports import Face, LivenessEngine

ROUNDS = 3
_POINTS = ((0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82))
"""Where eyes, nose and corners of the mouth are in a face box, by and large."""


def pack(config: Config) -> Finding:
    """The one the gate would take; its files are hashed before they are loaded."""
    try:
        side = load_faces(config)
    except ModelsMissing as error:
        return fail(f"none: {error.what}", f"{error.next}; until then every volunteer goes to the supervisor")
    manifest = side.pack.manifest
    licence = manifest.licence
    said = [
        ok(f"{manifest.name}, hashes good, threshold {side.threshold:.3f} for FMR {config.faces.target_fmr:g}"),
        _licence(f"licence: detector {licence.detector}, recogniser {licence.recogniser}", licence.distributable),
        speed(side, config),
    ]
    if manifest.engine == "dlib":
        said.append(
            warn(
                "the embedded pack is for a first look: at FMR 1e-4 it sends three in ten to the supervisor",
                "import a better one: models/README.md",
            )
        )
    if manifest.engine == "fake":
        said = [warn("`fake` knows coloured squares, not faces: never use it at a door", "set faces.pack: auto")]
    return merge(*said)


def _licence(says: str, free: bool) -> Finding:
    return ok(says) if free else warn(f"{says}: not free for every use", "read it before this pack serves at a gate")


def speed(side: FaceSide, config: Config) -> Finding:
    """One look at a picture of the size that the camera gives: find a face, compute its embedding."""
    picture, real = _picture(side, config)
    seconds = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        faces = side.engine.detect(picture)
        if not faces and real:
            return fail("it finds no face in a good picture", "import the pack again, or choose another")
        vector = side.engine.embed(picture, faces[0] if faces else _somewhere(picture))
        seconds.append(perf_counter() - start)
        if vector.shape != (side.engine.dimensions,) or not np.isfinite(vector).all():
            return fail("its embeddings are not numbers", "import the pack again, or choose another")
        if seconds[-1] > config.faces.timeout_s:
            break  # it will not get quick
    took = median(seconds[1:] or seconds)  # the first look also allocates
    says = f"one look takes {took * 1000:.0f} ms"
    if took * config.faces.min_probes > config.faces.timeout_s:
        return warn(
            f"{says}, and {config.faces.min_probes} are needed in {config.faces.timeout_s:g} s",
            "choose a smaller pack, or raise faces.timeout_s",
        )
    return ok(says)


def liveness(config: Config) -> Finding:
    """The pack that tells a face from a picture of one, where it is asked for."""
    faces = config.faces
    if faces.liveness == "off":
        return ok("off: a picture of a volunteer's face is not told from the face")
    try:
        side = load_faces(config)
    except ModelsMissing:
        side = None
    engine = load_liveness(config, side.pack if side else None)
    if faces.liveness_pack == FAKE_LIVENESS:
        return warn(
            "`fake` knows cyan screens, not pictures of faces: never use it at a door", "set faces.liveness_pack"
        )
    licence = catalogue.choose_liveness(faces.liveness_pack, faces.models_dir).manifest.licence
    said = [
        ok(f"{faces.liveness}, pack {engine.name}, hashes good, live from {engine.live_at:g}"),
        _licence(f"licence: {licence.model}", licence.distributable),
    ]
    if few := too_few_pictures(config):
        said.append(warn(*few.split("; ")))
    elif side is not None:
        said.append(_liveness_speed(side, engine, config))
    return merge(*said)


def _liveness_speed(side: FaceSide, engine: LivenessEngine, config: Config) -> Finding:
    """As `speed`, with liveness in each look, of which it asks for several."""
    picture, _ = _picture(side, config)
    faces = side.engine.detect(picture)
    face = faces[0] if faces else _somewhere(picture)
    fused = FusedLiveness(engine)
    fused.begin()
    seconds = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        side.engine.detect(picture)
        side.engine.embed(picture, face)
        fused.look(picture, face)
        seconds.append(perf_counter() - start)
        if seconds[-1] > config.faces.timeout_s:
            break  # it will not get quick
    fused.end()
    took = median(seconds[1:] or seconds)
    says = f"one look with it takes {took * 1000:.0f} ms"
    if took * MIN_LOOKS > config.faces.timeout_s:
        return warn(
            f"{says}, and {MIN_LOOKS} are needed in {config.faces.timeout_s:g} s: no volunteer will pass",
            "raise faces.timeout_s, or choose a smaller face pack",
        )
    return ok(says)


def _picture(side: FaceSide, config: Config) -> tuple[Image, bool]:
    """A picture, and whether there is a face in it that must be found. A machine without the libraries that carry
    the portrait gets a patch of noise: it takes as long."""
    height, width = config.camera.height, config.camera.width
    dice = np.random.default_rng(0)
    if side.pack.manifest.engine == "fake":
        picture = np.full((height, width, 3), 170, np.uint8)
        draw_face(picture, "ana", width // 4, height // 4, height // 3)
        return picture, True
    try:
        return compose(Scene((portrait("astronaut"),)), width, height, dice), True
    except (EdgeGateError, OSError):
        return dice.integers(0, 256, (height, width, 3), np.uint8), False


def _somewhere(picture: Image) -> Face:
    """A box in the middle of a picture, as if a face were there."""
    height, width = picture.shape[:2]
    side = height / 3
    x, y = (width - side) / 2, (height - side) / 2
    points = np.array([(x + a * side, y + b * side) for a, b in _POINTS], np.float32)
    return Face((x, y, side, side), 1.0, points)
