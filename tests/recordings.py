"""What the tests of `edgegate run` share: recordings of a day at the gate, and the events they must give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2

from edgegate.faces.fake_engine import draw_face
from edgegate.images import read_image
from edgegate.model import DECISION_OF, Decision, Image, Reason
from edgegate.state import HintKind, Phase
from tests.conftest import Site, blank

BADGE_PX = 228
PATIENCE_S = 60
HOLD = {"granted_s": 0.4, "refer_s": 0.4, "alarm_s": 0.4}
RHYTHMS = {"on", "off", "slow", "quick", "chirp"}
DOCUMENTED: dict[str, set[str]] = {
    "state": {"event", "state", "sentence", "student", "supervisor", "faults"},
    "decision": {"event", "presentation", "decision", "reason", "latency_ms"},
    "signal": {"event", "green", "amber", "red", "buzzer"},
    "hint": {"event", "hint", "student"},
}


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "edgegate", *args]


def run(site: Site, *args: str, typed: bytes = b"") -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, in the site's folder, with what a reader types."""
    done = subprocess.run(
        command(*args), cwd=site.folder, input=typed, capture_output=True, timeout=PATIENCE_S, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def events(text: str) -> list[dict[str, Any]]:
    """Every line of an event stream, checked against what is documented."""
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for event in found:
        assert DOCUMENTED[event["event"]] == set(event) - {"detail"}
        match event["event"]:
            case "state":
                assert event["state"] in set(Phase)
                assert all(isinstance(event[key], str) and event[key] for key in ("sentence", "student", "supervisor"))
                assert set(event["faults"]) <= set(Reason)
            case "decision":
                assert DECISION_OF[Reason(event["reason"])] == Decision(event["decision"])
                assert isinstance(event["latency_ms"], float)
                assert event["presentation"] is None or event["presentation"] > 0
            case "signal":
                assert {event[name] for name in ("green", "amber", "red", "buzzer")} <= RHYTHMS
            case "hint":
                assert event["hint"] in set(HintKind)
    return found


def reasons(found: list[dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in found if event["event"] == "decision"]


def picture(badge: Path | None = None, *people: str) -> Image:
    """What stands before a gate whose engine is the fake one."""
    frame = blank()
    if badge is not None:
        code = cv2.resize(read_image(badge), (BADGE_PX, BADGE_PX), interpolation=cv2.INTER_AREA)
        frame[60 : 60 + BADGE_PX, 400 : 400 + BADGE_PX] = code
    for place, person in enumerate(people):
        draw_face(frame, person, 20 + 190 * place, 80, 180)
    return frame


def record(site: Site, *scenes: tuple[int, Image], fps: float = 5, **sections: dict[str, Any]) -> None:
    """Writes each scene's picture so many times, and the configuration that plays them."""
    folder = site.folder / "frames"
    folder.mkdir()
    number = 0
    for times, frame in scenes:
        data = cv2.imencode(".png", frame)[1].tobytes()
        for _ in range(times):
            (folder / f"{number:05}.png").write_bytes(data)
            number += 1
    usual: dict[str, dict[str, Any]] = {"gate": {"hold": HOLD}, "faces": {"timeout_s": 1.0}}
    camera = {"source": "frames:frames", "fps": fps} | sections.pop("camera", {})
    site.configure(**(usual | sections), camera=camera)


def play(site: Site) -> list[str]:
    """A day at the gate, a second or so a person; returns the reasons it must give."""
    pause = (12, picture())
    badges = {}
    for role, person in (("own", "ana"), ("stolen", "ben"), ("diary", None), ("lost", "chloe")):
        enrolled = site.enrol(person, badge=f"{role}.png")
        badges[role] = site.folder / f"{role}.png"
        if role == "lost":
            site.revoke(enrolled)
    record(
        site,
        (4, picture(badges["own"], "ana")),
        pause,
        (9, picture(badges["stolen"], "ana")),
        pause,
        (4, picture(badges["diary"], "dan")),
        pause,
        (4, picture(badges["lost"], "chloe")),
        pause,
        (9, picture(badges["own"])),
        pause,
        (9, picture(badges["own"], "ana", "ben")),
        pause,
    )
    return ["match", "no_match", "not_enrolled", "revoked", "no_face", "several_faces"]
