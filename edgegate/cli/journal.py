"""`edgegate journal`: read, verify and export the record. Whoever does is in it."""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from edgegate.adapters import open_journal
from edgegate.cli.common import config_option, configuration, json_option
from edgegate.config import Config
from edgegate.errors import EdgeGateError
from edgegate.journal.store import SqliteJournal
from edgegate.sessions import look
from edgegate.stores import SESSION, Head, HourCount, Row

COLUMNS = ("seq", "time", "gate", "kind", "presentation", "decision", "reason", "detail", "pseudonym", "latency_ms")
HOUR_COLUMNS = ("hour", "decision", "reason", "up_to_ms", "count")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("journal", help="the record of decisions, and of who looked")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    tail = _action(actions, "tail", run_tail, "the last entries")
    tail.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many (default 20)")
    verify = _action(actions, "verify", run_verify, "check the whole chain")
    verify.add_argument("--head", metavar="SEQ:HASH", help="what `journal head` said earlier: is it in this chain?")
    json_option(_action(actions, "head", run_head, "its last row in one line, to keep elsewhere"))
    export = _action(actions, "export", run_export, "all entries, with the daily pseudonyms")
    export.add_argument("--csv", required=True, metavar="FILE", help="where to; - for standard output")
    hours = _action(
        actions, "hours", run_hours, "how many decisions in each hour, and how long they took: kept for good"
    )
    form = hours.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="as a table; - for standard output")
    form.add_argument("--json", action="store_true", help="print JSON")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text)
    config_option(action)
    action.set_defaults(run=run)
    return action


def run_tail(args: argparse.Namespace) -> int:
    with closing(_open(configuration(args), "tail")) as journal:
        for row in journal.rows(min(max(0, args.n), sys.maxsize)):
            number = f"#{row.presentation}" if row.presentation else ""
            line = f"{row.seq:>6}  {_time(row.at)}  {row.gate}  {number:<5} {_what(row)}  {row.pseudonym}"
            print("".join(char if char.isprintable() else "?" for char in line).rstrip())
    return 0


def run_verify(args: argparse.Namespace) -> int:
    config, head = configuration(args), _head(args.head) if args.head is not None else None
    with closing(_open(config, "verify", must=False)) as journal:
        try:
            count = journal.verify(head)
        except EdgeGateError as error:
            print(error)
            return 1
        begin = journal.start()
    print(f"{config.journal.path}: {count} rows, the chain holds")
    if head is not None:
        print(f"row {head.seq} is the one whose head was noted")
    if begin.seq:
        by = f"signed by device {begin.device}" if begin.signature else "not signed: this device has no key"
        print(f"it begins after row {begin.seq}, the last that was purged: {by}")
    if begin.unsigned:
        print(f"there was no key yet when rows up to {begin.unsigned} were purged: nobody signed that")
    return 0


def run_head(args: argparse.Namespace) -> int:
    config = configuration(args)
    with closing(_open(config, "head")) as journal:
        head, begin = journal.head(), journal.start()
    if not args.json:
        print(head)
        return 0
    said = {
        "head": str(head),
        "seq": head.seq,
        "hash": head.hash.hex(),
        "gate": config.gate.name,
        "journal": str(config.journal.path),
        "first": begin.seq + 1,
        "purged_before": _utc(begin.before) if begin.before else None,
        "signed_by": begin.device or None,
        "unsigned_up_to": begin.unsigned,
    }
    print(json.dumps(said, ensure_ascii=False))
    return 0


def run_export(args: argparse.Namespace) -> int:
    with closing(_open(configuration(args), "export")) as journal:
        rows = ([_time(row.at) if name == "time" else getattr(row, name) for name in COLUMNS] for row in journal.rows())
        _write(args.csv, COLUMNS, rows)
    return 0


def run_hours(args: argparse.Namespace) -> int:
    with closing(_open(configuration(args), "hours")) as journal:
        if args.csv is not None:
            rows = ([_utc(one.hour), one.decision, one.reason, one.up_to_ms, one.count] for one in journal.hourly())
            _write(args.csv, HOUR_COLUMNS, rows)
        elif args.json:
            print(json.dumps([_hour(one) for one in journal.hourly()]))
        else:
            _print_hours(journal.hourly())
    return 0


def _open(config: Config, action: str, *, must: bool = True) -> SqliteJournal:
    """The journal, with this look in it. Reading makes none where there is none."""
    journal = open_journal(config)
    try:
        look(config, f"journal {action}", must=must)
    except BaseException:
        journal.close()
        raise
    return journal


def _what(row: Row) -> str:
    if row.kind == SESSION:
        return f"looked: {row.detail} with `{row.reason}`"
    what = f"{row.decision or row.kind}/{row.reason}" if row.reason else row.kind
    return f"{what} ({row.detail})" if row.detail else what


def _head(text: str) -> Head:
    found = re.fullmatch(r"(\d{1,18}):([0-9a-fA-F]{64})", text.strip(), re.ASCII)
    if found is None:
        raise EdgeGateError(
            "is not a head", where="--head", next="give the whole line that `edgegate journal head` printed: SEQ:HASH"
        )
    return Head(int(found[1]), bytes.fromhex(found[2]))


def _print_hours(counts: Iterable[HourCount]) -> None:
    """A line for each hour and reason: how many, and the bucket of latency in which the middle one lies."""
    found: dict[tuple[int, str], list[HourCount]] = {}
    for one in counts:
        found.setdefault((one.hour, f"{one.decision}/{one.reason}"), []).append(one)
    for (hour, what), buckets in found.items():
        total = sum(one.count for one in buckets)
        below, middle = 0, math.inf
        for one in buckets:
            below += one.count
            if 2 * below >= total:
                middle = one.up_to_ms
                break
        took = f"half within {middle:g} ms" if middle < math.inf else "half longer than 5 s"
        print(f"{_utc(hour)}  {total:>6}  {what:<30} {took}")


def _hour(one: HourCount) -> dict[str, Any]:
    return {
        "hour": _utc(one.hour),
        "decision": one.decision,
        "reason": one.reason,
        "up_to_ms": one.up_to_ms if one.up_to_ms < math.inf else None,
        "count": one.count,
    }


def _write(name: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    if name == "-":
        _table(sys.stdout, columns, rows)
        return
    try:
        with Path(name).open("x", newline="", encoding="utf-8") as stream:
            _table(stream, columns, rows)
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=name, next="name a new file in a folder of yours"
        ) from None


def _table(stream: TextIO, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(rows)


def _time(at: int) -> str:
    """In this machine's time zone; a time that no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return str(at)


def _utc(at: int) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")
    except (ValueError, OverflowError, OSError):
        return str(at)
