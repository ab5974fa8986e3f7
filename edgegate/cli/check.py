"""`edgegate check`: read the configuration exactly as the daemon does."""

from __future__ import annotations

import argparse
from contextlib import suppress

from edgegate.adapters import choose_faces, find_calibration, load_liveness, too_few_pictures
from edgegate.badges.issuer import load_public
from edgegate.cli.common import config_option, configuration
from edgegate.config import Config
from edgegate.errors import EdgeGateError, ModelsMissing
from edgegate.vault import secret


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("check", help="check the configuration, all mistakes at once")
    config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    print(f"{config.file}: good. Gate {config.gate.name!r}, camera {config.camera.shown}, pins {config.signals.pins}.")
    # What `issuer init` makes, and packs, may come later: say so, without calling the configuration wrong.
    for key, look in (
        ("badges.issuers", lambda: load_public(config.badges.issuers)),
        ("vault.site_secret", lambda: secret.load(config.vault.site_secret)),
        ("faces.pack", lambda: _calibration(config)),
        ("faces.liveness", lambda: _liveness(config)),
    ):
        try:
            look()
        except EdgeGateError as error:
            print(f"not ready to run yet: {key}: {error}")
    if warning := too_few_pictures(config):
        print(f"liveness: {warning}")
    return 0


def _calibration(config: Config) -> None:
    """A calibration that was altered, or is of other models, stops the gate as well."""
    with suppress(ModelsMissing):  # the gate starts without faces
        find_calibration(config, choose_faces(config))


def _liveness(config: Config) -> None:
    """Load the pack that is asked for, as the gate would: without it, the gate does not start."""
    if config.faces.liveness == "off":
        return
    try:
        faces = choose_faces(config)
    except ModelsMissing:
        faces = None  # the gate starts without faces
    load_liveness(config, faces)
