"""`edgegate device`: the key by which this device signs, and by which others tell that it was this one."""

from __future__ import annotations

import argparse
import json

from edgegate import device_key
from edgegate.cli.common import config_option, configuration, json_option


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("device", help="the key by which this device signs receipts and reports")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="its public part, to keep where the receipts are kept")
    config_option(show)
    json_option(show)
    show.set_defaults(run=run_show)
    init = actions.add_parser("init", help="make it where it is missing; an existing one stays")
    config_option(init)
    init.set_defaults(run=run_init)


def run_show(args: argparse.Namespace) -> int:
    path = configuration(args).gate.device_key
    key, public = device_key.load_public(path), device_key.public_path(path)
    if args.json:
        print(json.dumps({"device": key.name, "public_key": str(public), "pem": key.pem}))
    else:
        print(f"device {key.name}: public key {public}")
        print(key.pem, end="")
    return 0


def run_init(args: argparse.Namespace) -> int:
    path = configuration(args).gate.device_key
    made = device_key.make(path)
    name = device_key.load_public(path).name
    print(f"device {name}: {'made' if made else 'there already'}, public key {device_key.public_path(path)}")
    return 0
