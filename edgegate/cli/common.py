"""What several commands share: the configuration, dates, badges, passphrases."""

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

WHO = "card number, plain number, handle, badge text or badge image; - reads one line of standard input"
MAX_LINE = 4096


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


def end_of_day(text: str, option: str) -> int:
    """`2027-06-30`, in this machine's time zone, as the UTC second at which that day is over. Raises EdgeGateError,
    naming the option, for what is no date."""
    day = _day(text, option)
    return _midnight(day + timedelta(days=1) if day < date.max else day)


def start_of_day(text: str, option: str) -> int:
    """The UTC second at which that day begins."""
    return _midnight(_day(text, option))


def in_a_year(now: float) -> int:
    """The end of the day a year from that moment; 29 February becomes 28."""
    today = datetime.fromtimestamp(now).date()
    try:
        day = today.replace(year=today.year + 1)
    except ValueError:
        day = today.replace(year=today.year + 1, day=28)
    return _midnight(day + timedelta(days=1))


def last_day(moment: int) -> str:
    """The last day that is before `moment`, as 2027-06-30."""
    return datetime.fromtimestamp(moment - 1).date().isoformat()


def given(word: str) -> str:
    """What names a badge; `-` stands for one line typed or scanned, which then is in no shell's history."""
    if word != "-":
        return word
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            line = getpass.getpass("Scan the card or type its number (not shown): ")
        else:
            line = sys.stdin.readline(MAX_LINE) if sys.stdin is not None else ""
    except (EOFError, UnicodeError):
        line = ""
    if not line.strip():
        raise EdgeGateError("no number was given", where="-", next="scan the card, or type its number")
    return line.strip()


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


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise EdgeGateError(f"{text!r} is not a date", where=option, next="write it as 2027-06-30") from None


def _midnight(day: date) -> int:
    """Raises EdgeGateError for a day that this machine's clock cannot show."""
    try:
        return int(datetime.combine(day, time()).timestamp())
    except (ValueError, OverflowError):
        raise EdgeGateError(f"{day} is out of reach", next="give a day of this century") from None
