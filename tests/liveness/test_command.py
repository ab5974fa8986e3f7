"""`edgegate liveness test`, with the real weights, and on what it cannot use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgegate.faces.fake_engine import draw_face
from edgegate.liveness.fake import draw_screen
from edgegate.model import Image
from tests.commands import Cli, refusal
from tests.conftest import Site, blank


def square(*, screen: bool = False, shift: int = 0) -> Image:
    """One of the fake faces, in the fake screen or not."""
    image = blank()
    if screen:
        draw_screen(image, 200 + shift, 100, 120)
    draw_face(image, "ana", 200 + shift, 100, 120)
    return image


def save(path: Path, *images: Image) -> None:
    """One picture, or a folder of frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        cv2.imwrite(str(path), images[0])
        return
    path.mkdir()
    for number, image in enumerate(images):
        cv2.imwrite(str(path / f"{number}.png"), image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people, two screens, pictures and presentations."""
    root = tmp_path / "material"
    save(root / "bona_fide" / "one.png", square())
    save(root / "bona_fide" / "walk", *[square(shift=number) for number in range(5)])
    save(root / "replay" / "one.png", square(screen=True))
    save(root / "replay" / "walk", *[square(screen=True, shift=number) for number in range(5)])
    save(root / "nobody" / "walk", *[blank()] * 4)
    return root


def measured(site: Site, cli: Cli, *args: str | Path) -> tuple[int, str, str]:
    return cli("liveness", "test", *args, "--liveness-pack", "fake", cwd=site.folder)


def result(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_fake_tells_them_apart(site: Site, cli: Cli, folder: Path) -> None:
    """Faces pass, screens do not, and where nobody is seen there is no response."""
    code, out, err = measured(site, cli, folder, "--json")
    assert (0, "") == (code, err)
    found = result(out)
    assert (6, 0.0) == (found["bona_fide"]["frames"]["tried"], found["bona_fide"]["frames"]["bpcer"]["rate"])
    assert {"live": 1, "unsure": 0, "spoof": 0} == found["bona_fide"]["verdicts"]
    assert {"live": 0, "unsure": 0, "spoof": 1} == found["attacks"]["replay"]["verdicts"]
    assert (None, 1.0) == tuple(found["attacks"]["nobody"]["presentations"][key]["rate"] for key in ("apcer", "apnrr"))
    assert ("fake", [[640, 360]]) == (found["liveness"]["pack"], found["sizes"])


def test_it_reads_well(site: Site, cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Tables, intervals, what was measured on what, and that it is advice; the page says the same."""
    page = tmp_path / "page.html"
    code, out, _ = measured(site, cli, folder, "--html", page)
    assert 0 == code
    for words in (
        "per frame",
        "per presentation",
        "BPCER bona fide",
        "APCER replay",
        "fake: live from 0.8",
        "640 x 360",
    ):
        assert words in out
    assert "advice to a supervisor unless it was" in " ".join(out.split())
    text = page.read_text("utf-8")
    assert "APCER replay" in text
    assert "640 x 360" in text
    assert 0o600 == page.stat().st_mode & 0o777


def test_a_video_is_a_presentation(site: Site, cli: Cli, tmp_path: Path) -> None:
    """Ten frames of each second are looked at."""
    root = tmp_path / "material"
    (root / "live").mkdir(parents=True)
    writer = cv2.VideoWriter(str(root / "live" / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (640, 360))  # type: ignore[attr-defined]
    for number in range(30):
        writer.write(square(shift=number))
    writer.release()
    code, out, _ = measured(site, cli, root, "--json")
    assert 0 == code
    side = result(out)["bona_fide"]
    assert (10, 1, 1) == (side["frames"]["tried"], side["presentations"]["tried"], side["verdicts"]["live"])


def test_the_samples_of_its_authors(site: Site, cli: Cli, shared: Path, tmp_path: Path) -> None:
    """With the real weights, as they lie beside the repository: nothing passes that should not."""
    code, out, err = cli(
        *("liveness", "test", shared / "faces" / "pad", "--json"),
        *("--pack", shared / "models" / "scrfd-mobileface", "--liveness-pack", shared / "models" / "minifasnet"),
        cwd=site.folder,
    )
    assert (0, "") == (code, err)
    found = result(out)
    assert (1, 0.0) == (found["bona_fide"]["frames"]["tried"], found["bona_fide"]["frames"]["bpcer"]["rate"])
    assert {"screen": 2, "tablet": 1} == {name: side["frames"]["tried"] for name, side in found["attacks"].items()}
    assert all(0.0 == side["frames"]["apcer"]["rate"] for side in found["attacks"].values())
    assert pytest.approx(0.8419, abs=1e-4) == found["attacks"]["screen"]["frames"]["apcer"]["high"]


def test_what_cannot_be_read_is_listed(site: Site, cli: Cli, folder: Path) -> None:
    """One line each, and the rest is tested."""
    (folder / "replay" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    (folder / "replay" / "torn.mp4").write_bytes(b"no video")
    (folder / "replay" / "list.pdf").write_bytes(b"%PDF")
    code, out, err = measured(site, cli, folder, "--json")
    assert 0 == code
    assert 3 == len(err.splitlines()), err
    assert 3 == result(out)["not_used"]
    assert 6 == result(out)["attacks"]["replay"]["frames"]["tried"]


def refused(done: tuple[int, str, str], says: str) -> None:
    line = refusal(done)
    assert says in line
    assert "; " in line


def test_a_folder_of_nothing(site: Site, cli: Cli, tmp_path: Path) -> None:
    """One line."""
    (tmp_path / "empty").mkdir()
    refused(measured(site, cli, tmp_path / "empty"), "nothing to test")
    refused(measured(site, cli, tmp_path / "none"), "cannot be listed")


def test_only_torn_pictures(site: Site, cli: Cli, tmp_path: Path) -> None:
    """The torn one is listed, and that nothing is left is said."""
    (tmp_path / "m" / "live").mkdir(parents=True)
    (tmp_path / "m" / "live" / "a.jpg").write_bytes(b"")
    code, out, err = measured(site, cli, tmp_path / "m")
    assert (2, "", 2) == (code, out, len(err.splitlines()))
    assert "no picture that can be read" in err


def test_packs_that_do_not_serve(site: Site, cli: Cli, folder: Path, shared: Path) -> None:
    """None installed, one that is not there, one for faces, one whose file was changed: each is one line."""

    def asked(*pack: str | Path) -> tuple[int, str, str]:
        return cli("liveness", "test", folder, *pack, cwd=site.folder)

    refused(asked(), "there is no liveness pack `minifasnet`")
    refused(asked("--liveness-pack", shared / "models" / "scrfd-mobileface"), "none for liveness")
    installed = site.folder / "models" / "minifasnet"
    shutil.copytree(shared / "models" / "minifasnet", installed)
    for path in installed.iterdir():
        path.chmod(0o644)
    assert 0 == asked()[0]
    refused(asked("--liveness-pack", "other"), "minifasnet")
    weights = next(installed.glob("*.onnx"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    refused(asked(), "SHA-256")


def test_it_does_not_write_over_a_page(site: Site, cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Said before the work, not after."""
    page = tmp_path / "page.html"
    page.write_text("mine")
    refused(measured(site, cli, folder, "--html", page), "exists already")
    assert "mine" == page.read_text()


def test_nothing_of_a_picture_is_kept(site: Site, cli: Cli, folder: Path) -> None:
    """No file is new when it is over."""
    before = {path for path in site.folder.rglob("*") if folder not in path.parents}
    assert 0 == measured(site, cli, folder, "--json")[0]
    assert before == {path for path in site.folder.rglob("*") if folder not in path.parents}


def test_strange_pictures(site: Site, cli: Cli, tmp_path: Path) -> None:
    """Very small, very wide, grey, with alpha: a response or none, and no crash."""
    root = tmp_path / "material"
    pictures: dict[str, NDArray[Any]] = {
        "small": np.zeros((1, 1, 3), np.uint8),
        "wide": np.zeros((20, 12000, 3), np.uint8),
        "grey": np.full((90, 90), 80, np.uint8),
        "alpha": np.full((90, 90, 4), 80, np.uint8),
        "deep": np.full((90, 90), 40000, np.uint16),
    }
    (root / "live").mkdir(parents=True)
    for name, image in pictures.items():
        cv2.imwrite(str(root / "live" / f"{name}.png"), image)
    code, out, err = measured(site, cli, root, "--json")
    assert (0, "") == (code, err)
    frames = result(out)["bona_fide"]["frames"]
    assert (5, 1.0) == (frames["tried"], frames["bpnrr"]["rate"])
