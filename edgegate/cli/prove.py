"""`edgegate prove`: claims about this gate, what became of each, and how to check it without EdgeGate."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from edgegate import device_key
from edgegate.cli.common import config_option, configuration
from edgegate.config import Config
from edgegate.doctor.machine import Machine
from edgegate.errors import EdgeGateError
from edgegate.prove import hunt, present
from edgegate.prove.report import Report, Result
from edgegate.prove.scene import Scene
from edgegate.prove.visit import examine
from edgegate.prove.words import Sentences
from edgegate.sessions import look
from edgegate.words import LANGUAGES


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("prove", help="what can be checked on this gate, with commands to check it by hand")
    config_option(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--html", metavar="FILE", help="write a page, signed by the device's key; - for standard output")
    parser.add_argument("--language", choices=LANGUAGES, help="of the sentences (default: gate.language)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    look(config, "prove", must=False)
    words = Sentences(args.language or config.gate.language)
    machine = Machine()
    temporary = tuple(machine.path(place) for place in hunt.TEMPORARY)
    report = examine(Scene(config, machine, time.time(), hunt.homes(), temporary))
    if args.json:
        print(json.dumps(present.as_dict(report, words), ensure_ascii=False))
    elif args.html is not None:
        write(args.html, _page(report, words, config))
        if args.html != "-":
            print(present.summary(report, words))
    else:
        for line in present.lines_of_text(report, words):
            print(line)
    return 1 if report.count(Result.FAILS) else 0


def _page(report: Report, words: Sentences, config: Config) -> str:
    try:
        return present.as_page(report, words, device_key.load(config.gate.device_key))
    except EdgeGateError as error:
        return present.as_page(report, words, None, str(error))


def write(name: str, text: str) -> None:
    """To a new file, or to standard output (`-`)."""
    if name == "-":
        sys.stdout.write(text)
        return
    try:
        with Path(name).open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=name, next="name a new file in a folder of yours"
        ) from None
