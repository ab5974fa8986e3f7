"""Real weights and real photographs gone wrong: swapped, cut or foreign models, and pictures as cameras, phones and
scanners leave them. One line each; what can be read is read right."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image as Pil
from PIL import ImageOps

from edgegate.adapters import open_engine
from edgegate.calibration.embed import Remembering, embed
from edgegate.faces.comparison import score
from edgegate.faces.pack import MANIFEST, load
from edgegate.images import read_image
from tests.commands import Cli, refusal

SCRFD, YUNET = "scrfd-mobileface", "yunet-mobilefacenet"


@pytest.fixture
def weights(shared: Path) -> Path:
    return shared / "models"


def copied(source: Path, target: Path, part: str = "", file: Path | None = None, keep: int = -1, **keys: Any) -> Path:
    """A pack with another model in it, of which so many bytes are kept; the manifest names it, hash and all."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in (target, *target.iterdir()):
        path.chmod(0o755)
    raw = yaml.safe_load((target / MANIFEST).read_text())
    if part:
        data = (file or target / raw[part]["file"]).read_bytes()[: keep if keep >= 0 else None]
        name = "other.onnx"
        (target / name).write_bytes(data)
        raw[part] |= {"file": name, "sha256": hashlib.sha256(data).hexdigest()} | keys
    (target / MANIFEST).write_text(yaml.safe_dump(raw))
    return target


@pytest.mark.parametrize("pack", [SCRFD, YUNET])
def test_a_model_swapped_for_one_of_the_same_shape(pack: str, weights: Path, cli: Cli, tmp_path: Path) -> None:
    """Faces of 112 x 112 pixels go into both, and what comes out means another thing: the hash tells."""
    ours, theirs = (load(weights / name) for name in ((SCRFD, YUNET) if pack == SCRFD else (YUNET, SCRFD)))
    folder = copied(weights / pack, tmp_path / "mine")
    (folder / ours.recogniser.name).write_bytes(theirs.recogniser.read_bytes())
    picture = str(weights.parent / "faces/people/joe_biden/1.jpg")
    for command in (["verify", picture, picture], ["calibrate", str(weights.parent / "faces/people"), "--jobs", "1"]):
        line = refusal(cli(*command, "--pack", str(folder)))
        says = f"{folder / ours.recogniser.name}: is not the file that the manifest of pack {pack} names (SHA-256"
        assert says in line


@pytest.mark.parametrize(
    ("pack", "part", "other", "keep"),
    [
        (SCRFD, "recogniser", "", 1_000_000),
        (SCRFD, "detector", "", 1_000_000),
        (YUNET, "recogniser", "", 1_000_000),
        (YUNET, "detector", "", 100_000),
        (SCRFD, "recogniser", "minifasnet/minifasnet_v2_2.7_80x80.onnx", -1),
        (YUNET, "recogniser", "minifasnet/minifasnet_v2_2.7_80x80.onnx", -1),
        (SCRFD, "detector", f"{YUNET}/face_detection_yunet_2023mar.onnx", -1),
        (YUNET, "detector", f"{SCRFD}/scrfd_500m_kps.onnx", -1),
        (SCRFD, "detector", f"{SCRFD}/mobileface_v2.onnx", -1),
    ],
)
def test_a_model_that_its_manifest_means_and_no_engine_takes(
    pack: str, part: str, other: str, keep: int, weights: Path, cli: Cli, tmp_path: Path
) -> None:
    """Cut short, of another input size or with other outputs, its hash in the manifest: one line, no comparison."""
    folder = copied(weights / pack, tmp_path / "mine", part, weights / other if other else None, keep)
    picture = weights.parent / "faces/people/joe_biden/1.jpg"
    line = refusal(cli("verify", picture, picture, "--pack", str(folder)))
    assert str(folder) in line
    assert "; " in line


def exif(picture: Pil.Image) -> bytes:
    turned, tags = io.BytesIO(), Pil.Exif()
    tags[0x112] = 6
    picture.rotate(90, expand=True).save(turned, "JPEG", exif=tags, quality=92)
    return turned.getvalue()


def saved(kind: str, **options: Any) -> Callable[[Pil.Image], bytes]:
    def save(picture: Pil.Image) -> bytes:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        return stream.getvalue()

    return save


def deep(picture: Pil.Image, suffix: str = ".png") -> bytes:
    """16 bits a channel."""
    colours = np.asarray(picture)[:, :, ::-1].astype(np.uint16) * 257
    return cv2.imencode(suffix, colours)[1].tobytes()


def faded(picture: Pil.Image) -> bytes:
    """With transparency from left to right."""
    clear = picture.copy()
    clear.putalpha(Pil.linear_gradient("L").rotate(90).resize(picture.size))
    return saved("PNG")(clear)


GOOD: dict[str, Callable[[Pil.Image], bytes]] = {
    "turned.jpg": exif,
    "transparent.png": faded,
    "grey.jpg": lambda picture: saved("JPEG")(picture.convert("L")),
    "deep.png": deep,
    "deep.tif": lambda picture: deep(picture, ".tiff"),
    "print.jpg": lambda picture: saved("JPEG")(picture.convert("CMYK")),
    "moving.webp": lambda picture: saved("WEBP", save_all=True, append_images=[ImageOps.mirror(picture)])(picture),
    "moving.png": lambda picture: saved("PNG", save_all=True, append_images=[ImageOps.mirror(picture)])(picture),
}
BAD: dict[str, tuple[Callable[[Pil.Image], bytes], str]] = {
    "moving.jpg": (saved("GIF"), "unreadable"),
    "one.png": (lambda picture: saved("PNG")(picture.resize((1, 1))), "no_face"),
    "wide.png": (lambda picture: saved("PNG")(picture.resize((12_000, 1))), "no_face"),
    "huge.png": (lambda picture: saved("PNG")(Pil.new("1", (12_000, 12_000))), "too_large"),
    "empty.jpg": (lambda picture: b"", "unreadable"),
    "paper.jpg": (lambda picture: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n", "unreadable"),
    "cut.jpg": (lambda picture: saved("JPEG")(picture)[:20_000], "unreadable"),
}


@pytest.mark.parametrize("pack", [SCRFD, YUNET])
def test_photographs_of_every_make(pack: str, weights: Path, tmp_path: Path) -> None:
    """Turned, transparent, grey, deep, for print, moving: the same face to real weights. What shows none says why."""
    chosen = load(weights / pack)
    engine = Remembering(open_engine(chosen, threads=1))
    plain = weights.parent / "faces/people/barack_obama/1.jpg"
    with Pil.open(plain) as whole:
        picture = ImageOps.exif_transpose(whole).convert("RGB")
    picture.thumbnail((900, 900))
    image = read_image(plain)
    assert len(engine.detect(image)) == 1
    before = engine.embed(image, engine.detect(image)[0])
    for name, make in GOOD.items():
        (tmp_path / name).write_bytes(make(picture))
        found = embed(tmp_path / name, engine)
        assert found.probe is not None, (name, found.not_seen)
        assert chosen.threshold(1e-4) < score(before, found.probe, engine.metric), name
    for name, (make, code) in BAD.items():
        (tmp_path / name).write_bytes(make(picture))
        found = embed(tmp_path / name, engine)
        assert (None, None, code, code) == (found.template, found.probe, found.not_enrolled[0], found.not_seen), name
