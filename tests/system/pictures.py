"""Pictures for the guest's camera, prepared here, where there are libraries and a fast processor for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgegate.model import Image

VARIANTS = 4
NOISE = 4


def prepare(image: Image, start: Path) -> None:
    """Write what `guest.parts.Camera` shows: `start0.jpg`, `start0.yuyv` and so on, the picture (BGR, even width) with
    a sensor's noise, another in each variant. Without it every frame would be the same, as from a camera that hangs."""
    generator = np.random.default_rng(0)
    for variant in range(VARIANTS):
        noise = generator.integers(-NOISE, NOISE + 1, image.shape)
        noisy = np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
        cv2.imwrite(f"{start}{variant}.jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
        Path(f"{start}{variant}.yuyv").write_bytes(cv2.cvtColor(noisy, cv2.COLOR_BGR2YUV_YUYV).tobytes())
