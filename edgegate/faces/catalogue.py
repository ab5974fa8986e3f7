"""Which packs are installed, and which one the gate uses."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.pack import MANIFEST, Pack, load, parse
from edgegate.files import exists

ENGINES = ("insightface", "dlib")
"""Engines that an installed pack may ask for; the fake one serves the pack `fake` of this package alone."""
AUTO = "auto"
RANKING = ("antelopev2", "buffalo_l", "buffalo_m", "opencv-zoo", "buffalo_sc")
"""Best first, by published accuracy (docs/decisions.md); packs not named here come after, by name."""


def embedded() -> Pack:
    """The pack `dlib`, whose weights come with the dependencies. Raises ModelsMissing where they are not."""
    # The package itself is not imported: it needs pkg_resources, which new setuptools no longer have.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise ModelsMissing(
            "the embedded pack `dlib` is not installed",
            where="face_recognition_models",
            next="`pip install face_recognition_models dlib-bin`, or import a pack with `edgegate models import`",
        )
    manifest = Path(__file__).with_name("dlib.pack.yaml")
    return replace(parse(manifest.read_bytes(), manifest), folder=Path(spec.origin).parent / "models")


def installed(models_dir: Path) -> tuple[list[Pack], list[EdgeGateError]]:
    """Packs in `models_dir`, best first, licence-clean before the others; and what is wrong with the rest."""
    packs, problems = [], []
    folders = (
        sorted(path for path in models_dir.glob("*") if (path / MANIFEST).is_file()) if models_dir.is_dir() else []
    )
    for folder in folders:
        try:
            packs.append(load(folder))
        except EdgeGateError as error:
            problems.append(error)
    packs.sort(key=lambda pack: (not pack.manifest.licence.distributable, _rank(pack.name), pack.name))
    return packs, problems


def choose(setting: str, models_dir: Path) -> Pack:
    """The pack for `faces.pack`: `auto`, a name, or a directory.

    Raises ModelsMissing when `auto` finds nothing at all, EdgeGateError when what is named does not exist, or
    when `auto` meets a folder whose manifest cannot be read.
    """
    if "/" in setting:
        return usable(load(Path(setting)))
    packs, problems = installed(models_dir)
    if setting == AUTO:
        if problems:
            # It may have been the best one: going on with a weaker pack is not for the daemon to decide.
            raise problems[0]
        best = next((pack for pack in packs if pack.manifest.engine in ENGINES), None)
        return best or embedded()
    if setting == "dlib":
        return embedded()
    if setting == FAKE_PACK.name:
        return FAKE_PACK
    for pack in packs:
        if setting in (pack.name, pack.folder.name):
            return usable(pack)
    known = ", ".join(["auto", "dlib", *(pack.name for pack in packs)])
    raise EdgeGateError(
        f"there is no pack `{setting}` in {models_dir}", where="faces.pack", next=f"choose one of {known}; or import it"
    )


def usable(pack: Pack) -> Pack:
    """The pack, if this version has its engine."""
    if pack.manifest.engine not in ENGINES:
        raise EdgeGateError(
            f"pack {pack.name} needs the engine `{pack.manifest.engine}`, which this version has not",
            where=str(pack.folder),
            next="choose a pack of the engine insightface or dlib",
        )
    return pack


def import_pack(source: Path, models_dir: Path) -> Pack:
    """Copy a pack's folder into `models_dir`, whole or not at all, after its hashes were checked."""
    pack = usable(load(source.parent if source.name == MANIFEST else source))
    pack.verify()
    target = models_dir / pack.name
    if exists(target):
        raise EdgeGateError("is installed already", where=str(target), next="move it away to import it again")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models_dir, prefix=".import-") as folder:
            part = Path(folder) / pack.name
            part.mkdir()
            for path in (pack.folder / MANIFEST, pack.detector, pack.recogniser):
                shutil.copyfile(path, part / path.name)
            copy = load(part)
            copy.verify()
            part.rename(target)
    except OSError as error:
        raise EdgeGateError(
            f"the pack cannot be copied ({error.strerror})", where=str(models_dir), next="check permissions and space"
        ) from None
    return replace(copy, folder=target)


def _rank(name: str) -> int:
    return RANKING.index(name) if name in RANKING else len(RANKING)
