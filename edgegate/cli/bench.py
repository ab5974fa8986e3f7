"""`edgegate bench`: what the gate's work costs on this machine."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from edgegate import bench
from edgegate.cli.common import config_option, json_option
from edgegate.errors import EdgeGateError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bench", help="measure this machine, on simulated pictures")
    config_option(parser)
    parser.add_argument("--pack", default="dlib", help="face pack: auto, a name or a directory (default dlib)")
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="repetitions of each work (default 50)")
    parser.add_argument("--badges", type=int, default=1000, metavar="N", help="entries in the vault (default 1000)")
    json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    for option, value, most in (("--rounds", args.rounds, 10_000), ("--badges", args.badges, 1_000_000)):
        if not 1 <= value <= most:
            raise EdgeGateError(f"{value} is out of range", where=option, next=f"give 1 to {most}")
    logging.getLogger().setLevel(logging.ERROR)
    pack = str(Path(args.pack).resolve()) if "/" in args.pack else args.pack
    report = bench.run(pack, args.rounds, args.badges)
    if args.json:
        print(json.dumps(report.as_dict()))
        return 0
    table = Table(box=box.SIMPLE, title=f"{report.machine}; pack {report.pack}; milliseconds", title_justify="left")
    for title in ("work", "median", "p95", "p99", "trials"):
        table.add_column(title, justify="left" if title == "work" else "right")
    for figure in report.figures:
        table.add_row(
            figure.work, *(f"{value:.2f}" for value in (figure.median, figure.p95, figure.p99)), str(figure.trials)
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"badge to decision takes {report.decision_ratio:.2f} times the models alone (p95)")
    return 0
