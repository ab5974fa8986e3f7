"""`edgegate journal`: read, verify and export the record."""

from __future__ import annotations

import argparse
import csv
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TextIO

from edgegate.adapters import open_journal
from edgegate.cli.common import config_option, configuration
from edgegate.errors import EdgeGateError
from edgegate.ports import Journal

COLUMNS = ("seq", "time", "gate", "kind", "presentation", "decision", "reason", "detail", "pseudonym", "latency_ms")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("journal", help="the record of decisions")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    tail = actions.add_parser("tail", help="the last entries")
    config_option(tail)
    tail.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many (default 20)")
    tail.set_defaults(run=run_tail)
    verify = actions.add_parser("verify", help="check the whole chain")
    config_option(verify)
    verify.set_defaults(run=run_verify)
    export = actions.add_parser("export", help="all entries, with the daily pseudonyms")
    config_option(export)
    export.add_argument("--csv", required=True, metavar="FILE", help="where to; - for standard output")
    export.set_defaults(run=run_export)


def run_tail(args: argparse.Namespace) -> int:
    with closing(open_journal(configuration(args))) as journal:
        for row in journal.rows(min(max(0, args.n), sys.maxsize)):
            what = f"{row.decision or row.kind}/{row.reason}" if row.reason else row.kind
            detail = f" ({row.detail})" if row.detail else ""
            number = f"#{row.presentation}" if row.presentation else ""
            print(f"{row.seq:>6}  {_time(row.at)}  {row.gate}  {number:<5} {what}{detail}  {row.pseudonym}")
    return 0


def run_verify(args: argparse.Namespace) -> int:
    config = configuration(args)
    with closing(open_journal(config)) as journal:
        try:
            count = journal.verify()
        except EdgeGateError as error:
            print(error)
            return 1
    print(f"{config.journal.path}: {count} rows, the chain holds")
    return 0


def run_export(args: argparse.Namespace) -> int:
    with closing(open_journal(configuration(args))) as journal:
        if args.csv == "-":
            _write(journal, sys.stdout)
            return 0
        try:
            with Path(args.csv).open("x", newline="", encoding="utf-8") as stream:
                _write(journal, stream)
        except OSError as error:
            raise EdgeGateError(
                f"cannot be written ({error.strerror})", where=args.csv, next="name a new file in a folder of yours"
            ) from None
    return 0


def _write(journal: Journal, stream: TextIO) -> None:
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in journal.rows():
        writer.writerow([_time(row.at) if name == "time" else getattr(row, name) for name in COLUMNS])


def _time(at: int) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
