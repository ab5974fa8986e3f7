"""The DET plot as SVG: both error rates on normal deviates, where normal scores make a straight line.

Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from edgegate.calibration.measure import Side

WIDTH, HEIGHT = 640, 480
LEFT, TOP, RIGHT, BOTTOM = 64, 16, 16, 48
FMR_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.4)
FNMR_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Style:
    """How a curve is drawn: never by colour alone."""

    colour: str
    dash: str


STYLES = (Style("#1f5fa8", ""), Style("#777777", "2 4"), Style("#b5421a", "9 4"))


def det(curves: Sequence[tuple[str, Side]]) -> str:
    """One line for each side, as far as its data support; the legend in the upper right names those without one too.
    A rate below the lowest tick lies on it."""
    lines = [_line(side, style) for (_, side), style in zip(curves, STYLES, strict=False)]
    legend = [
        _legend(number, name if _drawn(side) else f"{name}: too little data", STYLES[number])
        for number, (name, side) in enumerate(curves)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>DET plot: FNMR against FMR</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{_grid()}{"".join(lines)}{"".join(legend)}</svg>'
    )


def _x(fmr: float) -> float:
    return _place(fmr, FMR_TICKS[0], FMR_TICKS[-1], LEFT, WIDTH - RIGHT)


def _y(fnmr: float) -> float:
    return _place(fnmr, FNMR_TICKS[0], FNMR_TICKS[-1], HEIGHT - BOTTOM, TOP)


def _place(rate: float, least: float, most: float, start: float, end: float) -> float:
    low, high, here = (_NORMAL.inv_cdf(value) for value in (least, most, min(max(rate, least), most)))
    return start + (here - low) / (high - low) * (end - start)


def _line(side: Side, style: Style) -> str:
    points = " ".join(f"{_x(fmr):.1f},{_y(fnmr):.1f}" for fmr, fnmr in _drawn(side))
    return f'<polyline points="{points}" fill="none" stroke="{style.colour}" stroke-width="2"{_dash(style)}/>'


def _drawn(side: Side) -> list[tuple[float, float]]:
    return [(fmr, fnmr) for fmr, fnmr in side.curve if side.supports <= fmr <= FMR_TICKS[-1]]


def _grid() -> str:
    parts = []
    for tick in FMR_TICKS:
        x = _x(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in FNMR_TICKS:
        y, least = _y(tick), "≤ " if tick == FNMR_TICKS[0] else ""
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{least}{100 * tick:g} %</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">FMR</text>')
    parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">FNMR</text>')
    return "".join(parts)


def _legend(number: int, name: str, style: Style) -> str:
    x, y = WIDTH - RIGHT - 330, TOP + 20 + 20 * number
    return (
        f'<line x1="{x}" y1="{y}" x2="{x + 36}" y2="{y}" stroke="{style.colour}" stroke-width="2"{_dash(style)}/>'
        f'<text x="{x + 44}" y="{y + 4}">{name}</text>'
    )


def _dash(style: Style) -> str:
    return f' stroke-dasharray="{style.dash}"' if style.dash else ""
