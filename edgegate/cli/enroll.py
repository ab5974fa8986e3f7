"""`edgegate enroll`: volunteers and diary badges, in the office. Each action is in a module of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgegate.cli import enroll_add, enroll_erase, enroll_list, enroll_renew
from edgegate.cli.common import WHO, config_option, json_option
from edgegate.cli.enroll_options import badge_options, consent_options
from edgegate.cli.receipts import receipt_option


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("enroll", help="enrol, renew, list, revoke, erase")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add(actions.add_parser("add", help="issue a badge to a volunteer, or a diary badge"))
    _renew(actions.add_parser("renew", help="a new badge for an old one in hand, which is revoked"))

    lister = actions.add_parser("list", help="what the vault holds")
    config_option(lister)
    lister.add_argument("--expiring", action="store_true", help="only consents that end within 30 days, and how many")
    json_option(lister)
    lister.set_defaults(run=enroll_list.run)

    revoke = actions.add_parser("revoke", help="refuse a badge from now on (lost or stolen)")
    config_option(revoke)
    revoke.add_argument("who", metavar="WHO", help=WHO)
    receipt_option(revoke)
    revoke.set_defaults(run=enroll_erase.run_revoke)

    erase = actions.add_parser("erase", help="forget a person; the badge is refused until it expires")
    config_option(erase)
    whom = erase.add_mutually_exclusive_group(required=True)
    whom.add_argument("who", metavar="WHO", nargs="?", help=WHO)
    whom.add_argument("--all-expired", action="store_true", help="all that is past its date, as the gate does it")
    whom.add_argument("--everything", action="store_true", help="every badge there is; asks twice")
    erase.add_argument("--yes", action="count", default=0, help="answer one question; --everything has two")
    receipt_option(erase)
    erase.set_defaults(run=enroll_erase.run_erase)


def _add(new: argparse.ArgumentParser) -> None:
    config_option(new)
    kind = new.add_mutually_exclusive_group(required=True)
    kind.add_argument("--volunteer", action="store_true", help="with a face: needs a photograph and a consent")
    kind.add_argument("--diary", action="store_true", help="without: no photograph, no consent")
    face = new.add_mutually_exclusive_group()
    face.add_argument("--photo", type=Path, nargs="+", metavar="FILE", help="photographs of this one person")
    face.add_argument("--camera", action="store_true", help="take them with the gate's camera")
    consent_options(new)
    badge = new.add_mutually_exclusive_group(required=True)
    badge_options(new, badge)
    badge.add_argument("--plain", metavar="NUMBER", help="a card that is there already (weaker); - reads one line")
    json_option(new)
    new.set_defaults(run=enroll_add.run)


def _renew(renew: argparse.ArgumentParser) -> None:
    config_option(renew)
    renew.add_argument("old", metavar="BADGE", help="the old badge: its text or picture; - reads one line")
    consent_options(renew)
    badge_options(renew, renew)
    receipt_option(renew)
    json_option(renew)
    renew.set_defaults(run=enroll_renew.run)
