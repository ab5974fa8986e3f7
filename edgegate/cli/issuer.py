"""`edgegate issuer init`: the key pair that signs badges, the site secret, and the device's own key."""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

from edgegate import device_key
from edgegate.badges.issuer import create, private_path
from edgegate.cli.common import config_option, configuration, passphrase, passphrase_option
from edgegate.errors import EdgeGateError
from edgegate.files import exists
from edgegate.vault import secret


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("issuer", help="who may issue badges")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make the issuer's key pair, the site secret and the device's key")
    config_option(init)
    init.add_argument("--name", help="who issues, written on every badge (default: the gate's name)")
    init.add_argument("--no-passphrase", action="store_true", help="leave the private key unprotected")
    passphrase_option(init)
    init.set_defaults(run=run_init)


def run_init(args: argparse.Namespace) -> int:
    config = configuration(args)
    public = config.badges.issuers[0]
    word = None if args.no_passphrase else passphrase(args, confirm=True)
    site_secret, own = config.vault.site_secret, config.gate.device_key
    files = {
        "badges.issuers": {public, private_path(public)},
        "vault.site_secret": {site_secret},
        "gate.device_key": {own, device_key.public_path(own)},
    }
    for (one, its), (other, theirs) in combinations(files.items(), 2):
        if its & theirs:
            raise EdgeGateError(
                "two keys would be one file",
                where=str(min(its & theirs)),
                next=f"give {one} or {other} another name",
            )
    undo: list[Path] = []
    try:
        kept = exists(site_secret) or exists(secret.sealed(site_secret))
        if not kept:
            secret.create(site_secret)
            undo.append(site_secret)
        missing = [path for path in (own, device_key.public_path(own)) if not exists(path)]
        undo += missing
        device_key.make(own)
        kid = create(public, args.name or config.gate.name, word)
    except BaseException:
        for path in undo:
            path.unlink(missing_ok=True)
        raise
    print(f"issuer {kid}: public key {public}, private key {private_path(public)}")
    print(f"site secret{' kept' if kept else ''}: {site_secret}")
    name = device_key.load_public(own).name
    print(f"device {name}{'' if missing else ' kept'}: public key {device_key.public_path(own)}")
    print("Gates need the public key and the site secret only; keep the private key in the office, and a copy of both.")
    return 0
