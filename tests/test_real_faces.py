"""Real photographs and weights through the whole gate: enrol from one, present another, by the commands themselves."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edgegate.camera.people import portrait
from tests.commands import Cli
from tests.conftest import Site

ENGINES = ("dlib", "scrfd-mobileface", "yunet-mobilefacenet")
FRAMES = 8
CONSENT = ("--volunteer", "--consent-by", "both", "--consent-version", "1")


def pack(name: str, shared: Path) -> str:
    return name if name == "dlib" else str(shared / "models" / name)


def enrol(cli: Cli, site: Site, photos: list[Path], expires: str) -> tuple[int, str, str]:
    return cli(
        "enroll", "add", "--photo", *photos, *CONSENT, "--expires", expires, "--badge-out", "badge.png", cwd=site.folder
    )


def present(cli: Cli, site: Site, photo: Path, folder: str) -> tuple[str, str]:
    """Decision and reason when the person of `photo` holds the badge before the camera."""
    decision, reason, _, _ = presented(cli, site, photo, folder)
    return decision, reason


def presented(cli: Cli, site: Site, photo: Path, folder: str) -> tuple[str, str, str | None, list[str]]:
    """The same, with the detail and the hints."""
    code, _, err = cli(
        *("simulate", "--photo", photo, "--badge", "badge.png", "--out", folder, "--frames", FRAMES), cwd=site.folder
    )
    assert 0 == code, err
    site.configure(
        camera={"source": f"frames:{folder}", "width": 1280, "height": 720}, faces={"pack": site.config.faces.pack}
    )
    code, out, err = cli("run", "--events", "-", "--until-end", cwd=site.folder)
    assert 0 == code, err
    events = [json.loads(line) for line in out.splitlines()]
    decisions = [event for event in events if event["event"] == "decision"]
    assert [1] == [event["presentation"] for event in decisions]
    hints = [event["hint"] for event in events if event["event"] == "hint"]
    return decisions[0]["decision"], decisions[0]["reason"], decisions[0].get("detail"), hints


@pytest.fixture
def expires() -> str:
    from datetime import date, timedelta

    return (date.today() + timedelta(days=100)).isoformat()


@pytest.mark.parametrize("engine", ENGINES)
def test_own_badge_passes_and_another_face_does_not(
    engine: str, cli: Cli, site: Site, shared: Path, expires: str
) -> None:
    """Enrolled from one photograph: another of the same person is granted, two other people are not."""
    people = shared / "faces" / "people"
    site.configure(faces={"pack": pack(engine, shared)}, camera={"width": 1280, "height": 720})
    code, _, err = enrol(cli, site, [people / "barack_obama" / "1.jpg"], expires)
    assert 0 == code, err

    assert ("granted", "match") == present(cli, site, people / "barack_obama" / "2.jpg", "own")
    assert ("alarm", "no_match") == present(cli, site, people / "joe_biden" / "2.jpg", "other")
    assert ("alarm", "no_match") == present(cli, site, people / "rose_leslie" / "1.jpg", "third")


@pytest.mark.parametrize(
    ("engine", "photo", "detail", "hint"),
    [
        ("scrfd-mobileface", "pose_left.jpg", "turned_away", "look_at_camera"),
        ("yunet-mobilefacenet", "pose_left.jpg", "turned_away", "look_at_camera"),
        ("scrfd-mobileface", "mask.jpg", None, "uncover_face"),
    ],
)
def test_a_face_not_fit_to_compare_is_told_why(
    engine: str, photo: str, detail: str | None, hint: str, cli: Cli, site: Site, shared: Path, expires: str
) -> None:
    """The student hears what to do, the supervisor reads why; of a mask, only the student hears. It is no alarm."""
    site.configure(faces={"pack": pack(engine, shared)}, camera={"width": 1280, "height": 720})
    code, _, err = enrol(cli, site, [shared / "faces" / "people" / "barack_obama" / "1.jpg"], expires)
    assert 0 == code, err

    decision, reason, found, hints = presented(cli, site, shared / "faces" / "quality" / photo, "poor")

    assert ("refer", "poor_quality", detail) == (decision, reason, found)
    assert hint in hints


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_photo_among_three_is_named(engine: str, cli: Cli, site: Site, shared: Path, expires: str) -> None:
    """Photographs of one enrolment must agree; where a majority tells which does not, it is named."""
    people = shared / "faces" / "people"
    site.configure(faces={"pack": pack(engine, shared)})
    odd = people / "joe_biden" / "1.jpg"
    photos = [people / "barack_obama" / "1.jpg", odd, people / "barack_obama" / "4.jpg"]

    code, out, err = enrol(cli, site, photos, expires)

    assert (2, "") == (code, out)
    assert f"edgegate: {odd}: does not show the same face as the others; leave it out, or take it again\n" == err
    assert not (site.folder / "badge.png").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        ("no_face.jpg", "no face is found"),
        ("two_people.jpg", "shows several faces"),
        ("blur.jpg", "the face is blurred"),
    ],
)
def test_poor_photographs_are_refused(
    engine: str, photo: str, reason: str, cli: Cli, site: Site, shared: Path, expires: str
) -> None:
    """Each refusal names the photograph and the reason, and leaves nothing behind."""
    site.configure(faces={"pack": pack(engine, shared)})
    path = shared / "faces" / "quality" / photo

    code, out, err = enrol(cli, site, [path], expires)

    assert (2, "") == (code, out)
    assert err.startswith(f"edgegate: {path}: {reason}; ")
    assert not (site.folder / "vault.db").exists()


def test_embedded_pack_on_the_dependencies_own_faces(cli: Cli, site: Site, expires: str) -> None:
    """Without any other weights or photographs, the whole way still runs."""
    site.configure(faces={"pack": "dlib"}, camera={"width": 1280, "height": 720})
    for name in ("astronaut", "group-5"):
        cv2.imwrite(str(site.folder / f"{name}.jpg"), portrait(name))
    code, _, err = enrol(cli, site, [site.folder / "astronaut.jpg"], expires)
    assert 0 == code, err

    assert ("granted", "match") == present(cli, site, site.folder / "astronaut.jpg", "own")
    assert ("alarm", "no_match") == present(cli, site, site.folder / "group-5.jpg", "other")


def test_auto_takes_an_imported_pack_and_templates_stay_bound_to_theirs(
    cli: Cli, site: Site, shared: Path, expires: str
) -> None:
    """A template made with one pack is never compared by another: it is referred as unreadable."""
    photo = shared / "faces" / "people" / "barack_obama" / "1.jpg"
    site.configure(faces={"pack": "auto"}, camera={"width": 1280, "height": 720})
    code, _, err = enrol(cli, site, [photo], expires)
    assert 0 == code, err
    code, _, err = cli("models", "import", shared / "models" / "scrfd-mobileface", "--accept-license", cwd=site.folder)
    assert 0 == code, err

    assert ("refer", "template_unreadable") == present(cli, site, photo, "own")
