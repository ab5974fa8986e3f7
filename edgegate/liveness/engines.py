"""Which engine serves which pack. Their libraries are loaded only when one is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.liveness import settings
from edgegate.model import Image
from edgegate.ports import Face, LivenessEngine

MINIFASNET = "minifasnet"
INSIGHTFACE = "insightface-liveness"
ENGINES = (MINIFASNET, INSIGHTFACE)
"""Engines that an installed pack may ask for; the fake one is asked for by its name alone."""


class CountedLiveness:
    """Port `LivenessEngine` around another, counting its calls, as `CountedEngine` does for the faces."""

    def __init__(self, engine: LivenessEngine) -> None:
        self._engine = engine
        self.name, self.needs_points = engine.name, engine.needs_points
        self.live_at, self.spoof_below = engine.live_at, engine.spoof_below
        self.calls = 0

    def score(self, image: Image, face: Face) -> float | None:
        self.calls += 1
        return self._engine.score(image, face)


def open_engine(manifest: bytes, path: Path, read: Callable[[str], bytes]) -> LivenessEngine:
    """The engine of the pack whose manifest, the file `path`, holds these bytes. `read` gives a model file's bytes by
    its name, hashed. Raises EdgeGateError."""
    found = settings.parse(manifest, path)
    if found.engine not in ENGINES:
        raise EdgeGateError(
            f"pack {found.name} needs the engine `{found.engine}`, which this version has not",
            where=str(path.parent),
            next=f"choose a pack of the engine {' or '.join(ENGINES)}",
        )
    models = [read(model.file) for model in found.models]
    if found.engine == INSIGHTFACE:
        from edgegate.liveness.insightface_addon import InsightfaceAddonEngine

        return InsightfaceAddonEngine(found, models)
    from edgegate.liveness.minifasnet import MinifasnetEngine

    return MinifasnetEngine(found, models)
