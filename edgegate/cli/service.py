"""`edgegate service`: install the gate as a service of this machine, upgrade it, look at it, remove it."""

from __future__ import annotations

import argparse

from edgegate.deploy import command


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("service", help="install, upgrade, look at or remove the service")
    command.options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    return command.run(args)
