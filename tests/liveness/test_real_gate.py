"""The whole gate with real weights, `enforce`: a photograph of a person passes as one, photographs of screens do not.

Nobody was filmed. Each picture is of one person, who is enrolled from that very picture, so that the face matches in
each of its presentations and liveness alone decides.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegate.faces.insightface_engine import InsightfaceEngine
from edgegate.faces.pack import load
from edgegate.images import read_image
from edgegate.model import Image
from tests.commands import Cli
from tests.conftest import Site, blank

WIDTH, HEIGHT, FACE_PX, BADGE_PX, LOOKS = 1280, 720, 150, 300, 12
RED, AMBER, GREEN = "alarm/spoof_suspected", "refer/liveness_unsure", "granted/match"
CONSENT = ("--volunteer", "--consent-by", "both", "--consent-version", "1")


def shown(image: Image, box: tuple[float, float, float, float], badge: Image, dice: np.random.Generator) -> Image:
    """The picture in front of the camera, never quite still, and the badge beside it."""
    x, y, w, h = box
    scale = FACE_PX / w * float(dice.normal(1, 0.005))
    there = np.array([0.35 * WIDTH, 0.45 * HEIGHT]) + dice.normal(0, 2, 2)
    move = np.array([[scale, 0, there[0] - (x + w / 2) * scale], [0, scale, there[1] - (y + h / 2) * scale]])
    smooth = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 0.7 else image
    frame = cv2.warpAffine(smooth, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    left, top = (int(place) for place in np.array([900, 360]) + dice.normal(0, 3, 2))
    frame[top : top + BADGE_PX, left : left + BADGE_PX] = badge
    noise = dice.normal(0, 3, frame.shape[:2])[:, :, None]
    return np.asarray(np.clip(frame + noise, 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("live/1.jpg", GREEN),
        ("attack/screen_1.jpg", RED),
        ("attack/screen_2.jpg", RED),
        ("attack/tablet_1.jpg", AMBER),
    ],
)
@pytest.mark.parametrize("mode", ["off", "advisory", "enforce"])
def test_real_pictures(site: Site, cli: Cli, shared: Path, picture: str, expected: str, mode: str) -> None:
    """Without liveness all of them pass, which is why there is liveness."""
    faces = {"pack": str(shared / "models" / "scrfd-mobileface"), "timeout_s": 2.0}
    site.configure(faces=faces)
    path = shared / "faces" / "pad" / picture
    until = (date.today() + timedelta(days=100)).isoformat()
    enrol = ("enroll", "add", "--photo", path, *CONSENT, "--expires", until, "--badge-out", "badge.png")
    assert 0 == cli(*enrol, cwd=site.folder)[0]
    image, dice = read_image(path), np.random.default_rng(5)
    box = InsightfaceEngine(load(shared / "models" / "scrfd-mobileface")).detect(image)[0].box
    badge = np.asarray(cv2.resize(read_image(site.folder / "badge.png"), (BADGE_PX, BADGE_PX)), np.uint8)
    (site.folder / "frames").mkdir()
    frames = [
        blank(WIDTH, HEIGHT),
        *(shown(image, box, badge, dice) for _ in range(LOOKS)),
        *[blank(WIDTH, HEIGHT)] * 12,
    ]
    for number, frame in enumerate(frames):
        cv2.imwrite(str(site.folder / "frames" / f"{number:04}.jpg"), frame)
    site.configure(
        camera={"source": "frames:frames", "fps": 5, "width": WIDTH, "height": HEIGHT},
        faces={**faces, "liveness": mode, "liveness_pack": str(shared / "models" / "minifasnet")},
    )
    code, out, err = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert 0 == code, err
    decided = [event for event in map(json.loads, out.splitlines()) if event["event"] == "decision"]
    wanted = {"off": GREEN, "advisory": AMBER if expected == RED else expected, "enforce": expected}
    assert [wanted[mode]] == [f"{event['decision']}/{event['reason']}" for event in decided]
