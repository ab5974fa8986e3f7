"""Draws the badge: the square QR code with its quiet zone and nothing else, error level M."""

from __future__ import annotations

import io
import math

import segno

from edgegate.errors import EdgeGateError

MM_PER_INCH = 25.4
PRINT_DPI = 600
MAX_PX = 7000
"""Widest picture drawn; larger prints get fewer dots an inch, which a printer does not show."""
QUIET_ZONE = 4
"""Modules on each side, ISO/IEC 18004."""
SIZE_MM = 40.0
USUAL_MODULE_MM = 0.6
"""Our decoders want two pixels a module [M], which a 720p camera of 60 degrees then has at 33 cm."""
MIN_MODULE_MM = 0.3
"""Below this, even held at 16 cm, a code printed by an office printer is hardly read."""


def draw(text: str, suffix: str, size_mm: float | None = None) -> bytes:
    """The picture as PNG or SVG bytes (`suffix` .png or .svg), `size_mm` wide with its quiet zone; without, 40 mm or
    what a longer text needs to be read as well.

    Raises EdgeGateError for another suffix, or for a size at which it could not be read.
    """
    code = segno.make(text, error="m", boost_error=False, micro=False)
    modules = code.symbol_size(border=QUIET_ZONE)[0]
    if size_mm is None:
        size_mm = max(SIZE_MM, math.ceil(USUAL_MODULE_MM * modules))
    if not MIN_MODULE_MM * modules <= size_mm <= 500:
        raise EdgeGateError(
            f"a badge of {size_mm:g} mm cannot be read (QR {code.designator})",
            next=f"use {math.ceil(MIN_MODULE_MM * modules)} mm or more, 500 at most",
        )
    out = io.BytesIO()
    if suffix == ".png":
        scale = min(max(4, round(size_mm / MM_PER_INCH * PRINT_DPI / modules)), MAX_PX // modules)
        code.save(out, kind="png", scale=scale, border=QUIET_ZONE, dpi=round(scale * modules * MM_PER_INCH / size_mm))
    elif suffix == ".svg":
        # Sizes are written here: segno multiplies and truncates, and may lose a module of the quiet zone.
        code.save(out, kind="svg", border=QUIET_ZONE, light="#fff", nl=False, omitsize=True)
        size = f'width="{size_mm:g}mm" height="{size_mm:g}mm"'
        return out.getvalue().replace(b"<svg ", f"<svg {size} ".encode(), 1)
    else:
        raise EdgeGateError(f"{suffix or 'no ending'} is not a picture", next="end the badge's name in .png or .svg")
    return out.getvalue()
