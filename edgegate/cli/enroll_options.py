"""What `enroll add` and `enroll renew` share: where the badge goes, who agreed to what, and until when."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from edgegate.badges.draw import SIZE_MM
from edgegate.badges.issuer import Issuer, is_encrypted, load_private
from edgegate.cli.common import end_of_day, in_a_year, last_day, passphrase, passphrase_option, start_of_day
from edgegate.config import Config
from edgegate.enrolment import BadgeOut
from edgegate.errors import EdgeGateError
from edgegate.files import exists
from edgegate.model import Consent, TemplateForm

FORMS = (TemplateForm.BADGE_KEYED, TemplateForm.ON_BADGE)
BADGE = ("--badge-out", "--badge-format", "--size-mm", "--passphrase-file", "--template")
CONSENT = ("--consent-by", "--consent-version", "--consent-language", "--consent-given", "--consent-until")
MAX_VERSION = 64
STDOUT = Path("-")
DESTROY = "print it, note the number, destroy the file"


def badge_options(parser: argparse.ArgumentParser, badge: argparse._ActionsContainer) -> None:
    """`badge` is where the main one goes: into the parser, which then requires it, or into a group."""
    needed: dict[str, Any] = {"required": True} if badge is parser else {}
    text = "the badge to make, .png or .svg; - for standard output"
    badge.add_argument("--badge-out", type=Path, metavar="FILE", help=text, **needed)
    parser.add_argument("--badge-format", choices=("png", "svg"), help="with --badge-out -: which of them (png)")
    parser.add_argument("--size-mm", type=float, help=f"its width in print (default {SIZE_MM:g}, or what it needs)")
    parser.add_argument(
        "--template",
        choices=[form.value for form in FORMS],
        help="where the template is: in the vault, opened by the badge's key, or sealed on the badge itself",
    )
    passphrase_option(parser)


def consent_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--consent-by", choices=("student", "guardian", "both"), help="who agreed")
    parser.add_argument("--consent-version", metavar="TEXT", help="which text they agreed to")
    parser.add_argument("--consent-language", metavar="CODE", help="in which language, as fr (default gate.language)")
    parser.add_argument("--consent-given", metavar="DATE", help="when they agreed (default today)")
    parser.add_argument("--consent-until", metavar="DATE", help="last day of the consent (default that of the badge)")
    parser.add_argument("--expires", metavar="DATE", help="last day of the badge")


def was_given(args: argparse.Namespace, option: str) -> bool:
    value = getattr(args, option.removeprefix("--").replace("-", "_"))
    return value is not None and value is not False


def refuse(args: argparse.Namespace, options: Iterable[str], why: str) -> None:
    """Raises EdgeGateError when one of these options was given: it would be passed over in silence."""
    for option in options:
        if was_given(args, option):
            raise EdgeGateError(why, where=option, next="leave this option out")


def badge_out(args: argparse.Namespace) -> BadgeOut:
    """Where `--badge-out` says. Raises EdgeGateError for a file that is there, or a terminal."""
    if args.badge_out != STDOUT:
        if args.badge_format:
            raise EdgeGateError("the file's ending says it already", where="--badge-format", next="leave it out")
        if exists(args.badge_out):
            raise EdgeGateError(
                "exists already", where=str(args.badge_out), next="name another file: each badge is one key"
            )
        return BadgeOut.file(args.badge_out, args.size_mm)
    if sys.stdout is None or sys.stdout.isatty():
        raise EdgeGateError(
            "standard output is a terminal", where="--badge-out -", next="pipe it to a printer: … --badge-out - | lp"
        )
    # Unbuffered: what a broken pipe did not take must not be tried again, without words, when Python ends.
    pipe = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    return BadgeOut(pipe, f".{args.badge_format or 'png'}", args.size_mm)


def to_pipe(args: argparse.Namespace) -> bool:
    """Is standard output the badge's? Then all words go to standard error."""
    return bool(args.badge_out == STDOUT)


def speaker(args: argparse.Namespace) -> Callable[[str], None]:
    """`print`, to where the badge does not go."""
    return partial(print, file=sys.stderr if to_pipe(args) else sys.stdout)


def signer(args: argparse.Namespace, config: Config) -> Issuer:
    """The issuer's private key, opened with its passphrase."""
    public = config.badges.issuers[0]
    return load_private(public, passphrase(args) if is_encrypted(public) else None)


def badge_end(args: argparse.Namespace, now: int, default: int | None) -> int:
    """The second at which the badge ends: the day of `--expires`, or `default`. Raises EdgeGateError for a day that is
    past or more than a year away, or when there is none."""
    limit = in_a_year(now)
    if args.expires is None:
        if default is None:
            raise EdgeGateError("a consent has an end", where="--expires", next="give its last day, as 2027-06-30")
        return min(default, limit)
    expires = end_of_day(args.expires, "--expires")
    if expires <= now:
        raise EdgeGateError(f"{args.expires} is past", where="--expires", next="give a day to come")
    if expires > limit:
        raise EdgeGateError(
            f"{args.expires} is more than 12 months away",
            where="--expires",
            next=f"give {last_day(limit)} at the latest",
        )
    return expires


def consent_end(args: argparse.Namespace) -> int | None:
    return None if args.consent_until is None else end_of_day(args.consent_until, "--consent-until")


def consent(args: argparse.Namespace, config: Config, now: int, expires: int) -> Consent:
    """What the options say, for a badge that ends at `expires`. Raises EdgeGateError for what is missing, no language,
    to come, over, or longer than 12 months."""
    version = (args.consent_version or "").strip()
    language = args.consent_language or config.gate.language
    if not 0 < len(version) <= MAX_VERSION or not version.isprintable():
        raise EdgeGateError(
            f"a text's version has 1 to {MAX_VERSION} letters, digits, signs",
            where="--consent-version",
            next="name the text that was signed, as 2026-1",
        )
    if not re.fullmatch("[a-z]{2,3}", language):
        raise EdgeGateError(
            "this is no language", where="--consent-language", next="give its code of ISO 639, as fr, en, pt"
        )
    given = now if args.consent_given is None else start_of_day(args.consent_given, "--consent-given")
    if given > now:
        raise EdgeGateError(
            f"{args.consent_given} is to come", where="--consent-given", next="give the day on which they agreed"
        )
    until, limit = consent_end(args) or expires, in_a_year(given)
    if until <= now:
        raise EdgeGateError(f"{args.consent_until} is past", where="--consent-until", next="give a day to come")
    if until > limit:
        again = "ask again" if limit <= now else f"give {last_day(limit)} at the latest"
        raise EdgeGateError("a consent is for 12 months at most", where="--consent-until", next=again)
    return Consent(args.consent_by, version, given, until, language)
