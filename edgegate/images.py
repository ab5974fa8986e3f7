"""Pictures from files: bounded before they are decoded, upright, always BGR."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageOps

from edgegate.errors import PhotoRefused
from edgegate.files import read_small
from edgegate.model import Image

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 50_000_000
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "MPO")


def read_image(path: Path) -> Image:
    """Decode a picture to (height, width, 3) BGR uint8, turned as its EXIF says.

    Raises PhotoRefused (code `unreadable` or `too_large`) for anything that is not a whole picture of at most
    50 megapixels; the size is read from the header, before any pixel is decoded.
    """
    data = read_small(path, MAX_BYTES, missing="check the file's name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pil.open(io.BytesIO(data), formats=_FORMATS) as picture:
                width, height = picture.size
                rgb = _pixels(picture) if width * height <= MAX_PIXELS else None
    except Exception:
        # Decoders of foreign data fail in many ways; to the person they are one.
        raise PhotoRefused(
            "unreadable",
            "is not a picture that can be read whole",
            where=str(path),
            next="use a JPEG or PNG file that opens elsewhere",
        ) from None
    if rgb is None:
        raise PhotoRefused(
            "too_large",
            f"has {width} x {height} pixels, more than 50 megapixels",
            where=str(path),
            next="make it smaller",
        )
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _pixels(picture: Pil.Image) -> Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        upright = Pil.fromarray((np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8))
    return np.asarray(upright.convert("RGB"), dtype=np.uint8)


def grey(image: Image) -> Image:
    """A BGR picture in grey, (height, width)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
