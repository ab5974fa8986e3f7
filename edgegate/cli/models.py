"""`edgegate models`: the packs installed on this device."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgegate.cli.common import config_option, configuration_or_defaults
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.faces import catalogue
from edgegate.faces.pack import Pack


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("models", help="face model packs")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text, run, argument in (
        ("list", "packs on this device, the one `auto` takes marked", run_list, ""),
        ("info", "what a pack is, and may be used for", run_info, "NAME"),
        ("import", "install a pack from a folder", run_import, "PATH"),
        ("verify", "check the hashes of all packs", run_verify, ""),
    ):
        action = actions.add_parser(name, help=text)
        config_option(action)
        if argument:
            action.add_argument("pack", metavar=argument)
        action.set_defaults(run=run)


def run_list(args: argparse.Namespace) -> int:
    models_dir = configuration_or_defaults(args).faces.models_dir
    packs, problems = _packs(models_dir)
    chosen = _auto(models_dir)
    print(f"  {'PACK':<22} {'ENGINE':<12} {'DIM':>4}  LICENCE")
    for pack in packs:
        manifest = pack.manifest
        mark = "*" if chosen is not None and pack.id == chosen.id else " "
        free = "free to use" if manifest.licence.distributable else "restricted, see `models info`"
        known = free if manifest.engine in catalogue.ENGINES else "not usable: this version lacks its engine"
        print(f"{mark} {manifest.name:<22} {manifest.engine:<12} {manifest.recogniser.dimensions:>4}  {known}")
    for problem in problems:
        print(f"! {problem}")
    return 0


def run_info(args: argparse.Namespace) -> int:
    models_dir = configuration_or_defaults(args).faces.models_dir
    packs, _ = _packs(models_dir)
    pack = next((pack for pack in packs if args.pack in (pack.name, pack.folder.name)), None)
    pack = pack or catalogue.choose(args.pack, models_dir)
    manifest = pack.manifest
    print(f"{manifest.name}  (engine {manifest.engine}, id {pack.id})")
    print(f"folder      {pack.folder}")
    for title, part in (("detector", manifest.detector), ("recogniser", manifest.recogniser)):
        print(f"{title:<11} {part.file}  sha256 {part.sha256}")
    print(f"template    {manifest.recogniser.dimensions} numbers, {manifest.recogniser.metric}")
    for fmr, threshold in sorted(manifest.thresholds.items()):
        print(f"threshold   {threshold:.3f} at FMR {fmr:g} per comparison, measured on: {manifest.measured_on}")
    licence = manifest.licence
    print(f"licence     detector: {licence.detector}; recogniser: {licence.recogniser}")
    if not licence.distributable:
        print("            not free for every use: read it before you install this pack at a gate")
    return 0


def run_import(args: argparse.Namespace) -> int:
    pack = catalogue.import_pack(Path(args.pack), configuration_or_defaults(args).faces.models_dir)
    licence = pack.manifest.licence
    print(
        f"{pack.name} installed in {pack.folder}; licence: detector {licence.detector}, recogniser {licence.recogniser}"
    )
    return 0


def run_verify(args: argparse.Namespace) -> int:
    packs, problems = _packs(configuration_or_defaults(args).faces.models_dir)
    for pack in packs:
        try:
            pack.verify()
            print(f"good  {pack.name}")
        except EdgeGateError as error:
            problems.append(error)
    for problem in problems:
        print(f"BAD   {problem}")
    return 1 if problems else 0


def _packs(models_dir: Path) -> tuple[list[Pack], list[EdgeGateError]]:
    packs, problems = catalogue.installed(models_dir)
    try:
        packs.append(catalogue.embedded())
    except ModelsMissing as error:
        problems.append(error)
    return packs, problems


def _auto(models_dir: Path) -> Pack | None:
    try:
        return catalogue.choose(catalogue.AUTO, models_dir)
    except EdgeGateError:
        return None
