"""The fake engine: its faces are coloured squares. For scenarios, where a hundred presentations must take a
second. It is used only where a configuration says `faces.pack: fake`, and `run` says so.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgegate.faces.pack import Manifest, ModelFile, Pack, Recogniser
from edgegate.model import Image, Vector
from edgegate.ports import Face

FRAME_COLOUR = (255, 0, 255)
PEOPLE: dict[str, tuple[int, int, int]] = {
    "ana": (0, 0, 200),
    "ben": (0, 200, 0),
    "chloe": (200, 60, 0),
    "dan": (0, 200, 200),
    "eve": (200, 200, 0),
    "farid": (90, 90, 90),
}
"""Who the squares are: name to BGR."""
BORDER_PX = 12
RIM_PX = 6
MIN_PX = 24

FAKE_PACK = Pack(
    Manifest(
        name="fake",
        engine="fake",
        detector=ModelFile(file="none", sha256="0" * 64),
        recogniser=Recogniser(file="none", sha256="0" * 64, dimensions=8, metric="cosine"),
        thresholds={1e-2: 0.9, 1e-6: 0.9},
        measured_on="nothing: it knows coloured squares, not faces",
    ),
    folder=Path(),
)


def draw_face(image: Image, person: str, x: int, y: int, width: int) -> None:
    """Paint a person's square into a BGR picture."""
    cv2.rectangle(image, (x, y), (x + width - 1, y + width - 1), FRAME_COLOUR, -1)
    # A white rim, so that every square has an edge sharp enough for the quality gate.
    for inner, colour in ((BORDER_PX, (255, 255, 255)), (BORDER_PX + RIM_PX, PEOPLE[person])):
        cv2.rectangle(image, (x + inner, y + inner), (x + width - inner, y + width - inner), colour, -1)


class FakeEngine:
    """Port `FaceEngine` over such squares."""

    metric = "cosine"
    dimensions = 8

    def detect(self, image: Image) -> list[Face]:
        blue, green, red = (image[:, :, channel] for channel in range(3))
        mask = ((blue > 180) & (green < 90) & (red > 180)).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        faces = [
            Face((float(x), float(y), float(width), float(height)), 1.0)
            for x, y, width, height, _ in stats[1:count]
            if width >= MIN_PX and height >= MIN_PX
        ]
        return sorted(faces, key=lambda face: -face.width)

    def embed(self, image: Image, face: Face) -> Vector:
        x, y, width, height = (round(value) for value in face.box)
        middle = image[y + height // 3 : y + 2 * height // 3, x + width // 3 : x + 2 * width // 3]
        colour = middle.reshape(-1, 3).mean(axis=0)
        distances = np.array([np.linalg.norm(colour - np.array(known)) for known in PEOPLE.values()])
        vector = np.zeros(self.dimensions, np.float32)
        vector[int(distances.argmin())] = 1.0
        vector[-1] = 0.02
        return vector / np.float32(np.linalg.norm(vector))
