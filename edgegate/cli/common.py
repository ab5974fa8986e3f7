"""What several commands share: the configuration, dates, passphrases."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

from edgegate.config import Config
from edgegate.config_file import SEARCHED, find, load, load_defaults
from edgegate.errors import EdgeGateError
from edgegate.files import read_small


def config_option(parser: argparse.ArgumentParser) -> None:
    where = ", then ".join(f"./{path}" if not path.is_absolute() else str(path) for path in SEARCHED)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=f"configuration (default: {where})")


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def configuration(args: argparse.Namespace) -> Config:
    return load(find(args.config))


def configuration_or_defaults(args: argparse.Namespace) -> Config:
    """For commands that need no gate: without any configuration file, the defaults."""
    if args.config is None and not any(path.exists() for path in SEARCHED):
        return load_defaults(Path.cwd())
    return configuration(args)


def end_of_day(text: str) -> int:
    """`2027-06-30`, in this machine's time zone, as the UTC second at which that day is over."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise EdgeGateError(f"{text!r} is not a date", where="--expires", next="write it as 2027-06-30") from None
    return _midnight(day + timedelta(days=1) if day < date.max else day)


def in_a_year(now: float) -> int:
    """The end of the day a year from now; 29 February becomes 28."""
    today = datetime.fromtimestamp(now).date()
    try:
        day = today.replace(year=today.year + 1)
    except ValueError:
        day = today.replace(year=today.year + 1, day=28)
    return _midnight(day + timedelta(days=1))


def last_day(moment: int) -> str:
    """The last day that is before `moment`, as 2027-06-30."""
    return datetime.fromtimestamp(moment - 1).date().isoformat()


def passphrase_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="read the issuer's passphrase from FILE instead of asking"
    )


def passphrase(args: argparse.Namespace, *, confirm: bool = False) -> bytes:
    """From the file named, or asked for on the terminal (twice with `confirm`)."""
    if args.passphrase_file is not None:
        word = read_small(args.passphrase_file, 1024, missing="name a file that holds it").rstrip(b"\r\n")
    elif sys.stdin.isatty():
        word = _ask("Issuer's passphrase: ")
        if confirm and _ask("Again: ") != word:
            raise EdgeGateError("the two passphrases differ", next="try again")
    else:
        raise EdgeGateError("the issuer's passphrase is needed", next="give --passphrase-file, or run in a terminal")
    if not word:
        raise EdgeGateError("the passphrase is empty", next="give one, or --no-passphrase")
    return word


def _ask(prompt: str) -> bytes:
    try:
        return getpass.getpass(prompt).encode()
    except (EOFError, UnicodeError):
        raise EdgeGateError("no passphrase was typed", next="try again, or give --passphrase-file") from None


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time()).timestamp())
