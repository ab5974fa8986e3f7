"""`edgegate consent`: withdraw it, at the office or at the gate, and show all that is held about a badge."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from functools import partial

from edgegate import enrolment, erasure
from edgegate.adapters import open_book, open_vault
from edgegate.cli.common import WHO, config_option, configuration, given, json_option, last_day
from edgegate.cli.consent_sheet import as_json, as_text
from edgegate.cli.receipts import Office, look_first, receipt_option
from edgegate.config import Config
from edgegate.doctor.visit import alone
from edgegate.errors import EdgeGateError
from edgegate.forgetting import state_folders
from edgegate.model import Status, TemplateForm
from edgegate.sessions import look
from edgegate.state import Rules

OWN_COPY = (
    "The badge still carries its own copy of the template, sealed under the site secret: destroy the badge, and every "
    "picture of it. Until then this protects it: no gate of this site opens a template whose badge is a diary badge, "
    "and without the site secret nobody can. `enroll renew` makes a diary badge that carries nothing."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("consent", help="withdraw a consent, show what is held about a badge")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    withdraw = actions.add_parser("withdraw", help="erase the template; the badge goes on as a diary badge")
    config_option(withdraw)
    whom = withdraw.add_mutually_exclusive_group(required=True)
    whom.add_argument("who", metavar="WHO", nargs="?", help=WHO)
    whom.add_argument("--at-gate", action="store_true", help="the next volunteer's badge shown there within a minute")
    receipt_option(withdraw)
    withdraw.set_defaults(run=run_withdraw)

    show = actions.add_parser("show", help="all that is held about one badge, for the person it is about")
    config_option(show)
    show.add_argument("who", metavar="WHO", help=WHO)
    json_option(show)
    show.set_defaults(run=run_show)


def run_withdraw(args: argparse.Namespace) -> int:
    config = configuration(args)
    if args.at_gate:
        return _at_gate(args, config)
    office, who = Office(args, config), given(args.who)
    look_first(config, "consent withdraw")
    with closing(open_vault(config)) as vault:
        standing = enrolment.find(who, vault, open_book(config))
        change = partial(vault.withdraw, standing.handle)
        result = erasure.forget(change, state_folders(config), compact=vault.compact)
    handle = standing.handle.hex()[:12]
    until = f" until {last_day(standing.badge_expires)}" if standing.badge_expires else ""
    if not result.erased.rows:
        print(f"badge {handle} is a diary badge{until}: there is neither template nor consent")
        return 0
    said = f"consent withdrawn, template erased; badge {handle} goes on as a diary badge{until}"
    if standing.template is TemplateForm.ON_BADGE:
        said += f"\n{OWN_COPY}"
    reason = "withdrawn" if standing.status is Status.VOLUNTEER else ""
    return office.finish(result, "consent withdrawn", said=said, reason=reason, handle=standing.handle)


def _at_gate(args: argparse.Namespace, config: Config) -> int:
    if args.receipt is not None:
        raise EdgeGateError("the gate gives no receipt", where="--receipt", next="withdraw by WHO for one")
    with alone(config) as nobody:
        if nobody:
            raise EdgeGateError(
                "no gate is running here", where="--at-gate", next="start it, or withdraw by card number"
            )
    look_first(config, "consent withdraw --at-gate")
    with closing(open_vault(config)) as vault:
        vault.arm_withdrawal()
    rules = Rules()
    print(
        f"armed for {rules.armed_s:.0f} seconds: let the volunteer show the badge at the gate, then press the diary "
        f"button there within {rules.confirm_s:.0f} seconds; the acknowledge button changes nothing"
    )
    return 0


def run_show(args: argparse.Namespace) -> int:
    config = configuration(args)
    who = given(args.who)
    look(config, "consent show")
    with closing(open_vault(config)) as vault:
        standing = enrolment.find(who, vault, open_book(config))
        held = vault.held(standing.handle)
    if args.json:
        print(json.dumps(as_json(standing, held, config), ensure_ascii=False))
    else:
        print(as_text(standing, held, config))
    return 0
