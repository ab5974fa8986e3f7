"""`edgegate issuer init`: the key pair that signs badges, and the site secret."""

from __future__ import annotations

import argparse

from edgegate.badges.issuer import create, private_path
from edgegate.cli.common import config_option, configuration, passphrase, passphrase_option
from edgegate.errors import EdgeGateError
from edgegate.files import exists
from edgegate.vault import secret


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("issuer", help="who may issue badges")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make the issuer's key pair and the site secret")
    config_option(init)
    init.add_argument("--name", help="who issues, written on every badge (default: the gate's name)")
    init.add_argument("--no-passphrase", action="store_true", help="leave the private key unprotected")
    passphrase_option(init)
    init.set_defaults(run=run_init)


def run_init(args: argparse.Namespace) -> int:
    config = configuration(args)
    public = config.badges.issuers[0]
    word = None if args.no_passphrase else passphrase(args, confirm=True)
    site_secret = config.vault.site_secret
    if private_path(public) == site_secret:
        raise EdgeGateError(
            "the issuer's private key and the site secret would be one file",
            where=str(site_secret),
            next="give badges.issuers or vault.site_secret another name",
        )
    kept = exists(site_secret) or exists(secret.sealed(site_secret))
    if not kept:
        secret.create(site_secret)
    try:
        kid = create(public, args.name or config.gate.name, word)
    except BaseException:
        if not kept:
            site_secret.unlink(missing_ok=True)
        raise
    print(f"issuer {kid}: public key {public}, private key {private_path(public)}")
    print(f"site secret{' kept' if kept else ''}: {site_secret}")
    print("Gates need the public key and the site secret only; keep the private key in the office, and a copy of both.")
    return 0
