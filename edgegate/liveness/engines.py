"""Which engine serves which pack. Their libraries are loaded only when one is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgegate.errors import EdgeGateError
from edgegate.liveness import settings
from edgegate.liveness.port import LivenessEngine

MINIFASNET = "minifasnet"
INSIGHTFACE = "insightface-liveness"
ENGINES = (MINIFASNET, INSIGHTFACE)
"""Engines that an installed pack may ask for; the fake one is asked for by its name alone."""


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
