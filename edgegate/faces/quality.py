"""Is this face good enough to compare, and if not, what can the person do about it? docs/quality.md has the figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgegate.faces.measures import Light, Pose, light, missing, mouth, pose
from edgegate.model import Image, Look
from edgegate.ports import Face

FAR_UP, FAR_DOWN = 0.25, 0.85
"""`Pose.pitch` beyond which nothing is compared, whatever `Pose.nose` says."""
BACKLIT, BACKLIT_SPREAD = 32.0, 12.0
"""A face with darker highlights than this, in a box of more contrast than so dark a face has: the corners are bright.
Engines stretch what is dark all over, and cannot stretch that."""
DIM = 50.0
"""A face with darker highlights than this that is not sharp wants light: that is why the exposure was long."""
USUAL_SPREAD = 25.0
"""A face of less contrast has weaker edges without being blurred: the bound of sharpness falls with its square."""
FAINT = 0.5
"""Of the bound of sharpness: from here on a blurred face may still match, and is never held against its owner."""
LEAST_WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """What a face needs in order to be compared."""

    width: float
    """Pixels."""
    sharpness: float
    yaw: float
    roll: float
    """As in `Pose`, to either side."""
    up: tuple[float, float]
    down: tuple[float, float]
    """`Pose.pitch` and `Pose.nose`, both of which must be beyond: people's own faces differ in each of them as much as
    a bent head does."""
    highlight: float
    spread: float
    burnt: float
    """As in `Light`."""
    missing: float
    mouth: float
    """A face whose mouth shows less than this is covered."""


GATE = Limits(
    width=60,
    sharpness=3.5,
    yaw=0.6,
    roll=55.0,
    up=(0.31, 0.46),
    down=(0.75, 0.685),
    highlight=20.0,
    spread=4.0,
    burnt=0.5,
    missing=0.185,
    mouth=0.11,
)
"""Refuses what would not match anyway: a look that is not fit would be counted against its owner."""
ENROLMENT = Limits(
    width=80,
    sharpness=8.0,
    yaw=0.5,
    roll=20.0,
    up=(0.315, 0.465),
    down=(0.65, 0.655),
    highlight=50.0,
    spread=12.0,
    burnt=0.2,
    missing=0.12,
    mouth=0.11,
)
"""A bad look costs a frame, a bad template a year."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is wrong with a face, if anything, and how much it should count beside others of the same person."""

    fault: Look | None
    """One of `model.QUALITY_FAULTS`."""
    weight: float
    """0 to 1. 0: not to be compared. Above it with a fault: it may match, and if it does not, that says nothing."""


def assess(image: Image, face: Face, limits: Limits = GATE) -> Quality:
    """Judge a face of a BGR picture. The first fault in this order is given: what makes the next ones unmeasurable
    comes first."""
    if not all(map(math.isfinite, (*face.box, face.score))) or min(face.box[2:]) <= 0:
        return Quality(Look.POOR_QUALITY, 0.0)
    if face.width < limits.width:
        return Quality(Look.TOO_FAR, 0.0)
    if missing(image, face) > limits.missing:
        return Quality(Look.CUT_OFF, 0.0)
    turned = pose(face)
    if face.points is not None and turned is None:
        return Quality(Look.POOR_QUALITY, 0.0)
    if turned is not None and _turned_away(turned, limits):
        return Quality(Look.TURNED_AWAY, 0.0)
    lit = light(image, face)
    ill = _ill_lit(lit, limits)
    if ill is not None:
        return Quality(ill, 0.0)
    sharp_from = limits.sharpness * min(1.0, (lit.spread / USUAL_SPREAD) ** 2)
    if lit.sharpness < sharp_from:
        faint = lit.sharpness >= FAINT * sharp_from
        return Quality(Look.BLURRED if lit.highlight >= DIM else Look.TOO_DARK, LEAST_WEIGHT if faint else 0.0)
    shown = mouth(image, face)
    if shown is not None and shown < limits.mouth:
        return Quality(Look.COVERED, 0.0)
    return Quality(None, _weight(lit, turned, limits))


def _turned_away(turned: Pose, limits: Limits) -> bool:
    if abs(turned.yaw) > limits.yaw or abs(turned.roll) > limits.roll or not FAR_UP <= turned.pitch <= FAR_DOWN:
        return True
    looks_up = turned.pitch < limits.up[0] and turned.nose < limits.up[1]
    return looks_up or (turned.pitch > limits.down[0] and turned.nose > limits.down[1])


def _ill_lit(lit: Light, limits: Limits) -> Look | None:
    backlit = lit.highlight < BACKLIT and lit.spread > BACKLIT_SPREAD
    if lit.highlight < limits.highlight or backlit:
        return Look.TOO_DARK
    if lit.burnt > limits.burnt:
        return Look.TOO_BRIGHT
    return Look.POOR_QUALITY if lit.spread < limits.spread else None


def _weight(lit: Light, turned: Pose | None, limits: Limits) -> float:
    """From a quarter at the bound to 1 where errors are no rarer any more."""
    ramps = [
        (lit.sharpness * max(1.0, (USUAL_SPREAD / max(lit.spread, 1.0)) ** 2) - limits.sharpness) / 6.5,
        (lit.highlight - limits.highlight) / 50.0,
        (lit.spread - limits.spread) / 12.0,
        (limits.burnt - lit.burnt) / 0.4,
        *(() if turned is None else ((limits.yaw - abs(turned.yaw)) / 0.35,)),
    ]
    return LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * float(min(1.0, max(0.0, min(ramps))))
