"""`edgegate check`: read the configuration exactly as the daemon does."""

from __future__ import annotations

import argparse

from edgegate.badges.issuer import load_public
from edgegate.cli.common import config_option, configuration
from edgegate.errors import EdgeGateError
from edgegate.vault import secret


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("check", help="check the configuration, all mistakes at once")
    config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    print(f"{config.file}: good. Gate {config.gate.name!r}, camera {config.camera.shown}, pins {config.signals.pins}.")
    # What `issuer init` makes may come later: say so, without calling the configuration wrong.
    for key, look in (
        ("badges.issuers", lambda: load_public(config.badges.issuers)),
        ("vault.site_secret", lambda: secret.load(config.vault.site_secret)),
    ):
        try:
            look()
        except EdgeGateError as error:
            print(f"not ready to run yet: {key}: {error}")
    return 0
