"""`edgegate clock`: does the gate believe this machine's clock, and the word of somebody who looked."""

from __future__ import annotations

import argparse
import time
from datetime import datetime

from edgegate import BUILT
from edgegate.adapters import open_journal
from edgegate.cli.common import config_option, configuration
from edgegate.clock import RealClock
from edgegate.sessions import look, user
from edgegate.stores import CLOCK_ACCEPTED, Entry
from edgegate.trusted_clock import TrustedClock


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("clock", help="whether the gate believes this machine's clock")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text in (
        ("status", "compare the clock with what the journal knows"),
        ("accept", "vouch for the clock as it is now; the journal keeps it"),
    ):
        action = actions.add_parser(name, help=text)
        config_option(action)
        action.set_defaults(run=run, action=name)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    if args.action == "status":
        look(config, "clock status", must=False)
    now = time.time()
    journal = open_journal(config)
    try:
        if args.action == "accept":
            journal.append(Entry(int(now), CLOCK_ACCEPTED, detail=user()))
        trusted = not TrustedClock(RealClock(), journal.known_time, BUILT).faults(0.0)
    finally:
        journal.close()
    shown = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    print(f"the clock says {shown}; the gate {'believes' if trusted else 'does not believe'} it")
    return 0 if trusted else 1
