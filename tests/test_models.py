"""`models` and `verify`: packs are imported whole or not at all, and two photographs are compared."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edgegate import device_key
from edgegate.calibration import record
from edgegate.calibration.keeping import calibration
from edgegate.errors import EdgeGateError
from edgegate.faces import catalogue
from edgegate.faces.manifest import MANIFEST
from edgegate.faces.pack import LivenessPack, Pack, parse_any
from tests.calibration.kit import report
from tests.commands import Cli, good, refusal
from tests.conftest import Site

SCRFD = "scrfd-mobileface"
OPENCV = "yunet-mobilefacenet"


def marked(listing: str) -> list[str]:
    """The packs of `models list`, each with its mark, and what stands over the parts of the list."""
    return [line[:1] + line[2:].split()[0] for line in listing.splitlines() if line]


def test_packs_are_imported_listed_and_verified(site: Site, cli: Cli, shared: Path) -> None:
    """Before, `dlib` is what `auto` takes; afterwards the imported pack, with its licence; twice is refused."""
    site.configure(faces={"models_dir": "packs"})
    pulled = [" TO", *(f" {name}" for name in ("opencv-zoo", "buffalo_sc", "buffalo_m", "buffalo_l", "antelopev2"))]
    assert [" PACK", "*dlib", *pulled] == marked(good(cli("models", "list", cwd=site.folder)))
    assert "--accept-license" in refusal(cli("models", "import", shared / "models" / SCRFD))
    said = good(cli("models", "import", shared / "models" / SCRFD, "--accept-license"))
    assert "licence: detector InsightFace SCRFD" in said
    installed = site.folder / "packs" / SCRFD
    assert {path.name for path in (shared / "models" / SCRFD).iterdir()} == {path.name for path in installed.iterdir()}
    assert [" PACK", f"*{SCRFD}", " dlib", *pulled] == marked(good(cli("models", "list")))
    info = good(cli("models", "info", SCRFD))
    assert "0.448 at FMR 0.0001" in info
    assert "not free for every use" in info
    assert "not free" not in good(cli("models", "info", "dlib"))
    assert {f"good  {SCRFD}", "good  dlib"} == set(good(cli("models", "verify")).splitlines())
    assert "is installed already" in refusal(cli("models", "import", installed, "--accept-license"))
    assert "there is no pack `none`" in refusal(cli("models", "info", "none"))


def test_what_could_be_pulled_is_told(cli: Cli, tmp_path: Path) -> None:
    """Where it comes from, under which licence, and that nobody has measured a threshold."""
    info = good(cli("models", "info", "opencv-zoo", cwd=tmp_path))
    for said in (
        "folder      not installed",
        "threshold   never measured at a stated FMR",
        "its authors name 0.363: where it is right most often on LFW",
        "licence     detector MIT, recogniser Apache-2.0",
        "download    https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/",
        "38696353 bytes",
    ):
        assert said in info
    info = good(cli("models", "info", "antelopev2"))
    assert "non-commercial research only" in info
    assert "not free for every use" in info
    assert [] == list(tmp_path.iterdir())


def test_liveness_packs_are_listed_apart(site: Site, cli: Cli, shared: Path) -> None:
    """They compare no faces: `auto` passes over them, and none is taken for a face pack."""
    config = site.configure(faces={"models_dir": "packs", "pack": "auto"})
    said = good(cli("models", "import", shared / "models/minifasnet", cwd=site.folder))
    assert f"minifasnet installed in {site.folder / 'packs/minifasnet'}; licence: Apache-2.0\n" == said
    assert [" PACK", "*dlib", " LIVENESS", " minifasnet", " TO"] == marked(good(cli("models", "list")))[:5]
    assert {"good  minifasnet", "good  dlib"} == set(good(cli("models", "verify")).splitlines())
    assert "minifasnet  (liveness, engine minifasnet)" in good(cli("models", "info", "minifasnet"))
    assert "dlib" == catalogue.choose("auto", config.faces.models_dir).name
    for setting in ("minifasnet", str(site.folder / "packs/minifasnet")):
        with pytest.raises(EdgeGateError, match="pack minifasnet is one for liveness, and compares no faces"):
            catalogue.choose(setting, config.faces.models_dir)
    for setting in ("minifasnet", str(site.folder / "packs/minifasnet")):
        live = catalogue.choose_liveness(setting, config.faces.models_dir)
        assert [1_744_263, 1_743_545] == [len(live.read(part.file)) for part in live.manifest.models]
    for setting, says in (
        ("none", r"there is no liveness pack `none` in .*packs; choose another \(minifasnet\)"),
        (str(shared / "models" / SCRFD), f"pack {SCRFD} compares faces, and is none for liveness"),
    ):
        with pytest.raises(EdgeGateError, match=says):
            catalogue.choose_liveness(setting, config.faces.models_dir)
    (model, *_) = (site.folder / "packs/minifasnet").glob("*.onnx")
    model.write_bytes(b"")
    assert f"BAD   {model}: is not the file" in cli("models", "verify")[1]


def test_kinds_of_manifest(tmp_path: Path) -> None:
    """Said, or seen from what is listed; a kind that nobody knows is said in one line."""
    model = {"file": "a.onnx", "sha256": "0" * 64}
    face = {
        "name": "a",
        "engine": "dlib",
        "detector": model,
        "recogniser": model | {"dimensions": 128},
        "thresholds": {},
    }
    live = {"name": "a", "engine": "minifasnet", "models": [model]}
    for raw, kind in ((face, Pack), (live, LivenessPack), (face | {"models": [model]}, Pack)):
        assert kind is type(parse_any(yaml.safe_dump(raw).encode(), tmp_path / MANIFEST))
        stated = "liveness" if kind is LivenessPack else "face"
        assert kind is type(parse_any(yaml.safe_dump(raw | {"kind": stated}).encode(), tmp_path / MANIFEST))
    kinds = (face | {"kind": "liveness"}, live | {"kind": "face"}, face | {"kind": "voice"}, face | {"kind": None})
    for text in (*map(yaml.safe_dump, kinds), "[]", "1"):
        with pytest.raises(EdgeGateError, match="is no pack manifest"):
            parse_any(text.encode(), tmp_path / MANIFEST)


def unmeasured(folder: Path, models_dir: Path, **changes: object) -> None:
    """A pack without thresholds, free to use, and so the one `auto` would like best."""
    shutil.copytree(folder, models_dir / "opencv-zoo", copy_function=shutil.copyfile)
    path = models_dir / "opencv-zoo" / MANIFEST
    path.parent.chmod(0o755)
    raw = yaml.safe_load(path.read_text()) | {
        "name": "opencv-zoo",
        "thresholds": {},
        "licence": {"distributable": True},
    }
    path.write_text(yaml.safe_dump(raw | changes))


def test_a_pack_without_a_threshold_is_not_taken(
    site: Site, cli: Cli, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`auto` passes over it and says so; by name it is refused, its authors' figure named as what it is."""
    config = site.configure(faces={"models_dir": "packs", "pack": "auto"})
    figure = {"threshold": 0.363, "stands_for": "right most often on some list"}
    unmeasured(shared / "models" / OPENCV, site.folder / "packs", authors=figure)
    assert "dlib" == catalogue.choose("auto", config.faces.models_dir).name
    assert [
        "faces: pack opencv-zoo is passed over: it has no threshold yet; see `edgegate calibrate`"
    ] == caplog.messages
    assert [" PACK", " opencv-zoo", "*dlib"] == marked(good(cli("models", "list", cwd=site.folder)))[:3]
    assert "its authors name 0.363: right most often on some list" in good(cli("models", "info", "opencv-zoo"))
    image = shared / "faces/people/joe_biden/1.jpg"
    line = refusal(cli("verify", image, image, "--pack", "opencv-zoo"))
    assert "pack opencv-zoo has no threshold measured at a false match rate" in line
    assert "; its authors' 0.363 is right most often on some list; measure one with `edgegate calibrate" in line
    chosen = catalogue.choose("auto", config.faces.models_dir, lambda pack: True)
    assert "opencv-zoo" == chosen.name
    calibrated = chosen.with_thresholds({1e-4: 0.5}, "our own pupils")
    assert (chosen.id, 0.5, "our own pupils") == (
        calibrated.id,
        calibrated.threshold(1e-4),
        calibrated.manifest.measured_on,
    )


def test_a_pack_calibrated_here_is_told(site: Site, cli: Cli, shared: Path) -> None:
    """The list marks it as what `auto` takes then, `info` gives the thresholds that the gate uses, and one that
    somebody has altered is named by both, and by `verify`."""
    config = site.configure(faces={"models_dir": "packs", "pack": "auto"})
    unmeasured(shared / "models" / OPENCV, site.folder / "packs")
    pack = catalogue.choose("opencv-zoo", config.faces.models_dir)
    device_key.make(config.gate.device_key)
    signer = device_key.load(config.gate.device_key)
    path = record.place(pack, config.faces.models_dir)
    record.write(calibration(replace(report([3] * 30), pack=pack), signer.name), path, signer)
    listing = good(cli("models", "list", cwd=site.folder))
    assert [" PACK", "*opencv-zoo", " dlib"] == marked(listing)[:3]
    assert "calibrated" in listing.splitlines()[1]
    info = good(cli("models", "info", "opencv-zoo"))
    assert " at FMR 0.01 per presentation, measured on: thin air: 90 pictures of 30 people, calibrated " in info
    assert f"signed by device {signer.name}" in info
    assert "never measured" not in info
    assert "good  opencv-zoo, and its calibration" in good(cli("models", "verify")).splitlines()
    path.write_bytes(path.read_bytes().replace(b"thin air", b"thick air"))
    assert "! " + str(path) in good(cli("models", "info", "opencv-zoo"))
    listing = good(cli("models", "list"))
    assert "refused" in listing.splitlines()[1]
    assert f"! {path}: was not signed by this device, or was altered since" in listing
    code, out, _ = cli("models", "verify")
    assert (1, True) == (code, f"BAD   {path}: was not signed by this device" in out)
    assert f"not ready to run yet: faces.pack: {path}: was not signed by this device" in good(cli("check"))


def test_a_pack_that_rots_is_found(site: Site, cli: Cli, shared: Path) -> None:
    """One changed byte in an installed model: `models verify` says which file, and no face is compared with it."""
    site.configure(faces={"models_dir": "packs", "pack": "auto"})
    good(cli("models", "import", shared / "models" / SCRFD / "pack.yaml", "--accept-license", cwd=site.folder))
    model = site.folder / "packs" / SCRFD / "mobileface_v2.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    code, out, err = cli("models", "verify")
    assert (1, "") == (code, err)
    assert f"BAD   {model}: is not the file that the manifest of pack {SCRFD} names (SHA-256 differs)" in out
    (site.folder / "packs" / "worse").mkdir()
    (site.folder / "packs" / "worse" / "pack.yaml").write_text("name: [")
    assert 2 == cli("models", "verify")[1].count("BAD")
    assert "! " in good(cli("models", "list"))
    image = shared / "faces/people/joe_biden/1.jpg"
    assert str(model) in refusal(cli("verify", image, image, "--pack", "scrfd-mobileface"))
    assert "worse/pack.yaml: is no pack manifest" in refusal(cli("verify", image, image))


@pytest.mark.parametrize("kind", ["tampered", "truncated", "outside", "engine", "missing", "no manifest", "no folder"])
def test_a_bad_pack_is_not_imported(site: Site, cli: Cli, shared: Path, kind: str) -> None:
    """Whole and as its manifest says, or not at all."""
    site.configure(faces={"models_dir": "packs"})
    source = site.folder / "source"
    shutil.copytree(shared / "models" / SCRFD, source, copy_function=shutil.copyfile)
    source.chmod(0o755)
    manifest = yaml.safe_load((source / "pack.yaml").read_text())
    detector = source / manifest["detector"]["file"]
    data = detector.read_bytes()
    says = {
        "tampered": "SHA-256 differs",
        "truncated": "SHA-256 differs",
        "outside": "is no pack manifest (detector.file",
        "engine": "needs the engine `magic`",
        "missing": "model file cannot be read (No such file or directory)",
        "no manifest": "pack.yaml: does not exist; name a pack's folder",
        "no folder": "source: does not exist; name a pack's folder, or an exported file",
    }[kind]
    if kind == "tampered":
        detector.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif kind == "truncated":
        detector.write_bytes(data[:-100])
    elif kind == "missing":
        detector.unlink()
    elif kind == "no manifest":
        (source / "pack.yaml").unlink()
    elif kind == "no folder":
        shutil.rmtree(source)
    else:
        if kind == "outside":
            shutil.move(detector, site.folder / detector.name)
            manifest["detector"]["file"] = f"../{detector.name}"
        else:
            manifest["engine"] = "magic"
        (source / "pack.yaml").write_text(yaml.safe_dump(manifest))
    assert says in refusal(cli("models", "import", "source", "--accept-license", cwd=site.folder))
    packs = site.folder / "packs"
    assert not packs.exists() or [] == list(packs.iterdir())


def test_verify_tells_the_same_person_from_another(cli: Cli, photos: Path, tmp_path: Path) -> None:
    """With the embedded pack and no configuration at all: 0 match, 1 no match, 2 cannot tell."""
    anna, other, ben = (photos / f"{name}.png" for name in ("anna1", "anna3", "ben1"))
    assert re.fullmatch(
        r"match: score 0\.\d{3}, threshold 0\.523 \(FMR 0\.0001, pack dlib\)\n",
        good(cli("verify", anna, other, cwd=tmp_path)),
    )
    code, out, err = cli("verify", anna, ben, "--json", "--pack", "dlib")
    told = json.loads(out)
    assert (1, "", False, 0.523, 1e-4) == (code, err, told["match"], told["threshold"], told["target_fmr"])
    assert {"score", "threshold", "target_fmr", "match", "pack"} == set(told)
    assert told["score"] < told["threshold"]
    for second, says in ((photos / "hall.png", "no face is found"), (photos / "both.png", "shows several faces")):
        assert f"edgegate: {second}: {says}" in refusal(cli("verify", anna, second))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("pack", [SCRFD, OPENCV])
def test_verify_on_photographs(cli: Cli, shared: Path, tmp_path: Path, pack: str) -> None:
    """With real weights on real photographs: the same person matches, another does not."""
    people = shared / "faces/people"
    chosen = ("--pack", shared / "models" / pack)
    pairs = [
        (0, "barack_obama/1.jpg", "barack_obama/3.jpg"),
        (0, "alex_lacamoire/2.jpg", "alex_lacamoire/3.jpg"),
        (1, "barack_obama/1.jpg", "joe_biden/1.jpg"),
    ]
    for expected, first, second in pairs:
        code, out, err = cli("verify", people / first, people / second, *chosen, "--json", cwd=tmp_path)
        told = json.loads(out)
        assert (expected, "", expected == 0, pack) == (code, err, told["match"], told["pack"])
        assert (told["score"] >= told["threshold"]) is told["match"]
    quality = shared / "faces/quality"
    for name, says in (("no_face.jpg", "no face is found"), ("two_people.jpg", "shows several faces")):
        assert says in refusal(cli("verify", people / "joe_biden/1.jpg", quality / name, *chosen))
