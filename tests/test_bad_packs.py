"""Broken and unknown packs of models: the gate does not start, and says why in one line."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from edgegate.errors import EdgeGateError
from edgegate.faces.catalogue import embedded
from edgegate.faces.pack import MANIFEST, load
from tests.bad_input import record, refused
from tests.commands import Cli, refusal
from tests.conftest import Site, blank

pytestmark = pytest.mark.usefixtures("same_signal_handlers")


def manifest(**changes: Any) -> str:
    """A manifest of a pack of the dlib engine, with changes; None leaves a key out."""
    part = {"file": "model.dat", "sha256": "0" * 64}
    raw = {
        "name": "mine",
        "engine": "dlib",
        "detector": part,
        "recogniser": part | {"dimensions": 128, "metric": "distance"},
        "thresholds": {1e-4: 0.5},
    } | changes
    return json.dumps({key: value for key, value in raw.items() if value is not None}).replace('"0.0001"', "1.0e-4")


PACKS = {
    "not yaml": ("name: [", "is no pack manifest (it is not YAML)"),
    "a list": ("- 1", "is no pack manifest (it holds no keys and values)"),
    "empty": ("", "is no pack manifest"),
    "no name": (manifest(name=None), "is no pack manifest (name"),
    "name leads out": (manifest(name="../mine"), "is no pack manifest (name"),
    "file leads out": (
        manifest(detector={"file": "../x", "sha256": "0" * 64}),
        "is no pack manifest (detector.file: must be the plain name of a file in the pack's own folder); ",
    ),
    "file is elsewhere": (
        manifest(detector={"file": "/x", "sha256": "0" * 64}),
        "is no pack manifest (detector.file: must be the plain name of a file in the pack's own folder); ",
    ),
    "a file too large": (
        manifest(detector={"file": "x", "sha256": "0" * 64, "bytes": 1 << 40}),
        "is no pack manifest (detector.bytes",
    ),
    "unknown kind": (manifest(kind="voice"), "is no pack manifest (kind"),
    "no hash": (manifest(detector={"file": "x", "sha256": "none"}), "is no pack manifest (detector.sha256"),
    "no thresholds": (manifest(thresholds=None), "is no pack manifest (thresholds"),
    "a threshold at no rate": (manifest(thresholds={0.0: 0.5}), "is no pack manifest (thresholds"),
    "a threshold that is no number": (manifest(thresholds={1e-4: "x"}), "is no pack manifest (thresholds"),
    "never measured": (manifest(thresholds={}), "has no threshold measured at a false match rate; measure one with"),
    "unknown engine": (manifest(engine="magic"), "needs the engine `magic`, which this version has not"),
    "not measured": (manifest(thresholds={0.5: 0.1}), "faces.target_fmr"),
    "model missing": (manifest(), "model file cannot be read (No such file or directory)"),
    "binary": ("\x00\x01\x02", "is no pack manifest"),
    "large": ("#" * 70_000, "is larger than"),
    "fake": (manifest(name="fake2", engine="fake", licence={"distributable": True}), "fake"),
}


@pytest.mark.parametrize("kind", PACKS)
def test_a_broken_pack_is_one_line(site: Site, cli: Cli, kind: str) -> None:
    """A folder named in faces.pack whose manifest or files do not do: the gate does not start."""
    text, says = PACKS[kind]
    (site.folder / "mine").mkdir()
    (site.folder / "mine" / MANIFEST).write_text(text)
    record(site, [blank()])
    site.configure(faces={"pack": "./mine"}, camera={"source": "frames:frames"})
    refused(site, cli, "run", "--until-end", says=says)
    says = "cannot be read" if kind in ("not measured", "never measured") else says
    refused(site, cli, "models", "import", "mine", "--accept-license", says=says)


def test_an_unknown_pack_is_one_line(site: Site, cli: Cli) -> None:
    """A name nobody installed, and a folder that is none: named, with what could be chosen."""
    record(site, [blank()])
    for pack, says in (
        ("buffalo_xl", "faces.pack: there is no pack `buffalo_xl` in"),
        ("./none", f"{site.folder / 'none' / MANIFEST}: does not exist"),
        ("./site.key", f"{site.folder / 'site.key' / MANIFEST}: cannot be read (Not a directory)"),
    ):
        site.configure(faces={"pack": pack}, camera={"source": "frames:frames"})
        refused(site, cli, "run", "--until-end", says=says)


def test_auto_does_not_pass_over_a_broken_pack(site: Site, cli: Cli) -> None:
    """The best pack's manifest rots: the gate does not go on with a weaker one in silence."""
    (site.folder / "models" / "best").mkdir(parents=True)
    (site.folder / "models" / "best" / MANIFEST).write_text("name: [")
    record(site, [blank()])
    site.configure(faces={"pack": "auto"}, camera={"source": "frames:frames"})
    refused(site, cli, "run", "--until-end", says="is no pack manifest (it is not YAML)")


def test_auto_does_not_stop_for_liveness(site: Site, cli: Cli) -> None:
    """A pack of another kind, however bad its files are, is none that `auto` could mean."""
    (site.folder / "models" / "live").mkdir(parents=True)
    model = {"file": "model.onnx", "sha256": "0" * 64}
    raw = {"name": "live", "engine": "minifasnet", "models": [model]}
    (site.folder / "models" / "live" / MANIFEST).write_text(json.dumps(raw))
    record(site, [blank()])
    site.configure(faces={"pack": "auto"}, camera={"source": "frames:frames"})
    assert 0 == cli("run", "--until-end", cwd=site.folder)[0]


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder"])
def test_a_model_that_is_no_file(site: Site, cli: Cli, kind: str) -> None:
    """It would be waited for, or hashed, for ever."""
    folder = site.folder / "mine"
    folder.mkdir()
    (folder / MANIFEST).write_text(manifest())
    match kind:
        case "a pipe":
            os.mkfifo(folder / "model.dat")
        case "a device":
            (folder / "model.dat").symlink_to("/dev/zero")
        case _:
            (folder / "model.dat").mkdir()
    record(site, [blank()])
    site.configure(faces={"pack": "./mine"}, camera={"source": "frames:frames"})
    with pytest.raises(EdgeGateError, match=r"mine/model\.dat: model file (is no file of at most|cannot be read)"):
        load(folder).verify()
    assert "model.dat: model file" in refusal(cli("run", "--until-end", cwd=site.folder))


def test_a_manifest_must_say_what_its_engine_does(site: Site, cli: Cli) -> None:
    """Thresholds of another metric, beside the real weights, are thresholds of nothing."""
    real = embedded()
    (site.folder / "mine").mkdir()
    for path in (real.detector, real.recogniser):
        (site.folder / "mine" / path.name).symlink_to(path)
    parts = {part: getattr(real.manifest, part).model_dump() for part in ("detector", "recogniser")}
    (site.folder / "mine" / MANIFEST).write_text(
        manifest(detector=parts["detector"], recogniser=parts["recogniser"] | {"metric": "cosine"})
    )
    record(site, [blank()])
    site.configure(faces={"pack": "./mine"}, camera={"source": "frames:frames"})
    refused(site, cli, "run", "--until-end", says="says 128 dimensions by cosine, its engine gives 128 by distance")
