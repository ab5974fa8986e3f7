"""`edgegate wiring`: draw what is connected where."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgegate.cli.common import config_option, configuration
from edgegate.errors import EdgeGateError
from edgegate.wiring import sheet


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("wiring", help="draw the wiring of the configured pins")
    config_option(parser)
    parser.add_argument("--out", required=True, metavar="FILE.svg", help="where to; - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    picture = sheet.draw(configuration(args))
    if args.out == "-":
        sys.stdout.write(picture)
        return 0
    path = Path(args.out)
    if path.suffix != ".svg":
        # A picture may be drawn again over the last one; nothing else may be lost to a slip of the keyboard.
        raise EdgeGateError("is no name of an SVG picture", where=args.out, next="name a file that ends in .svg")
    try:
        path.write_text(picture, "utf-8")
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=args.out, next="name a file in a folder of yours"
        ) from None
    print(f"{path}: drawn")
    return 0
