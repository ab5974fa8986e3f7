"""`edgegate calibrate`: how often a pack errs on labelled pictures, and the thresholds that follow."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgegate import device_key, logs
from edgegate.adapters import open_engine
from edgegate.calibration import record, report, wording
from edgegate.calibration.embed import MAX_JOBS, default_jobs
from edgegate.calibration.evaluate import LOOKS, NothingToCompare, Report, Request, evaluate
from edgegate.calibration.keeping import calibration
from edgegate.calibration.page import html
from edgegate.calibration.problems import Problem, Unusable, printable
from edgegate.cli.common import config_option, configuration_or_defaults
from edgegate.errors import EdgeGateError
from edgegate.faces import catalogue
from edgegate.faces.pack import Pack
from edgegate.files import exists, write_private
from edgegate.stores import Signer

MAX_LOOKS = 50


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="measure a pack's errors and thresholds on labelled pictures",
        description="Reads one folder of pictures for each person, or a list of pairs. Nothing of a picture is kept.",
    )
    config_option(parser)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="a folder with one folder for each person")
    parser.add_argument(
        "--pairs", type=Path, metavar="FILE", help="compare these only: CSV file_x,file_y,same; or LFW's pairs.txt"
    )
    parser.add_argument("--groups", type=Path, metavar="CSV", help="also by group: CSV identity,group")
    parser.add_argument("--pack", help="instead of the configuration's faces.pack: auto, a name or a directory")
    parser.add_argument(
        "--looks", type=int, default=LOOKS, metavar="N", help=f"looks of a presentation, at most (default {LOOKS})"
    )
    parser.add_argument("--describe", metavar="TEXT", help="what the pictures are (default: their folder's name)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one for each core)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="also write a page with the DET plot")
    parser.add_argument("--save", action="store_true", help="keep it beside the pack, signed; the gate then uses it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration_or_defaults(args)
    jobs = default_jobs() if args.jobs is None else args.jobs
    for option, value, least, most in (("--jobs", jobs, 1, MAX_JOBS), ("--looks", args.looks, 2, MAX_LOOKS)):
        if not least <= value <= most:
            raise EdgeGateError(f"{value} is out of range", where=option, next=f"give {least} to {most}")
    logs.hush_libraries()
    pack = catalogue.choose(args.pack or config.faces.pack, config.faces.models_dir)
    kept = record.place(pack, config.faces.models_dir)
    # What would fail after an hour of work is tried before.
    signer = _signer(config.gate.device_key, kept) if args.save else None
    if args.html is not None and exists(args.html):
        raise EdgeGateError("exists already", where=str(args.html), next="name another file")
    request = Request(
        images=args.images,
        pairs=args.pairs,
        groups=args.groups,
        operating=config.faces.target_fmr,
        looks=args.looks,
        jobs=jobs,
        data=printable(args.describe or args.images.resolve().name),
    )
    try:
        found = _evaluate(request, pack)
    except (NothingToCompare, Unusable) as error:
        _tell(error.problems)
        raise
    _tell(found.problems)
    if args.json:
        print(json.dumps(report.as_dict(found), allow_nan=False))
    else:
        print(*report.text(found), sep="\n")
    if args.html is not None:
        write_private(args.html, html(found).encode())
        print(f"{args.html} holds the page")
    return _save(found, kept, signer) if signer is not None else 0


def _evaluate(request: Request, pack: Pack) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("loading", total=None)

        def watch(done: int, of: int) -> None:
            # The comparisons follow in one go: what is left to wait for has no count.
            bar.update(task, description="embedding" if done < of else "comparing", completed=done, total=of)

        return evaluate(request, pack, partial(open_engine, threads=1), watch)


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)


def _signer(path: Path, kept: Path) -> Signer:
    signer = device_key.load(path)
    folder = next(each for each in kept.absolute().parents if exists(each))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EdgeGateError("nothing can be written there", where=str(folder), next="run as the pack's owner")
    return signer


def _save(found: Report, path: Path, signer: Signer) -> int:
    """Kept only where the gate could use it: with a threshold for the rate it is set to."""
    threshold, words = wording.gate_threshold(found.figures)
    if threshold is None:
        print(f"edgegate: not saved: {words}; use more people, or another faces.target_fmr", file=sys.stderr)
        return 1
    record.write(calibration(found, signer.name), path, signer)
    print(f"saved in {path}, signed by device {signer.name}; the gate uses it from its next start", file=sys.stderr)
    return 0
