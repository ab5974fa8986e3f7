"""`edgegate models`: the packs installed on this device, and those that can be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from edgegate.adapters import find_calibration
from edgegate.calibration import record
from edgegate.calibration.record import Calibration
from edgegate.cli.common import config_option, configuration_or_defaults
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces import catalogue
from edgegate.faces.carry import export_pack, import_pack
from edgegate.faces.manifest import Manifest
from edgegate.faces.offers import offers
from edgegate.faces.pack import AnyPack, Pack
from edgegate.faces.pull import TellFile, offered, pull


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("models", help="face model packs")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    made = {}
    for name, text, run, argument in (
        ("list", "packs on this device, the one `auto` takes marked, and those that can be downloaded", run_list, ""),
        ("info", "what a pack is, and may be used for", run_info, "NAME"),
        ("pull", "download a pack of the catalogue and install it", run_pull, "NAME"),
        ("export", "write an installed pack to one file, for a stick", run_export, "NAME"),
        ("import", "install a pack from a folder or an exported file", run_import, "PATH"),
        ("verify", "check the hashes of all packs, and who signed their calibrations", run_verify, ""),
    ):
        made[name] = action = actions.add_parser(name, help=text)
        config_option(action)
        if argument:
            action.add_argument("pack", metavar=argument, help="its name" if argument == "NAME" else "where it is")
        action.set_defaults(run=run)
    made["export"].add_argument("file", metavar="FILE", type=Path, help="the file to write, or a folder to write it to")
    made["pull"].add_argument("--url", metavar="BASE", help="take the same files from this address instead")
    for name in ("pull", "import"):
        made[name].add_argument(
            "--accept-license", action="store_true", help="the licence, which is not free for every use, allows yours"
        )


def run_list(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    shelf = _shelf(config.faces.models_dir)
    chosen = _auto(shelf, config.faces.models_dir)
    _row("PACK", "ENGINE", "DIM", "THRESHOLD", "LICENCE")
    for pack in shelf.faces:
        known = pack.manifest.engine in catalogue.ENGINES
        licence = _licence(pack) if known else "not usable: this version lacks its engine"
        columns = _columns(pack.manifest)
        try:
            if find_calibration(config, pack) is not None:
                columns = (*columns[:3], "calibrated")
        except EdgeGateError as error:
            columns = (*columns[:3], "refused")
            shelf.problems.append(error)
        _row(*columns, licence, mark="*" if chosen is not None and pack.id == chosen.id else " ")
    if shelf.liveness:
        _row("\nLIVENESS", "ENGINE", "", "", "LICENCE")
    for live in shelf.liveness:
        _row(live.name, live.manifest.engine, "", "", _licence(live))
    others = [offer for offer in offers() if shelf.named(offer.name) is None]
    if others:
        _row("\nTO BE PULLED", "ENGINE", "DIM", "THRESHOLD", "LICENCE")
    for offer in others:
        licence = _licence(Pack(offer.manifest, Path()))
        _row(*_columns(offer.manifest), f"{licence}; {offer.bytes / 1e6:.0f} MB to download")
    for problem in shelf.problems:
        print(f"! {problem}")
    return 0


def run_info(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    models_dir = config.faces.models_dir
    pack = _shelf(models_dir).named(args.pack)
    if pack is None and args.pack in {offer.name for offer in offers()}:
        offer = offered(args.pack)
        _tell(Pack(offer.manifest, models_dir / offer.name), "not installed")
        for download in offer.downloads:
            print(f"download    {download.url}  {download.bytes} bytes")
        print(f"terms       {offer.terms}")
        return 0
    pack = pack or catalogue.choose(args.pack, models_dir)
    try:
        own = find_calibration(config, pack) if isinstance(pack, Pack) else None
    except EdgeGateError as error:
        _tell(pack, str(pack.folder))
        print(f"! {error}")
        return 0
    _tell(pack, str(pack.folder), own)
    return 0


def run_pull(args: argparse.Namespace) -> int:
    offer = offered(args.pack)
    models_dir = configuration_or_defaults(args).faces.models_dir
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            pack = pull(offer, models_dir, accepted=args.accept_license, base=args.url, tell=_teller(progress))
    except KeyboardInterrupt:
        print("edgegate: stopped; run it again to go on from here", file=sys.stderr)
        raise
    _say_installed(pack)
    return 0


def run_export(args: argparse.Namespace) -> int:
    models_dir = configuration_or_defaults(args).faces.models_dir
    pack = catalogue.on_shelf(models_dir).named(args.pack)
    if pack is None:
        raise EdgeGateError(
            f"there is no pack `{args.pack}` in {models_dir}", next="see `edgegate models list`; `dlib` needs no export"
        )
    file = export_pack(pack, args.file)
    print(f"{pack.name} written to {file} and read back; licence: {pack.manifest.terms}")
    return 0


def run_import(args: argparse.Namespace) -> int:
    models_dir = configuration_or_defaults(args).faces.models_dir
    _say_installed(import_pack(Path(args.pack), models_dir, accepted=args.accept_license))
    return 0


def run_verify(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    shelf = _shelf(config.faces.models_dir)
    for pack in shelf.packs:
        try:
            pack.verify()
            own = find_calibration(config, pack) if isinstance(pack, Pack) else None
            print(f"good  {pack.name}{', and its calibration' if own is not None else ''}")
        except EdgeGateError as error:
            shelf.problems.append(error)
    for problem in shelf.problems:
        print(f"BAD   {problem}")
    return 1 if shelf.problems else 0


def _tell(pack: AnyPack, where: str, own: Calibration | None = None) -> None:
    manifest = pack.manifest
    number = f", id {pack.id}" if isinstance(pack, Pack) else ""
    print(f"{pack.name}  ({manifest.kind}, engine {manifest.engine}{number})")
    print(f"folder      {where}")
    for part in manifest.files:
        print(f"file        {part.file}  sha256 {part.sha256}")
    if isinstance(manifest, Manifest):
        print(f"template    {manifest.recogniser.dimensions} numbers, {manifest.recogniser.metric}")
        thresholds, per, measured_on = manifest.thresholds, "comparison", manifest.measured_on
        if own is not None:
            thresholds, per, measured_on = own.thresholds, "presentation", own.measured_on
        for fmr, threshold in sorted(thresholds.items()):
            print(f"threshold   {threshold:.3f} at FMR {fmr:g} per {per}, measured on: {measured_on}")
        if own is not None:
            print(f"            signed by device {own.device}; the gate uses these, not those of the pack's makers")
        if not thresholds:
            print("threshold   never measured at a stated FMR; `run` does not take it before `edgegate calibrate` has")
        if manifest.authors is not None:
            print(f"            its authors name {manifest.authors.threshold:g}: {manifest.authors.stands_for}")
    print(f"licence     {manifest.terms}")
    if not manifest.licence.distributable:
        print("            not free for every use: read it before you install this pack at a gate")


def _say_installed(pack: AnyPack) -> None:
    print(f"{pack.name} installed in {pack.folder}; licence: {pack.manifest.terms}")
    if isinstance(pack, Pack) and not pack.measured:
        print("it has no threshold yet: `run` does not take it before `edgegate calibrate` has measured one")


def _row(name: str, engine: str, dimensions: str, threshold: str, licence: str, *, mark: str = " ") -> None:
    gap = "\n" if name.startswith("\n") else ""
    print(f"{gap}{mark} {name.strip():<22} {engine:<12} {dimensions:>4}  {threshold:<12}  {licence}")


def _columns(manifest: Manifest) -> tuple[str, str, str, str]:
    measured = "measured" if manifest.thresholds else "not measured"
    return manifest.name, manifest.engine, str(manifest.recogniser.dimensions), measured


def _licence(pack: AnyPack) -> str:
    return "free to use" if pack.manifest.licence.distributable else "restricted, see `models info`"


def _teller(progress: Progress) -> TellFile:
    tasks: dict[str, TaskID] = {}

    def tell(file: str, size: int, have: int) -> None:
        if file not in tasks:
            tasks[file] = progress.add_task(file, total=size)
        progress.update(tasks[file], completed=have)

    return tell


def _shelf(models_dir: Path) -> catalogue.Shelf:
    """What is installed, the embedded pack with it."""
    shelf = catalogue.on_shelf(models_dir)
    try:
        shelf.faces.append(catalogue.embedded())
    except ModelsMissing as error:
        shelf.problems.append(error)
    return shelf


def _auto(shelf: catalogue.Shelf, models_dir: Path) -> Pack | None:
    try:
        return None if shelf.problems else catalogue.best(shelf, lambda pack: record.measured(pack, models_dir))
    except ModelsMissing:
        return None
