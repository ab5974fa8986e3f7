"""The engine `opencv`: as OpenCV's own, one picture after the other of any size; models that are others are refused."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from edgegate.errors import EdgeGateError
from edgegate.faces.align import norm_crop
from edgegate.faces.comparison import score
from edgegate.faces.manifest import Input
from edgegate.faces.opencv_engine import DETECT_PX, OpencvEngine
from edgegate.faces.pack import MANIFEST, Pack, load
from edgegate.images import read_image
from edgegate.model import Image
from tests.bad_input import record
from tests.commands import Cli
from tests.conftest import Site, blank

YUNET = "yunet-mobilefacenet"
SFACE = {"size": 112, "mean": 0, "std": 1, "colour": "rgb"}


@pytest.fixture(scope="module")
def real(shared: Path) -> Path:
    """The folder of the pack with real weights."""
    return shared / "models" / YUNET


@pytest.fixture(scope="module")
def engine(real: Path) -> OpencvEngine:
    return OpencvEngine(load(real))


@pytest.fixture(scope="module")
def portrait(shared: Path) -> Image:
    return read_image(shared / "faces/people/barack_obama/4.jpg")


def copy(real: Path, folder: Path, **recogniser: Any) -> Pack:
    """The pack in a folder of its own, its recogniser's manifest changed."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = yaml.safe_load((real / MANIFEST).read_text())
    for part in ("detector", "recogniser"):
        shutil.copyfile(real / manifest[part]["file"], folder / manifest[part]["file"])
    manifest["recogniser"] |= recogniser
    (folder / MANIFEST).write_text(yaml.safe_dump(manifest))
    return load(folder)


def put(pack: Pack, part: str, data: bytes) -> Pack:
    """Another model file, and the manifest that goes with it."""
    manifest = yaml.safe_load((pack.folder / MANIFEST).read_text())
    (pack.folder / manifest[part]["file"]).write_bytes(data)
    manifest[part]["sha256"] = hashlib.sha256(data).hexdigest()
    (pack.folder / MANIFEST).write_text(yaml.safe_dump(manifest))
    return load(pack.folder)


def recogniser(
    shape: tuple[Any, ...] = (1, 3, 112, 112), value: float = 1.0, dimensions: int = 128, rows: int = 1, kind: int = 1
) -> bytes:
    """A model whose embedding is `value`, times the mean of the picture."""
    picture = helper.make_tensor_value_info("picture", kind, shape)
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, (rows, dimensions))
    nodes = [
        helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "values"], ["vector"]),
    ]
    values = helper.make_tensor("values", TensorProto.FLOAT, (rows, dimensions), [value] * rows * dimensions)
    graph = helper.make_graph(nodes, "graph", [picture], [vector], [values])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def refusal(pack: Pack) -> str:
    """What the engine says; one line with what to do next."""
    with pytest.raises(EdgeGateError) as caught:
        OpencvEngine(pack)
    line = str(caught.value)
    assert line.isprintable()
    assert "; " in line
    return line


def test_the_same_people_match(shared: Path, engine: OpencvEngine, real: Path) -> None:
    """On photographs, with the threshold measured for these weights: each pair on its own side."""
    threshold = load(real).threshold(1e-4)
    people = shared / "faces/people"
    known = {}
    for path in sorted(people.glob("*/*")):
        image = read_image(path)
        faces = engine.detect(image)
        assert 1 == len(faces), path
        known[path] = engine.embed(image, faces[0])
    assert 12 == len(known)
    # Two photographs of one person, years apart, score 0.49.
    apart = {people / "alex_lacamoire" / name for name in ("1.png", "3.jpg")}
    for one, first in known.items():
        for other, second in known.items():
            close = score(first, second, engine.metric) >= threshold
            assert close == (one.parent == other.parent and {one, other} != apart)


def test_it_is_as_opencv_does_it(real: Path, portrait: Image, tmp_path: Path) -> None:
    """Crop and numbers are those of OpenCV's own FaceRecognizerSF, with the input form that SFace has.

    SFace itself was never here; the weights are MobileFaceNet's, which OpenCV runs just as well.
    """
    pack = copy(real, tmp_path / "pack", input=SFACE)
    engine = OpencvEngine(pack)
    image = np.asarray(cv2.resize(portrait, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)
    (face,) = engine.detect(image)
    detector = cv2.FaceDetectorYN.create(str(pack.detector), "", (640, 360), 0.8, 0.3, 500)
    (row,) = detector.detect(image)[1]
    assert face.points is not None
    assert np.array_equal(np.array([*face.box, *face.points.ravel(), face.score], np.float32), row)
    theirs = cv2.FaceRecognizerSF.create(str(pack.recogniser), "")
    crop = theirs.alignCrop(image, row)
    ours = norm_crop(image, face.points, 112)
    assert np.abs(crop.astype(int) - ours).max() <= 1
    vector = theirs.feature(crop).ravel()
    assert score(np.asarray(vector, np.float32), engine.embed(image, face), "cosine") > 0.99999


def test_the_input_form_matters(real: Path, engine: OpencvEngine, portrait: Image, tmp_path: Path) -> None:
    """Channels, mean and scale are the manifest's, and templates are bound to them."""
    (face,) = engine.detect(portrait)
    vector = engine.embed(portrait, face)
    for form in (SFACE, {"size": 112, "mean": 127.5, "std": 127.5, "colour": "bgr"}):
        pack = copy(real, tmp_path / "pack", input=form)
        assert pack.id != load(real).id
        assert score(vector, OpencvEngine(pack).embed(portrait, face), "cosine") < 0.99
    assert load(real).id == copy(real, tmp_path / "pack").id


def test_pictures_of_any_size(engine: OpencvEngine, portrait: Image) -> None:
    """From frame to frame the size may change: the face stays where it is, in the picture's own pixels."""
    (face,) = engine.detect(portrait)
    height, width = portrait.shape[:2]
    for scale in (0.25, 0.4, 1.0, 1.7, 0.33):
        image = np.asarray(cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        (found,) = engine.detect(image)
        assert np.allclose(np.array(found.box) / scale, face.box, atol=0.03 * width)
        assert found.points is not None
        assert face.points is not None
        assert np.allclose(found.points / scale, face.points, atol=0.01 * width)
    tall = np.zeros((width, height // 2, 3), np.uint8)
    assert [] == engine.detect(tall)


def test_a_face_that_fills_the_picture(engine: OpencvEngine, portrait: Image) -> None:
    """As on a passport photograph of any resolution: the detector never sees more than it was taught to."""
    (face,) = engine.detect(portrait)
    x, y, width, height = (round(value) for value in face.box)
    close = portrait[max(0, y - height // 8) : y + height + height // 8, x - width // 8 : x + width + width // 8]
    for side in (200, DETECT_PX, 1600, 3000):
        assert 1 == len(engine.detect(np.asarray(cv2.resize(close, (side * 3 // 4, side)), np.uint8)))


def test_quality_photographs(shared: Path, engine: OpencvEngine) -> None:
    """One face, two, or none, however turned, hidden or blurred; not one lying on its side."""
    expected = {"no_face.jpg": 0, "two_people.jpg": 2, "rotated_90.jpg": 0}
    found = {path.name: len(engine.detect(read_image(path))) for path in (shared / "faces/quality").iterdir()}
    assert {name: expected.get(name, 1) for name in found} == found


def test_memory_stays_bounded(engine: OpencvEngine, portrait: Image) -> None:
    """Three hundred pictures, each of another size, and the same one as often: nothing is kept of them."""

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    dice = np.random.default_rng(5)
    sizes = [tuple(int(side) for side in dice.integers(40, DETECT_PX, 2)) for _ in range(300)]
    for size in [(DETECT_PX, DETECT_PX), *sizes[:50]]:
        engine.detect(np.asarray(cv2.resize(portrait, size), np.uint8))
    before = resident()
    for size in sizes:
        engine.detect(np.asarray(cv2.resize(portrait, size), np.uint8))
    assert resident() - before < 10


def test_what_was_hashed_is_what_runs(real: Path, tmp_path: Path, portrait: Image) -> None:
    """A file swapped for another of the same form, or shortened, is refused by the engine itself; once it runs, what
    happens to the files is nothing to it."""
    pack = copy(real, tmp_path / "pack")
    for path in (pack.detector, pack.recogniser):
        good = path.read_bytes()
        for data in (good[:-1] + bytes([good[-1] ^ 1]), good[: len(good) // 2], b""):
            path.write_bytes(data)
            assert f"{path}: is not the file that the manifest of pack {YUNET} names" in refusal(pack)
        path.write_bytes(good)
    engine = OpencvEngine(pack)
    shutil.rmtree(pack.folder)
    assert 1 == len(engine.detect(portrait))


def test_a_folder_of_any_name(real: Path, tmp_path: Path, portrait: Image) -> None:
    """No library has to understand it."""
    folder = tmp_path / "Écran d'accueil\nfaces\udcff {%s} ; $(x)"
    pack = copy(real, folder)
    assert 1 == len(OpencvEngine(pack).detect(portrait))


UNFIT: dict[str, tuple[Callable[[], bytes], str]] = {
    "another size": (lambda: recogniser((1, 3, 96, 96)), "takes 1x3x96x96, its manifest says 1x3x112x112"),
    "grey": (lambda: recogniser((1, 1, 112, 112)), "takes 1x1x112x112, its manifest says"),
    "channels last": (lambda: recogniser((1, 112, 112, 3)), "takes 1x112x112x3, its manifest says"),
    "no picture": (lambda: recogniser((1, 128)), "is no recogniser: it takes no single picture"),
    "bytes": (lambda: recogniser(kind=TensorProto.UINT8), "is no recogniser: it takes no single picture"),
    "wider": (lambda: recogniser(dimensions=512), "gives 1x512 numbers, its manifest says 1x128"),
    "two at once": (lambda: recogniser(rows=2), "gives 2x128 numbers, its manifest says 1x128"),
    "no numbers": (lambda: recogniser(value=float("nan")), "mobilefacenet.onnx: gives no usable numbers"),
    "endless": (lambda: recogniser(value=float("inf")), "mobilefacenet.onnx: gives no usable numbers"),
    "zeros": (lambda: recogniser(value=0.0), "mobilefacenet.onnx: gives no usable numbers"),
    "cut": (lambda: recogniser()[:60], "cannot be loaded ("),
    "empty": (lambda: b"", "cannot be loaded ("),
    "text": (lambda: b"a login page", "cannot be loaded ("),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_recogniser_that_is_another(real: Path, tmp_path: Path, kind: str) -> None:
    """Its hash is the manifest's, but it is not what the manifest says: one line, before any face is shown to it."""
    make, says = UNFIT[kind]
    pack = put(copy(real, tmp_path / "pack"), "recogniser", make())
    assert says in refusal(pack)


@pytest.mark.parametrize("shape", [(1, 3, 112, 112), ("n", 3, 112, 112), ("n", "c", "h", "w"), (None, 3, None, None)])
def test_a_recogniser_with_free_dimensions(real: Path, tmp_path: Path, shape: tuple[Any, ...]) -> None:
    """It takes what the manifest says, and gives unit length."""
    pack = put(copy(real, tmp_path / "pack"), "recogniser", recogniser(shape))
    assert pytest.approx(1.0) == float(np.linalg.norm(OpencvEngine(pack)._embed(np.full((112, 112, 3), 7, np.uint8))))


def test_a_picture_without_an_embedding(real: Path, tmp_path: Path, portrait: Image) -> None:
    """A model that fails on one picture only: an error in words, never an embedding of nothing."""
    pack = put(copy(real, tmp_path / "pack", input=SFACE), "recogniser", recogniser())
    engine = OpencvEngine(pack)
    (face,) = engine.detect(portrait)
    with pytest.raises(EdgeGateError, match="gives no usable numbers"):
        engine.embed(np.zeros_like(portrait), face)
    assert np.isfinite(engine.embed(portrait, face)).all()


def detector(real: Path, change: str) -> bytes:
    """YuNet with one thing changed, or something else."""
    data = (real / "face_detection_yunet_2023mar.onnx").read_bytes()
    model = onnx.load_from_string(data)
    if change == "renamed":
        for node in model.graph.node:
            node.output[:] = ["boxes" if name == "bbox_8" else name for name in node.output]
        next(output for output in model.graph.output if output.name == "bbox_8").name = "boxes"
    else:
        model.graph.output.pop()
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("change", ["renamed", "one less"])
def test_a_detector_with_other_outputs(real: Path, tmp_path: Path, change: str) -> None:
    """OpenCV would read beside them: they are looked at first."""
    pack = put(copy(real, tmp_path / "pack"), "detector", detector(real, change))
    assert f"{pack.detector}: is no YuNet: it gives other outputs; correct pack.yaml" in refusal(pack)


@pytest.mark.parametrize("kind", ["recogniser", "scrfd", "text", "cut"])
def test_a_detector_that_is_another(real: Path, shared: Path, tmp_path: Path, kind: str) -> None:
    """The two swapped, that of another engine, or no model at all."""
    data = {
        "recogniser": (real / "mobilefacenet.onnx").read_bytes(),
        "scrfd": (shared / "models/scrfd-mobileface/scrfd_500m_kps.onnx").read_bytes(),
        "text": b"a login page",
        "cut": (real / "face_detection_yunet_2023mar.onnx").read_bytes()[:100_000],
    }[kind]
    pack = put(copy(real, tmp_path / "pack"), "detector", data)
    line = refusal(pack)
    assert line.startswith(f"{pack.detector}: ")
    assert "is no YuNet" in line or "cannot be loaded" in line


def test_a_manifest_without_an_input(real: Path, tmp_path: Path) -> None:
    """Guessing it would give embeddings that mean nothing."""
    pack = copy(real, tmp_path / "pack", input=None)
    assert f"{pack.folder / MANIFEST}: recogniser.input is missing" in refusal(pack)


@pytest.mark.parametrize(
    "form",
    [{"size": 0}, {"size": 9000}, {"size": 112, "std": 0}, {"size": 112, "mean": float("nan")}, {"colour": "rgb"}, 112],
)
def test_an_input_that_cannot_be(real: Path, tmp_path: Path, form: Any) -> None:
    """Refused with the manifest."""
    with pytest.raises(EdgeGateError, match=r"is no pack manifest \(recogniser\.input"):
        copy(real, tmp_path / "pack", input=form)


def test_the_form_of_sface_is_the_plain_one() -> None:
    """0..255, RGB: what a manifest says that says nothing but the size."""
    assert Input(size=112) == Input.model_validate(SFACE)


def test_nothing_is_written_to_stderr(real: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV warns of what nobody asked for; a technician would look for the fault."""
    OpencvEngine(load(real))
    assert ("", "") == capfd.readouterr()


def test_run_says_what_it_rests_on(site: Site, cli: Cli, real: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pack, threshold, the data behind it, and the licence, before the first badge."""
    pack = copy(real, site.folder / "mine")
    manifest = yaml.safe_load((pack.folder / MANIFEST).read_text()) | {"measured_on": "LFW, all pairs"}
    (pack.folder / MANIFEST).write_text(yaml.safe_dump(manifest))
    record(site, [blank()])
    site.configure(faces={"pack": "./mine"}, camera={"source": "frames:frames"})
    with caplog.at_level(logging.INFO):
        assert 0 == cli("run", "--until-end", cwd=site.folder)[0]
    (line,) = (said for said in caplog.messages if said.startswith("faces: "))
    for part in (YUNET, "0.496", "FMR 0.0001", "LFW, all pairs", "detector MIT, recogniser none stated by its author"):
        assert part in line
