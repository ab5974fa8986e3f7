"""`models` and `verify`: packs are imported whole or not at all, and two photographs are compared."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.commands import Cli, good, refusal
from tests.conftest import Site

SCRFD = "scrfd-mobileface"


def test_packs_are_imported_listed_and_verified(site: Site, cli: Cli, shared: Path) -> None:
    """Before, `dlib` is what `auto` takes; afterwards the imported pack, with its licence; twice is refused."""
    site.configure(faces={"models_dir": "packs"})
    assert ["* dlib"] == [line[:6] for line in good(cli("models", "list", cwd=site.folder)).splitlines()[1:]]
    assert "licence: detector InsightFace SCRFD" in good(cli("models", "import", shared / "models" / SCRFD))
    installed = site.folder / "packs" / SCRFD
    assert {path.name for path in (shared / "models" / SCRFD).iterdir()} == {path.name for path in installed.iterdir()}
    lines = good(cli("models", "list")).splitlines()[1:]
    assert [f"* {SCRFD}", "  dlib"] == [line[:2] + line[2:].split()[0] for line in lines]
    info = good(cli("models", "info", SCRFD))
    assert "0.448 at FMR 0.0001" in info
    assert "not free for every use" in info
    assert "not free" not in good(cli("models", "info", "dlib"))
    assert {f"good  {SCRFD}", "good  dlib"} == set(good(cli("models", "verify")).splitlines())
    assert "is installed already" in refusal(cli("models", "import", shared / "models" / SCRFD))
    assert "there is no pack `none`" in refusal(cli("models", "info", "none"))


def test_a_pack_that_rots_is_found(site: Site, cli: Cli, shared: Path) -> None:
    """One changed byte in an installed model: `models verify` says which file, and no face is compared with it."""
    site.configure(faces={"models_dir": "packs", "pack": "auto"})
    good(cli("models", "import", shared / "models" / SCRFD / "pack.yaml", cwd=site.folder))
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
        "no manifest": "pack.yaml: does not exist",
        "no folder": "pack.yaml: does not exist",
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
    assert says in refusal(cli("models", "import", "source", cwd=site.folder))
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


def test_verify_on_photographs(cli: Cli, shared: Path, tmp_path: Path) -> None:
    """With SCRFD and MobileFaceNet on real photographs: the same person matches, another does not."""
    people = shared / "faces/people"
    pairs = [
        (0, "barack_obama/1.jpg", "barack_obama/3.jpg"),
        (0, "alex_lacamoire/1.png", "alex_lacamoire/3.jpg"),
        (1, "barack_obama/1.jpg", "joe_biden/1.jpg"),
    ]
    for expected, first, second in pairs:
        pack = ("--pack", shared / "models" / SCRFD)
        code, out, err = cli("verify", people / first, people / second, *pack, "--json", cwd=tmp_path)
        told = json.loads(out)
        assert (expected, "", expected == 0, SCRFD) == (code, err, told["match"], told["pack"])
        assert (told["score"] >= told["threshold"]) is told["match"]
    quality = shared / "faces/quality"
    for name, says in (("no_face.jpg", "no face is found"), ("two_people.jpg", "shows several faces")):
        assert says in refusal(cli("verify", people / "joe_biden/1.jpg", quality / name, *pack))
