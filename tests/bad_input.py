"""What the tests of bad input share: a command refuses in one line, a recording is never green, nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgegate.faces.fake_engine import draw_face
from edgegate.images import read_image
from edgegate.model import Image
from tests.commands import Cli
from tests.conftest import Site, blank

SHORT = {"name": "Test gate", "hold": {"granted_s": 0.4, "refer_s": 0.4, "alarm_s": 0.4}}
BADGE_PX = 228
NOISE = np.random.default_rng(3).bytes(4096)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but for those that only a running SQLite or a lock needs."""
    passing = (".lock", "-wal", "-shm")
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(passing))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(site: Site, cli: Cli, *args: str | Path, says: str) -> str:
    """The command ends with exit code 2 and one line that holds `says`; no file has changed. Returns the line.

    Only a good journal has, when the vault was looked at: that is a row of its own, before anything is shown.
    """
    before = contents(site.folder)
    code, out, err = cli(*args, cwd=site.folder)
    assert (2, 1) == (code, len(err.splitlines())), err
    assert err.startswith("edgegate: ")
    assert says in err
    assert "; " in err
    assert "" == out
    after = contents(site.folder)
    kept = before if "journal.db" in says else {name: data for name, data in before.items() if name != "journal.db"}
    assert kept == {name: after.get(name) for name in kept}
    return err


def played(site: Site, cli: Cli) -> list[str]:
    """Plays the site's recording to its end; the decisions, each as `decision/reason`. None of them is green."""
    code, out, err = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert (0, "") == (code, err)
    events = [json.loads(line) for line in out.splitlines()]
    decisions = [f"{event['decision']}/{event['reason']}" for event in events if event["event"] == "decision"]
    assert [] == [decision for decision in decisions if decision.startswith("granted")]
    assert all(event.get("green", "off") == "off" for event in events)
    return decisions


def held_up(badge: Path, person: str | None = None) -> Image:
    """A badge in front of the gate, and who holds it."""
    frame = blank()
    frame[60 : 60 + BADGE_PX, 380 : 380 + BADGE_PX] = cv2.resize(
        read_image(badge), (BADGE_PX, BADGE_PX), interpolation=cv2.INTER_AREA
    )
    if person is not None:
        draw_face(frame, person, 80, 60, 200)
    return frame


def record(site: Site, frames: list[Image | bytes], **camera: Any) -> None:
    """Writes a folder of frames, pictures or raw bytes, and a configuration that plays it."""
    folder = site.folder / "frames"
    folder.mkdir()
    for number, frame in enumerate(frames):
        path = folder / f"{number:04}.png"
        path.write_bytes(frame if isinstance(frame, bytes) else cv2.imencode(".png", frame)[1].tobytes())
    site.configure(camera={"source": "frames:frames", "fps": 5, **camera}, gate=SHORT, faces={"timeout_s": 1.0})
