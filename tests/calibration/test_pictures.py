"""Pictures as people send them: each gives embeddings, or one line that says why not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from edgegate.calibration.embed import Embedded, Remembering, embed, embed_all, stack
from edgegate.calibration.people import Album, Picture
from edgegate.errors import EdgeGateError
from edgegate.faces.fake_engine import FAKE_PACK, FakeEngine, draw_face
from edgegate.faces.pack import Pack
from edgegate.model import Image, Vector
from edgegate.ports import Face, FaceEngine
from tests.calibration.kit import load_fake, square

ANA = Pil.fromarray(np.ascontiguousarray(square("ana")[:, :, ::-1]))


def saved(picture: Pil.Image, format: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, format, **options)
    return target.getvalue()


def turned() -> bytes:
    """Lies on its side, and says so."""
    exif = Pil.Exif()
    exif[0x0112] = 6
    return saved(ANA.rotate(90, expand=True), "PNG", exif=exif)


def wide() -> bytes:
    """12,000 pixels wide, with one face."""
    picture = np.full((400, 12_000, 3), 170, np.uint8)
    draw_face(picture, "ana", 6000, 50, 200)
    return cv2.imencode(".png", picture)[1].tobytes()


GOOD: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(ANA, "PNG"),
    "turned.png": turned,
    "alpha.png": lambda: saved(ANA.convert("RGBA"), "PNG"),
    "animated.png": lambda: saved(ANA, "PNG", save_all=True, append_images=[ANA.rotate(180)]),
    "animated.webp": lambda: saved(ANA, "WEBP", lossless=True, save_all=True, append_images=[ANA.rotate(180)]),
    "palette.png": lambda: saved(ANA.convert("P", palette=Pil.Palette.ADAPTIVE), "PNG"),
    "cmyk.tif": lambda: saved(ANA.convert("CMYK"), "TIFF"),
    "12000.png": wide,
}
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "grey.png": (lambda: saved(ANA.convert("L"), "PNG"), "no_face"),
    "16-bit.png": (lambda: saved(Pil.fromarray(np.full((300, 300), 40_000, np.uint16)), "PNG"), "no_face"),
    "1x1.png": (lambda: saved(Pil.new("RGB", (1, 1)), "PNG"), "no_face"),
    "nothing.jpg": (lambda: b"", "unreadable"),
    "pdf.jpg": (lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n", "unreadable"),
    "cut.png": (lambda: saved(ANA, "PNG")[:300], "unreadable"),
    "giant.png": (lambda: saved(Pil.new("1", (10_000, 6_000)), "PNG"), "too_large"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_pictures_of_every_make_are_embedded(tmp_path: Path, kind: str) -> None:
    """Turned, transparent, animated, indexed, for print, very wide: the same face, as photograph and as look."""
    path = tmp_path / kind
    path.write_bytes(GOOD[kind]())
    expected = FakeEngine().embed(square("ana"), FakeEngine().detect(square("ana"))[0])
    found = embed(path, Remembering(FakeEngine()))
    assert (("", ""), "") == (found.not_enrolled, found.not_seen)
    assert found.template is not None
    assert found.probe is not None
    assert expected.tolist() == found.probe.tolist()
    assert pytest.approx(expected.tolist(), abs=1e-6) == found.template.tolist()  # rounded: the mean of two


@pytest.mark.parametrize("kind", BAD)
def test_no_picture_without_a_reason(tmp_path: Path, kind: str) -> None:
    """Grey, deep, tiny, empty, foreign, cut, giant: no embedding, and why."""
    make, code = BAD[kind]
    path = tmp_path / kind
    path.write_bytes(make())
    found = embed(path, Remembering(FakeEngine()))
    assert (None, None, code, code) == (found.template, found.probe, found.not_enrolled[0], found.not_seen)
    assert found.not_enrolled[1]


def test_what_enrolment_refuses_the_gate_may_compare(tmp_path: Path) -> None:
    """A face of 70 pixels is too small a photograph and large enough a look; one of 40 is neither."""
    for width, expected in ((70, (None, "too_small", "")), (40, (None, "too_small", "too_far"))):
        picture = np.full((300, 300, 3), 170, np.uint8)
        draw_face(picture, "ana", 50, 50, width)
        cv2.imwrite(str(tmp_path / f"{width}.png"), picture)
        found = embed(tmp_path / f"{width}.png", Remembering(FakeEngine()))
        assert expected == (found.template, found.not_enrolled[0], found.not_seen)
        assert (found.probe is not None) is (width == 70)


class Broken(FakeEngine):
    """An engine whose embeddings are of no use, or that fails."""

    def __init__(self, value: float | None) -> None:
        self._value = value

    def embed(self, image: Image, face: Face) -> Vector:
        if self._value is None:
            raise RuntimeError("anna.png holds a person's name")
        return np.full(self.dimensions, self._value, np.float32)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), None])
def test_embeddings_of_no_use_are_counted(tmp_path: Path, value: float | None) -> None:
    """Zero, not a number, infinite, or an engine that fails: the picture is named with its reason, and nothing is
    quoted."""
    cv2.imwrite(str(tmp_path / "a.png"), square("ana"))
    found = embed(tmp_path / "a.png", Remembering(Broken(value)))
    code = "failed" if value is None else "bad_embedding"
    assert (None, None, code, code) == (found.template, found.probe, found.not_enrolled[0], found.not_seen)
    assert "name" not in found.not_enrolled[1]


def test_each_picture_is_computed_once(tmp_path: Path) -> None:
    """Enrolment and gate look at the same face: the models run once for both, and once for its mirror image."""
    calls: list[str] = []

    class Counting(FakeEngine):
        """Notes what it is asked."""

        def detect(self, image: Image) -> list[Face]:
            calls.append("detect")
            return super().detect(image)

        def embed(self, image: Image, face: Face) -> Vector:
            calls.append("embed")
            return super().embed(image, face)

    cv2.imwrite(str(tmp_path / "a.png"), square("ana"))
    engine = Remembering(Counting())
    first, second = (embed(tmp_path / "a.png", engine) for _ in range(2))
    assert ["detect", "embed", "embed"] * 2 == calls
    assert first.digest == second.digest


def test_the_same_picture_twice_counts_once(tmp_path: Path) -> None:
    """Of one person, the first is kept; of two people, none, for one of the two folders is wrong."""
    vector = np.ones(8, np.float32)
    found = [Embedded(digest, vector, vector) for digest in (b"a", b"b", b"a", b"b", b"c")]
    album = Album(
        [Picture(tmp_path / name, person) for name, person in zip("vwxyz", (0, 0, 0, 1, 1), strict=True)], "pq", ()
    )
    data, problems = stack(album, found, "cosine", unique=True)
    assert [True, False, False, False, True] == data.enrolled.tolist() == data.seen.tolist()
    assert ["repeated", "contradictory"] == [problem.code for problem in problems]
    assert f"{tmp_path.name}/y: is the same picture as {tmp_path.name}/w, of another person; neither is used" == str(
        problems[1]
    )
    assert [True] * 5 == stack(album, found, "cosine", unique=False)[0].enrolled.tolist()


def _ends(pack: Pack) -> FaceEngine:
    os._exit(3)


def _refuses(pack: Pack) -> FaceEngine:
    raise EdgeGateError("no such models", where="/models", next="import them again")


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    """Two processes: the same embeddings in the same order. One that ends takes nobody with it: one line."""
    names = ("ana", "ben", "chloe")
    for name in names:
        cv2.imwrite(str(tmp_path / f"{name}.png"), square(name))
    paths = [tmp_path / f"{name}.png" for name in names]
    alone = list(embed_all(paths, FAKE_PACK, load_fake, 1))
    together = list(embed_all(paths, FAKE_PACK, load_fake, 2))
    assert [each.digest for each in alone] == [each.digest for each in together]
    for one, two in zip(alone, together, strict=True):
        assert one.probe is not None
        assert two.probe is not None
        assert one.probe.tolist() == two.probe.tolist()
    with pytest.raises(EdgeGateError, match="a process ended while it embedded pictures"):
        list(embed_all(paths, FAKE_PACK, _ends, 2))
    with pytest.raises(EdgeGateError, match=r"^/models: no such models; import them again$"):
        list(embed_all(paths, FAKE_PACK, _refuses, 2))
