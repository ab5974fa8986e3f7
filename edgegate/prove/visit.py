"""All claims, in their order, each looked at whatever became of the others."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

from edgegate import __version__
from edgegate.errors import EdgeGateError
from edgegate.prove import (
    consents,
    erasures,
    faces,
    hunt,
    inventory,
    kinds,
    memory,
    process,
    record,
    retention,
    rights,
    shape,
)
from edgegate.prove.process import NotRunning
from edgegate.prove.report import Claim, Found, Hand, Line, Report, Result, fails, unchecked
from edgegate.prove.scene import NotThereYet, Scene

MODULES = (inventory, hunt, shape, consents, kinds, retention, erasures, record, rights, process, memory, faces)
CLAIMS: tuple[Claim, ...] = tuple(claim for module in MODULES for claim in module.CLAIMS)
PROMISES = (
    *("photographs", "paper", "other_files", "flash", "memory", "backups", "camera", "program", "freely", "staff"),
    "this_report",
)
"""What nobody can look at from here; the words say what each one is."""


def examine(scene: Scene) -> Report:
    """Look at everything."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what the parts log, the lines say better
    try:
        lines = tuple(_lines(scene))
    finally:
        logging.disable(level)
    return Report(scene.config.gate.name, __version__, int(scene.now), lines)


def _lines(scene: Scene) -> Iterator[Line]:
    for claim in CLAIMS:
        yield look_at(claim, scene)
    for name in PROMISES:
        yield Line(f"promise.{name}", Found(Result.PROMISE, "promise"))


def look_at(claim: Claim, scene: Scene) -> Line:
    """One claim, whatever happens."""
    return Line(claim.name, _looked(claim, scene), _hand(claim, scene))


def _hand(claim: Claim, scene: Scene) -> Hand | None:
    """What a line cannot be checked with, the sentence of its look explains."""
    try:
        return claim.by_hand(scene)
    except Exception:
        return None


def _looked(claim: Claim, scene: Scene) -> Found:
    try:
        return claim.look(scene)
    except NotThereYet as missing:
        return unchecked("no_store", path=missing)
    except NotRunning:
        return unchecked("not_running")
    except PermissionError as error:
        return unchecked("denied", path=error.filename)
    except EdgeGateError as error:
        return fails("error", error=error)
    except Exception as error:
        # Whatever is broken, the other claims are looked at. An unforeseen error's text may quote what it was given.
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        return fails("unforeseen", kind=type(error).__name__, place=place)
