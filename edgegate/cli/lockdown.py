"""`edgegate lockdown`: nobody passes without the supervisor, until it is lifted; kept over restarts."""

from __future__ import annotations

import argparse
from contextlib import closing

from edgegate.adapters import open_vault
from edgegate.cli.common import config_option, configuration
from edgegate.sessions import look


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("lockdown", help="refuse everybody until lifted; the running gate follows at once")
    config_option(parser)
    parser.add_argument("action", choices=("on", "off", "status"), help="start it, lift it, or ask")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    look(config, f"lockdown {args.action}", must=False)  # a full disk must not keep anybody from closing the gate
    with closing(open_vault(config, create=True)) as vault:
        if args.action != "status":
            vault.set_locked(args.action == "on")
        print("lockdown" if vault.locked() else "no lockdown")
    return 0
