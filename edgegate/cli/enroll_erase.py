"""`edgegate enroll revoke` and `enroll erase`: a badge is refused from now on, or a person forgotten."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from functools import partial

from edgegate import enrolment, erasure
from edgegate.adapters import open_book, open_vault
from edgegate.cli.common import configuration, given, last_day
from edgegate.cli.receipts import Office, look_first
from edgegate.config import Config
from edgegate.errors import EdgeGateError
from edgegate.forgetting import state_folders
from edgegate.model import Status
from edgegate.sessions import look

QUESTIONS = (
    "Every template, consent and badge in this vault will be forgotten. Go on?",
    "No badge will pass any more, and nothing brings them back. Really?",
)


def run_revoke(args: argparse.Namespace) -> int:
    return _one(args, "revoke", "badge revoked", "revoked, its template is gone")


def run_erase(args: argparse.Namespace) -> int:
    if args.yes and not args.everything:
        raise EdgeGateError("nothing is asked here", where="--yes", next="leave this option out")
    if args.everything:
        return _everything(args)
    return _all_expired(args) if args.all_expired else _one(args, "erase", "badge erased", "erased")


def _one(args: argparse.Namespace, action: str, what: str, done: str) -> int:
    config = configuration(args)
    office = Office(args, config)
    who = given(args.who)
    look_first(config, f"enroll {action}")
    with closing(open_vault(config)) as vault:
        standing = enrolment.find(who, vault, open_book(config))
        change = partial(getattr(vault, action), standing.handle)
        result = erasure.forget(change, state_folders(config), compact=vault.compact)
    handle = standing.handle.hex()[:12]
    if not result.erased.rows:
        print(f"badge {handle} was {what.rpartition(' ')[2]} before")
        return 0
    until = f"; it is refused until {last_day(standing.badge_expires)}" if standing.badge_expires else ""
    reason = "erased" if standing.status is Status.VOLUNTEER else ""
    said = f"badge {handle} {done}{until}"
    return office.finish(result, what, said=said, reason=reason, handle=standing.handle)


def _all_expired(args: argparse.Namespace) -> int:
    config = configuration(args)
    office, now = Office(args, config), int(time.time())
    look(config, "enroll erase --all-expired")
    with closing(open_vault(config)) as vault:
        result = erasure.forget(partial(vault.purge, now), state_folders(config), compact=vault.compact)
    if not result.erased.rows:
        print("nothing is past its date")
        return 0
    rows, lapsed = result.erased.rows, result.erased.consents
    said = f"{rows} badges or their consents were past their date: {lapsed} templates and consents are gone"
    return office.finish(result, "all that was past its date", said=said, reason="lapsed", times=lapsed)


def _everything(args: argparse.Namespace) -> int:
    config = configuration(args)
    office = Office(args, config)
    _ask(args.yes)
    look(config, "enroll erase --everything")
    return _forget_all(config, office)


def _forget_all(config: Config, office: Office) -> int:
    with closing(open_vault(config)) as vault:
        result = erasure.forget(vault.erase_all, state_folders(config), compact=vault.compact)
    if not result.erased.rows:
        print("the vault is empty")
        return 0
    volunteers = result.erased.consents
    said = f"{result.erased.rows} badges erased, {volunteers} of volunteers; their cards are unknown to this gate"
    return office.finish(result, "every badge erased", said=said, reason="erased", times=volunteers)


def _ask(answered: int) -> None:
    """Raises EdgeGateError unless both questions are answered."""
    for question in QUESTIONS[answered:]:
        if sys.stdin is None or not sys.stdin.isatty():
            raise EdgeGateError("nobody can answer here", where="--everything", next="give --yes --yes")
        try:
            answer = input(f"{question} [y/N] ").strip().lower()
        except (EOFError, UnicodeError):
            answer = ""
        if answer not in ("y", "yes", "o", "oui"):
            raise EdgeGateError("nothing was erased", where="--everything", next="answer y twice")
