"""Liveness in the gate: asked within a volunteer's presentation, before green, of the faces that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgegate.config_file import load
from edgegate.errors import ConfigError, EdgeGateError
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.faces.look import FaceLook
from edgegate.liveness.fake import draw_screen
from edgegate.model import Image, Look, Template, Unsealed
from edgegate.ports import Face, LivenessResult, LivenessVerdict
from tests.bad_input import SHORT, held_up, record
from tests.commands import Cli
from tests.conftest import Site, blank
from tests.liveness.kit import small_liveness_pack
from tests.recordings import events

LIVE, UNSURE, SPOOF = LivenessVerdict.LIVE, LivenessVerdict.UNSURE, LivenessVerdict.SPOOF


class Told:
    """Port `Liveness`: says what it is told to, and counts."""

    def __init__(self, *verdicts: LivenessVerdict) -> None:
        self.verdicts = list(verdicts)
        self.begun = self.ended = 0
        self.faces: list[Face] = []

    def begin(self) -> None:
        self.begun += 1

    def look(self, image: Image, face: Face) -> LivenessResult:
        self.faces.append(face)
        return LivenessResult(self.verdicts.pop(0), None, 1)

    def end(self) -> None:
        self.ended += 1


def square(person: str) -> Image:
    image = blank()
    draw_face(image, person, 200, 100, 120)
    return image


def unsealed(person: str) -> Unsealed:
    engine, image = FakeEngine(), square(person)
    return Unsealed(Template(engine.embed(image, engine.detect(image)[0]), FAKE_PACK.id))


def test_a_match_waits_for_liveness() -> None:
    """Unsure and spoof are what they are until the face is live; another face is below whatever its liveness."""
    told = Told(UNSURE, SPOOF, LIVE, LIVE)
    stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, told)
    stage.begin(unsealed("ana"))
    assert [Look.UNSURE, Look.SPOOF, Look.MATCH] == [stage.look(square("ana")) for _ in range(3)]
    stage.begin(unsealed("ben"))
    assert Look.BELOW == stage.look(square("ana"))


def test_a_picture_first_and_a_living_face_after_it() -> None:
    """What was fused of the picture still matches; the face that lives is another's, and is not asked."""
    told = Told(*[SPOOF] * 6, *[LIVE] * 2)
    stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, told)
    stage.begin(unsealed("ana"))
    shown = [*["ana"] * 6, *["ben"] * 2]
    assert [Look.SPOOF] * 8 == [stage.look(square(person)) for person in shown]
    assert 6 == len(told.faces)


def test_a_suspicion_stands_and_life_does_not() -> None:
    """Where the newest look gives no answer: as suspect as before, and never as live as before."""
    for said, then in ((SPOOF, Look.SPOOF), (LIVE, Look.UNSURE), (UNSURE, Look.UNSURE)):
        stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, Told(*[said] * 6))
        stage.begin(unsealed("ana"))
        for _ in range(6):
            stage.look(square("ana"))
        assert then is stage.look(square("ben"))  # which matches only with what came before


def test_only_faces_that_are_compared_are_asked() -> None:
    """Nobody, two people, a face too small: liveness is not asked."""
    told = Told(LIVE)
    stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, told)
    stage.begin(unsealed("ana"))
    two = square("ana")
    draw_face(two, "ben", 400, 100, 120)
    small = blank()
    draw_face(small, "ana", 200, 100, 50)
    for image in (blank(), two, small):
        assert stage.look(image) not in (Look.MATCH, Look.BELOW)
    assert [] == told.faces
    stage.look(square("ana"))
    assert [(200.0, 100.0, 120.0, 120.0)] == [face.box for face in told.faces]


def test_it_is_asked_within_a_presentation_only() -> None:
    """Not before one begins, not after it has ended; and it ends with it."""
    told = Told(LIVE)
    stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, told)
    with pytest.raises(RuntimeError):
        stage.look(square("ana"))
    stage.begin(unsealed("ana"))
    stage.end()
    with pytest.raises(RuntimeError):
        stage.look(square("ana"))
    assert (1, []) == (told.begun, told.faces)
    assert told.ended >= 1


@pytest.mark.parametrize("person", ["ana", "ben"])
def test_off_changes_no_look(person: str) -> None:
    """Without liveness, a gate sees what a gate with all faces live sees."""
    images = [blank(), square(person), square("ana"), square(person)]
    seen = []
    for liveness in (None, Told(*[LIVE] * 4)):
        stage = FaceLook(FakeEngine(), FAKE_PACK.id, 0.9, liveness)
        stage.begin(unsealed("ana"))
        seen.append([stage.look(image) for image in images])
    assert seen[0] == seen[1]


def play(site: Site, cli: Cli, liveness: dict[str, Any], *, screen: bool, person: str = "ana") -> list[str]:
    """Ana's badge, held up by this person, or by somebody with a screen. Returns what was decided."""
    site.configure()
    site.enrol("ana", badge="ana.png")
    image = held_up(site.folder / "ana.png")
    if screen:
        draw_screen(image, 80, 60, 200)
    draw_face(image, person, 80, 60, 200)
    record(site, [blank(), *[image] * 12, *[blank()] * 8])
    site.configure(
        camera={"source": "frames:frames", "fps": 5}, gate=SHORT, faces={"pack": "fake", "timeout_s": 1.6, **liveness}
    )
    code, out, err = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert (0, "") == (code, err)
    return [f"{each['decision']}/{each['reason']}" for each in events(out) if each["event"] == "decision"]


@pytest.mark.parametrize(
    ("mode", "screen", "decision"),
    [
        ("off", False, "granted/match"),
        ("off", True, "granted/match"),
        ("advisory", False, "granted/match"),
        ("advisory", True, "refer/liveness_unsure"),
        ("enforce", False, "granted/match"),
        ("enforce", True, "alarm/spoof_suspected"),
    ],
)
def test_the_whole_gate(site: Site, cli: Cli, mode: str, screen: bool, decision: str) -> None:
    """A face, or a face on a screen, in each mode."""
    assert [decision] == play(site, cli, {"liveness": mode, "liveness_pack": "fake"}, screen=screen)


@pytest.mark.parametrize("screen", [False, True])
def test_another_face_stays_no_match(site: Site, cli: Cli, screen: bool) -> None:
    """Liveness does not soften an alarm."""
    faces = {"liveness": "advisory", "liveness_pack": "fake"}
    assert ["alarm/no_match"] == play(site, cli, faces, screen=screen, person="ben")


def test_a_broken_engine_is_never_green(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails gives no answer: nobody is shown to be live, and nobody is accused."""

    def fail(*_: object) -> float:
        raise ValueError("the picture")

    monkeypatch.setattr("edgegate.liveness.fake.FakeLivenessEngine.score", fail)
    site.configure()
    site.enrol("ana", badge="ana.png")
    image = held_up(site.folder / "ana.png", "ana")
    record(site, [blank(), *[image] * 12, *[blank()] * 8])
    site.configure(
        camera={"source": "frames:frames", "fps": 5},
        gate=SHORT,
        faces={"pack": "fake", "timeout_s": 1.6, "liveness": "advisory", "liveness_pack": "fake"},
    )
    code, out, _ = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert 0 == code
    assert ["liveness_unsure"] == [each["reason"] for each in events(out) if each["event"] == "decision"]


@pytest.mark.parametrize("text", ["off", '"off"', "false"])
def test_off_may_be_written_as_yaml_likes(site: Site, text: str) -> None:
    """YAML reads a bare `off` as false."""
    path = site.folder / "config.yaml"
    path.write_text(f"faces: {{pack: fake, liveness: {text}}}\n", "utf-8")
    assert "off" == load(path).faces.liveness


@pytest.mark.parametrize("text", ["on", "true", "maybe", "1", "null"])
def test_other_words_are_refused(site: Site, text: str) -> None:
    """And the right ones are named."""
    path = site.folder / "config.yaml"
    path.write_text(f"faces: {{pack: fake, liveness: {text}}}\n", "utf-8")
    with pytest.raises(ConfigError, match="advisory"):
        load(path)


def test_a_pack_that_is_not_there_stops_the_gate_before_it_starts(site: Site, cli: Cli) -> None:
    """One line: what is asked for and is not installed can never work."""
    record(site, [blank()])
    site.configure(camera={"source": "frames:frames"}, faces={"pack": "fake", "liveness": "enforce"})
    code, _, err = cli("run", "--until-end", cwd=site.folder)
    assert 2 == code
    assert "there is no liveness pack `minifasnet`" in err.splitlines()[-1]


def test_without_a_face_pack_the_gate_runs_and_liveness_waits(
    site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every volunteer is referred, whatever liveness says; nothing is green."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    record(site, [blank()])
    site.configure(camera={"source": "frames:frames"}, faces={"pack": "auto", "liveness": "enforce"})
    code, out, _ = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert 0 == code
    assert "models_missing" in out


def test_a_changed_model_stops_the_gate_before_it_starts(site: Site, cli: Cli) -> None:
    """What is loaded is what was hashed."""
    folder = small_liveness_pack(site.folder / "models" / "small")
    (folder / "live.onnx").write_bytes(b"other")
    record(site, [blank()])
    site.configure(
        camera={"source": "frames:frames"}, faces={"pack": "fake", "liveness": "advisory", "liveness_pack": "small"}
    )
    code, _, err = cli("run", "--until-end", cwd=site.folder)
    assert 2 == code
    assert "SHA-256 differs" in err.splitlines()[-1]


def test_too_little_time_is_told_at_the_start(site: Site, cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    """Where the camera cannot give five pictures in the time that there is."""
    record(site, [blank()])
    site.configure(
        camera={"source": "frames:frames", "fps": 5},
        faces={"pack": "fake", "liveness": "advisory", "liveness_pack": "fake", "timeout_s": 0.5},
    )
    assert 0 == cli("run", "--until-end", cwd=site.folder)[0]
    assert "fewer than the 5 looks that liveness asks for" in caplog.text
    assert "never use it at a door" in caplog.text


def test_an_engine_without_its_points(site: Site, tmp_path: Path) -> None:
    """The add-on aligns by five points, which squares and dlib's boxes have not: said at once, not with every look."""
    from edgegate import adapters
    from tests.liveness.kit import addon_model
    from tests.small_pack import sha256

    data = addon_model()
    (tmp_path / "addon").mkdir()
    (tmp_path / "addon" / "a.onnx").write_bytes(data)
    models = f"[{{file: a.onnx, sha256: {sha256(data)}}}]"
    manifest = f"{{name: addon, kind: liveness, engine: insightface-liveness, models: {models}}}"
    (tmp_path / "addon" / "pack.yaml").write_text(manifest, "utf-8")
    with pytest.raises(EdgeGateError, match="needs five points"):
        adapters.load_liveness(site.config, FAKE_PACK, str(tmp_path / "addon"))
