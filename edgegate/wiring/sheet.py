"""The picture itself: the board's pins in the middle, a box for every component, a wire between the two.

It is made for a printer without colours: every wire ends in a box that names its pin, and signs differ in shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low
from xml.etree import ElementTree as ET

from edgegate.config import Config
from edgegate.wiring import plan, symbols
from edgegate.wiring.plan import Part
from edgegate.wiring.symbols import INK, PALE, add, lines

WIDTH = 940
TOP = 112
ROW = 30
BOX_WIDTH, BOX_HEIGHT, BOX_STEP = 302, 86, 96
MARGIN = 18
PIN_X = 15
"""Distance of a column of pins from the middle."""
LABEL_END = 92
"""Where a pin's name ends and its wire begins, from the middle."""
GREY = "#666666"


@dataclass(frozen=True, slots=True)
class Wire:
    """A component, and the height at which its wire leaves the board; `side` is -1 on the left, 1 on the right."""

    part: Part
    side: int
    y: float
    place: str


def draw(config: Config) -> str:
    """The wiring of one gate as SVG, 940 pixels wide."""
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "system-ui, sans-serif"})
    parts = plan.parts(config)
    chip = plan.chip(config)
    wires = _on_header(parts) if chip is None else _on_chip(parts, chip)
    end = max(
        TOP + 20 * ROW if chip is None else max(wire.y for wire in wires) + ROW,
        *(TOP + BOX_STEP * sum(wire.side == side for wire in wires) for side in (-1, 1)),
    )
    title = f"Wiring of {config.gate.name}"
    add(root, "title", title)
    sheet = add(root, "rect", width=WIDTH, fill="#ffffff")
    add(root, "text", title, x=MARGIN, y=38, font_size=20, font_weight=600, fill=INK)
    _introduce(root, config)
    _header(root, {wire.part.pin for wire in wires}) if chip is None else _chip(root, chip, wires)
    for side in (-1, 1):
        _side(root, [wire for wire in wires if wire.side == side], end)
    height = _legend(root, end + 18, header=chip is None, low=any(wire.part.active_low for wire in wires))
    sheet.set("height", f"{height:g}")
    root.set("viewBox", f"0 0 {WIDTH} {height:g}")
    root.set("width", str(WIDTH))
    root.set("height", f"{height:g}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _on_header(parts: list[Part]) -> list[Wire]:
    wires = []
    for part in parts:
        number = plan.physical(part.pin)
        row = (number - 1) // 2
        side = -1 if number % 2 else 1
        wires.append(Wire(part, side, TOP + ROW * (row + 0.5), f"GPIO {part.pin} = pin {number}"))
    return wires


def _on_chip(parts: list[Part], chip: str) -> list[Wire]:
    """Where a line comes out of the board is told by the board's own manual: outputs left, inputs right."""
    wires = []
    for side in (-1, 1):
        inputs = side == 1
        mine = [part for part in parts if (part.symbol in ("button", "wiegand")) is inputs]
        for row, part in enumerate(mine):
            wires.append(Wire(part, side, TOP + BOX_STEP / 2 + ROW * row, f"{chip} line {part.pin}"))
    return wires


def _introduce(root: ET.Element, config: Config) -> None:
    chip = plan.chip(config)
    where = (
        "Raspberry Pi's 40-pin header, seen from above: pin 1 is at the corner of the board."
        if chip is None
        else f"Lines of {chip}; where each comes out is in the manual of the board, or `gpioinfo`."
    )
    said = [where, "Switch the board off before you touch a wire."]
    if config.signals.pins == "mock":
        said.append("The configuration says `pins: mock`: nothing is driven until it names real pins.")
    add(root, "text", " ".join(said[:2]), x=MARGIN, y=62, font_size=13, fill=GREY)
    for number, line in enumerate(said[2:]):
        add(root, "text", line, x=MARGIN, y=81 + 18 * number, font_size=13, fill=INK, font_weight=600)


def _header(root: ET.Element, used: set[int]) -> None:
    middle = WIDTH / 2
    group = add(root, "g", id="header", font_size=11, fill=INK)
    add(group, "rect", x=middle - 31, y=TOP - 4, width=62, height=20 * ROW + 8, rx=6, fill=PALE, stroke=INK)
    for pin in plan.header():
        side = -1 if pin.number % 2 else 1
        x, y = middle + side * PIN_X, TOP + ROW * ((pin.number - 1) // 2 + 0.5)
        taken = pin.name in {f"GPIO{bcm}" for bcm in used}
        fill, ink = (INK, "#ffffff") if taken else ("#ffffff", INK)
        if pin.name.startswith("GPIO"):
            add(group, "circle", cx=x, cy=y, r=11.5, fill=fill, stroke=INK)
        else:
            add(group, "rect", x=x - 11, y=y - 11, width=22, height=22, fill=fill, stroke=INK)
        add(group, "text", str(pin.number), x=x, y=y + 4, text_anchor="middle", fill=ink)
        add(
            group,
            "text",
            pin.name,
            x=middle + side * 38,
            y=y + 4,
            text_anchor="end" if side < 0 else "start",
            font_weight=700 if taken else 400,
            fill=INK if taken else GREY,
        )


def _chip(root: ET.Element, chip: str, wires: list[Wire]) -> None:
    middle = WIDTH / 2
    bottom = max(wire.y for wire in wires) + ROW / 2 + 6
    group = add(root, "g", id="chip", font_size=12, fill=INK)
    add(
        group,
        "rect",
        x=middle - LABEL_END,
        y=TOP - 4,
        width=2 * LABEL_END,
        height=bottom - TOP + 4,
        rx=6,
        fill=PALE,
        stroke=INK,
    )
    add(group, "text", chip, x=middle, y=TOP + 18, text_anchor="middle", font_weight=700)
    for wire in wires:
        x = middle + wire.side * (LABEL_END - 8)
        anchor = "start" if wire.side < 0 else "end"
        add(group, "text", f"line {wire.part.pin}", x=x, y=wire.y + 4, text_anchor=anchor, font_weight=700)


def _side(root: ET.Element, wires: list[Wire], end: float) -> None:
    """Boxes of one side, in the order of their pins, so that no two wires cross."""
    wires = sorted(wires, key=lambda wire: wire.y)
    if not wires:
        return
    middle, side = WIDTH / 2, wires[0].side
    near, far = LABEL_END + 6, WIDTH / 2 - MARGIN - BOX_WIDTH - 6
    step = (far - near) / len(wires)
    for number, (wire, y) in enumerate(zip(wires, _heights([wire.y for wire in wires], end), strict=True)):
        # Of wires that go down, the upper turns farther out; of those that go up, the lower one.
        lane = near + step * (len(wires) - 1 - number if y > wire.y else number) + step / 2
        corner, edge = middle + side * lane, middle + side * (far + 6)
        group = add(root, "g", id=f"pin-{wire.part.pin}")
        path = f"M{middle + side * LABEL_END:g} {wire.y:g}H{corner:g}V{y:g}H{edge:g}"
        lines(group, path, stroke_width=2)
        _box(group, wire, edge, y)


def _heights(wanted: list[float], end: float) -> list[float]:
    """Where the boxes of one side stand: as near as can be to their pins, without touching each other.

    Boxes that would touch form a block, which the middle one of its pins places.
    """
    blocks: list[list[float]] = []
    for number, height in enumerate(wanted):
        blocks.append([height - BOX_STEP * number])
        while len(blocks) > 1 and median_low(blocks[-2]) > median_low(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    offsets = [median_low(block) for block in blocks for _ in block]
    first, last = TOP + BOX_STEP / 2, end - BOX_STEP * (len(wanted) - 0.5)
    return [min(max(offset, first), last) + BOX_STEP * number for number, offset in enumerate(offsets)]


def _box(group: ET.Element, wire: Wire, edge: float, y: float) -> None:
    part, side = wire.part, wire.side
    left = edge if side > 0 else edge - BOX_WIDTH
    add(group, "rect", x=left, y=y - BOX_HEIGHT / 2, width=BOX_WIDTH, height=BOX_HEIGHT, rx=8, fill="none", stroke=INK)
    symbol = add(group, "g", transform=f"translate({edge:g} {y:g}) scale({side} 1)")
    symbols.draw(symbol, part)
    x = edge + symbols.WIDTH + 8 if side > 0 else left + 12
    notes = (*part.notes, "active low: on at 0 V") if part.active_low else part.notes
    said = ((part.name, 700, 13.5), (wire.place, 600, 12.5), *((note, 400, 11.5) for note in notes))
    for number, (text, weight, size) in enumerate(said):
        height = y + 15 * (number - (len(said) - 1) / 2) + 4
        add(group, "text", text, x=x, y=height, font_weight=weight, font_size=size, fill=INK)


def _legend(root: ET.Element, top: float, *, header: bool, low: bool) -> float:
    """What the signs mean. Returns where the picture ends."""
    group = add(root, "g", id="legend", font_size=12.5, fill=INK)
    lines(group, f"M{MARGIN} {top:g}H{WIDTH - MARGIN}", stroke="#bbbbbb")
    y = top + 30
    for sign, said in _meanings(header=header, low=low):
        mark = add(group, "g", transform=f"translate({MARGIN + 4} {y - 4:g})")
        if sign == "driver":
            symbols.driver(mark, active_low=False)
        elif sign == "low":
            symbols.driver(mark, active_low=True)
        elif sign == "ground":
            symbols.ground(mark, 20, -8)
        elif sign == "supply":
            symbols.supply(mark, 20)
        elif sign == "danger":
            symbols.shape(mark, "M20 -11L32 9H8Z")
            symbols.lines(mark, "M20 -4V3M20 5V6.5", stroke_width=2)
        elif sign == "used":
            add(mark, "circle", cx=20, cy=0, r=9, fill=INK)
        for line in said:
            add(group, "text", line, x=MARGIN + 68, y=y)
            y += 18
        y += 14
    return y


def _meanings(*, header: bool, low: bool) -> list[tuple[str, tuple[str, ...]]]:
    """Signs with their lines of text."""
    grounds = [str(pin.number) for pin in plan.header() if pin.name == "GND"]
    said: list[tuple[str, tuple[str, ...]]] = []
    if header:
        said.append(("used", ("a pin in use; squares are supply and GND, which no signal is connected to",)))
    said.append(
        (
            "driver",
            (
                "a transistor or a relay board with an input for 3.3 V: a pin gives a few milliamperes, enough for a",
                "small LED with its resistor (330 ohm) and for nothing else, no lamp, no buzzer, no coil",
            ),
        )
    )
    if low:
        said.append(("low", ("the same, on while the pin is at 0 V (signals.active_low)",)))
    said += [
        ("supply", ("plus of the lamp's own supply; its minus and the board's GND are connected",)),
        ("ground", (f"GND{': pins ' + ', '.join(grounds) if header else ' of the board'}",)),
        ("danger", ("no pin withstands more than 3.3 V (on some boards 1.8 V): 5 V on one destroys the board",)),
    ]
    return said
