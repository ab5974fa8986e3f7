"""Shapes of the wiring picture, as elements of SVG.

A component's symbol begins where its wire arrives, at (0, 0), and goes right to x = 112; on the left of the picture
it is mirrored, so it holds no text.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

from edgegate.wiring.plan import Part, Symbol

INK = "#222222"
PALE = "#f5f6f8"
WIDTH = 112
"""How far a symbol reaches, in pixels."""


def add(parent: ET.Element, tag: str, text: str = "", /, **attributes: str | float) -> ET.Element:
    """An element below `parent`; `stroke_width` becomes `stroke-width`, numbers lose what they do not need."""
    named = {
        name.replace("_", "-"): value if isinstance(value, str) else f"{value:g}" for name, value in attributes.items()
    }
    element = ET.SubElement(parent, tag, named)
    element.text = text or None
    return element


def lines(parent: ET.Element, path: str, **attributes: str | float) -> None:
    """Lines without a filling."""
    drawn: dict[str, str | float] = {"fill": "none", "stroke": INK, "stroke_width": 1.6, **attributes}
    add(parent, "path", d=path, **drawn)


def shape(parent: ET.Element, path: str, fill: str = "#ffffff") -> None:
    """A closed outline."""
    add(parent, "path", d=path, fill=fill, stroke=INK, stroke_width=1.6)


def draw(parent: ET.Element, part: Part) -> None:
    """The symbol of a component."""
    _DRAWN[part.symbol](parent, part)


def driver(parent: ET.Element, *, active_low: bool) -> None:
    """A transistor or relay board: what stands between a pin and whatever needs more than a pin can give.

    The small circle at its input is the usual sign for `on at 0 V`.
    """
    start = 16 if active_low else 8
    lines(parent, f"M0 0H{8 if active_low else start}")
    if active_low:
        add(parent, "circle", cx=12, cy=0, r=4, fill="#ffffff", stroke=INK, stroke_width=1.6)
    shape(parent, f"M{start} -13L{start + 24} 0L{start} 13Z", PALE)
    lines(parent, f"M{start + 24} 0H48")


def ground(parent: ET.Element, x: float, y: float) -> None:
    """The sign for GND, hanging from (x, y)."""
    lines(parent, f"M{x:g} {y:g}v8m-9 0h18m-15 4h12m-9 4h6")


def supply(parent: ET.Element, x: float) -> None:
    """The plus of a supply, centred on (x, 0)."""
    add(parent, "circle", cx=x, cy=0, r=6, fill="#ffffff", stroke=INK, stroke_width=1.6)
    lines(parent, f"M{x - 3:g} 0H{x + 3:g}M{x:g} -3V3", stroke_width=1.2)


def _lamp(parent: ET.Element, part: Part) -> None:
    driver(parent, active_low=part.active_low)
    shape(parent, "M48 -5H66V5H48Z")
    # The driver draws current from the supply at the end: the diode points back to it.
    lines(parent, "M66 0H74M88 0H98M74 -10V10M78 -13l6 -7m0 4v-4h-4M86 -13l6 -7m0 4v-4h-4")
    shape(parent, "M88 -10L74 0L88 10Z", part.colour)
    supply(parent, 104)


def _buzzer(parent: ET.Element, part: Part) -> None:
    driver(parent, active_low=part.active_low)
    lines(parent, "M48 0H62")
    shape(parent, "M62 -7H72L84 -16V16L72 7H62Z", part.colour)
    lines(parent, "M90 -8a12 12 0 0 1 0 16M97 -13a20 20 0 0 1 0 26")


def _relay(parent: ET.Element, part: Part) -> None:
    driver(parent, active_low=part.active_low)
    shape(parent, "M48 -9H68V9H48Z", part.colour)
    lines(parent, "M48 9L68 -9")
    lines(parent, "M68 0H84", stroke_dasharray="3 3")
    lines(parent, "M92 18V10M92 10L80 -8M92 -10V-18")
    add(parent, "circle", cx=92, cy=10, r=2.5, fill=INK)
    add(parent, "circle", cx=92, cy=-10, r=2.5, fill=INK)


def _button(parent: ET.Element, part: Part) -> None:
    lines(parent, "M0 0H34M62 0H90M34 0L60 -14M47 -7V-20M40 -20H54")
    add(parent, "circle", cx=34, cy=0, r=2.5, fill=INK)
    add(parent, "circle", cx=62, cy=0, r=2.5, fill=INK)
    ground(parent, 90, 0)


def _wiegand(parent: ET.Element, part: Part) -> None:
    # A level shifter is a box with a step in it; the arrow tells that the reader speaks and the pin listens.
    lines(parent, "M0 0H22M58 0H84M14 -5L6 0L14 5")
    shape(parent, "M22 -18H58V18H22Z", PALE)
    lines(parent, "M27 8H40V-8H53")
    shape(parent, "M84 -20H108V20H84Z")
    lines(parent, "M90 -10H102M90 -4H102M90 2H102M90 12H96", stroke_width=1.2)


_DRAWN: dict[Symbol, Callable[[ET.Element, Part], None]] = {
    "lamp": _lamp,
    "buzzer": _buzzer,
    "relay": _relay,
    "button": _button,
    "wiegand": _wiegand,
}
