"""`edgegate dpia`: the factual annex of a data protection impact assessment, for the school and its DPO."""

from __future__ import annotations

import argparse
import time

from edgegate.cli.common import config_option, configuration
from edgegate.cli.prove import write
from edgegate.doctor.machine import Machine
from edgegate.dpia.document import fill
from edgegate.dpia.facts import gather
from edgegate.dpia.write import html, markdown
from edgegate.errors import EdgeGateError
from edgegate.prove.scene import Scene
from edgegate.sessions import look
from edgegate.words import LANGUAGES


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("dpia", help="the factual annex of an impact assessment, from what this gate does")
    config_option(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="as a page; - for standard output")
    form.add_argument("--out", metavar="FILE", help="as Markdown (default: to standard output)")
    parser.add_argument("--language", choices=LANGUAGES, help="of the text (default: gate.language)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    look(config, "dpia")
    language = args.language or config.gate.language
    try:
        document = fill(language, gather(Scene(config, Machine(), time.time()), language))
    except PermissionError as error:
        raise EdgeGateError("cannot be read", where=str(error.filename), next="run this as root") from None
    write(args.html or args.out or "-", html(document) if args.html else markdown(document))
    return 0
