"""Which packs are installed, and which one the gate uses."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.pack import MANIFEST, AnyPack, LivenessPack, Pack, load, load_any, only_face, only_liveness, parse

log = logging.getLogger(__name__)

ENGINES = ("insightface", "opencv", "dlib")
"""Engines that an installed face pack may ask for; the fake one serves the pack `fake` of this package alone."""
AUTO = "auto"
EMBEDDED = "dlib"
RANKING = ("antelopev2", "buffalo_l", "buffalo_m", "opencv-zoo", "buffalo_sc")
"""Best first, by published accuracy (docs/decisions.md); packs not named here come after, by name."""


@dataclass(slots=True)
class Shelf:
    """What lies in a folder of packs."""

    faces: list[Pack] = field(default_factory=list)
    """Best first, licence-clean before the others."""
    liveness: list[LivenessPack] = field(default_factory=list)
    problems: list[EdgeGateError] = field(default_factory=list)
    """What is wrong with the rest; one of them may have been the best face pack."""

    @property
    def packs(self) -> list[AnyPack]:
        """Those of both kinds."""
        return [*self.faces, *self.liveness]

    def named(self, name: str) -> AnyPack | None:
        """The pack of that name, or in the folder of that name."""
        return next((pack for pack in self.packs if name in (pack.name, pack.folder.name)), None)


def embedded() -> Pack:
    """The pack `dlib`, whose weights come with the dependencies. Raises ModelsMissing where they are not."""
    # The package itself is not imported: it needs pkg_resources, which new setuptools no longer have.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise ModelsMissing(
            "the embedded pack `dlib` is not installed",
            where="face_recognition_models",
            next="`pip install face_recognition_models dlib-bin`, or get a pack with `edgegate models pull`",
        )
    manifest = Path(__file__).with_name("dlib.pack.yaml")
    return replace(parse(manifest.read_bytes(), manifest), folder=Path(spec.origin).parent / "models")


def on_shelf(models_dir: Path) -> Shelf:
    """The packs in `models_dir`. What begins with a dot is not whole yet."""
    shelf = Shelf()
    folders = sorted(models_dir.glob("[!.]*")) if models_dir.is_dir() else []
    for folder in folders:
        if not (folder / MANIFEST).is_file():
            continue
        try:
            pack = load_any(folder)
        except EdgeGateError as error:
            shelf.problems.append(error)
            continue
        if isinstance(pack, LivenessPack):
            shelf.liveness.append(pack)
        else:
            shelf.faces.append(pack)
    shelf.faces.sort(key=lambda pack: (not pack.manifest.licence.distributable, _rank(pack.name), pack.name))
    return shelf


def choose(setting: str, models_dir: Path, measured: Callable[[Pack], bool] = lambda pack: pack.measured) -> Pack:
    """The face pack for `faces.pack`: `auto`, a name, or a directory.

    `measured` says whether there is a threshold for a pack, its own or one measured here. `auto` passes over a pack
    without one, and says so: it has never served, and stopping a gate because somebody has fetched a pack to measure
    it would be worse.

    Raises ModelsMissing when `auto` finds nothing at all, EdgeGateError when what is named does not exist, or
    when `auto` meets a folder whose manifest cannot be read.
    """
    if "/" in setting:
        return _usable(load(Path(setting)))
    shelf = on_shelf(models_dir)
    if setting == AUTO:
        if shelf.problems:
            # It may have been the best one: going on with a weaker pack is not for the daemon to decide.
            raise shelf.problems[0]
        for pack in shelf.faces:
            if pack.manifest.engine in ENGINES and not measured(pack):
                log.warning(
                    "faces: pack %s is passed over: it has no threshold yet; see `edgegate calibrate`", pack.name
                )
        return best(shelf, measured)
    if setting == EMBEDDED:
        return embedded()
    if setting == FAKE_PACK.name:
        return FAKE_PACK
    named = shelf.named(setting)
    if named is not None:
        return _usable(only_face(named))
    known = ", ".join([AUTO, EMBEDDED, *(pack.name for pack in shelf.faces)])
    raise EdgeGateError(
        f"there is no pack `{setting}` in {models_dir}",
        where="faces.pack",
        next=f"choose one of {known}; or get it with `edgegate models pull` or `import`",
    )


def choose_liveness(setting: str, models_dir: Path) -> LivenessPack:
    """The liveness pack of a name, or in a directory. Raises EdgeGateError when there is none, or it is of another
    kind."""
    if "/" in setting:
        return only_liveness(load_any(Path(setting)))
    shelf = on_shelf(models_dir)
    named = shelf.named(setting)
    if named is not None:
        return only_liveness(named)
    known = ", ".join(pack.name for pack in shelf.liveness) or "none is installed"
    raise EdgeGateError(
        f"there is no liveness pack `{setting}` in {models_dir}", next=f"choose another ({known}); or import it"
    )


def best(shelf: Shelf, measured: Callable[[Pack], bool] = lambda pack: pack.measured) -> Pack:
    """What `auto` takes: the best pack that this version runs and that has a threshold, else the embedded one."""
    return (
        next((pack for pack in shelf.faces if pack.manifest.engine in ENGINES and measured(pack)), None) or embedded()
    )


def check_engine(pack: AnyPack) -> None:
    """Raises EdgeGateError when this version lacks a face pack's engine; what liveness packs need is not known here."""
    if isinstance(pack, Pack) and pack.manifest.engine not in ENGINES:
        raise EdgeGateError(
            f"pack {pack.name} needs the engine `{pack.manifest.engine}`, which this version has not",
            where=str(pack.folder),
            next=f"choose a pack of the engine {', '.join(ENGINES[:-1])} or {ENGINES[-1]}",
        )


def _usable(pack: Pack) -> Pack:
    check_engine(pack)
    return pack


def _rank(name: str) -> int:
    return RANKING.index(name) if name in RANKING else len(RANKING)
