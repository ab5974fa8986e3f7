"""`edgegate doctor`: what is wrong with this gate, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from contextlib import suppress

from edgegate.cli.common import config_option, json_option
from edgegate.config_file import find, load
from edgegate.doctor.machine import Machine
from edgegate.doctor.parts import parse_loopback
from edgegate.doctor.report import Result
from edgegate.doctor.visit import examine
from edgegate.errors import ConfigError
from edgegate.sessions import look


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("doctor", help="check machine, configuration and every part of this gate")
    config_option(parser)
    parser.add_argument(
        "--loopback", metavar="OUT:IN", help="also drive pin OUT and read pin IN, which a wire connects"
    )
    json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    lines, path = [], find(args.config)
    loopback = parse_loopback(args.loopback) if args.loopback else None
    with suppress(ConfigError):  # which the doctor tells in its own way
        look(load(path), "doctor", must=False)
    for line in examine(Machine(), path, loopback):
        lines.append(line)
        if not args.json:
            print(line, flush=True)
    counts = Counter(line.result for line in lines)
    if args.json:
        print(json.dumps([line.as_dict() for line in lines], ensure_ascii=False))
    else:
        print(", ".join(f"{counts[result]} {result.value}" for result in Result if counts[result]))
    code = 1 if counts[Result.FAIL] else 0
    if any(line.stuck for line in lines):
        # A thread stuck in a driver cannot be ended, and Python would wait for it to let go of what it holds.
        sys.stdout.flush()
        os._exit(code)
    return code
