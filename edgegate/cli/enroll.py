"""`edgegate enroll`: volunteers and diary badges, in the office."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from edgegate import enrolment
from edgegate.adapters import FaceSide, load_faces, open_book, open_camera, open_vault
from edgegate.badges.draw import SIZE_MM
from edgegate.badges.issuer import is_encrypted, load_private
from edgegate.cli.common import (
    config_option,
    configuration,
    end_of_day,
    in_a_year,
    json_option,
    last_day,
    passphrase,
    passphrase_option,
)
from edgegate.config import Config
from edgegate.errors import EdgeGateError, EndOfFrames, PhotoRefused
from edgegate.faces.photos import Photo, embed_for_enrolment
from edgegate.files import exists
from edgegate.images import read_image
from edgegate.model import Consent, Standing, Template

CAMERA_PHOTOS = 3
CAMERA_TRIES = 150
MAX_LINE = 4096
WHO = "card number, plain number, handle, badge text or badge image; - reads one line of standard input"
WEAKER = (
    "A plain badge is weaker than a signed one: who sees its number can copy it, and the site secret alone opens "
    "its template."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("enroll", help="enrol, list, revoke, erase")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    new = actions.add_parser("add", help="issue a badge to a volunteer, or a diary badge")
    config_option(new)
    kind = new.add_mutually_exclusive_group(required=True)
    kind.add_argument("--volunteer", action="store_true", help="with a face: needs a photograph and a consent")
    kind.add_argument("--diary", action="store_true", help="without: no photograph, no consent")
    face = new.add_mutually_exclusive_group()
    face.add_argument("--photo", type=Path, nargs="+", metavar="FILE", help="photographs of this one person")
    face.add_argument("--camera", action="store_true", help="take them with the gate's camera")
    new.add_argument("--consent-by", choices=("student", "guardian", "both"), help="who agreed")
    new.add_argument("--consent-version", metavar="TEXT", help="which text they agreed to")
    new.add_argument("--expires", metavar="DATE", help="last day of consent and badge (diary: default a year)")
    badge = new.add_mutually_exclusive_group(required=True)
    badge.add_argument("--badge-out", type=Path, metavar="FILE", help="the badge to make, .png or .svg")
    badge.add_argument("--plain", metavar="NUMBER", help="a card that is there already (weaker); - reads one line")
    new.add_argument("--size-mm", type=float, default=SIZE_MM, help=f"its width in print (default {SIZE_MM:g})")
    passphrase_option(new)
    json_option(new)
    new.set_defaults(run=run_add)

    lister = actions.add_parser("list", help="what the vault holds")
    config_option(lister)
    json_option(lister)
    lister.set_defaults(run=run_list)

    for name, text, action in (
        ("revoke", "refuse a badge from now on (lost or stolen)", "revoke"),
        ("erase", "forget a person; the badge is refused until it expires", "erase"),
    ):
        change = actions.add_parser(name, help=text)
        config_option(change)
        change.add_argument("who", metavar="WHO", help=WHO)
        change.set_defaults(run=run_change, action=action)


def run_add(args: argparse.Namespace) -> int:
    config = configuration(args)
    now = int(time.time())
    expires = _expiry(args, now)
    if args.plain is not None:
        return _add_plain(args, config, now, expires)
    public = config.badges.issuers[0]
    word = passphrase(args) if is_encrypted(public) else None
    issuer = load_private(public, word)
    if exists(args.badge_out):
        raise EdgeGateError(
            "exists already", where=str(args.badge_out), next="name another file: each badge is one key"
        )
    template, consent = (None, None) if args.diary else _volunteer(args, config, now, expires)
    vault = open_vault(config, create=True)
    try:
        enrolled = enrolment.issue(
            vault,
            issuer,
            template=template,
            consent=consent,
            expires=expires,
            now=now,
            badge_out=args.badge_out,
            size_mm=args.size_mm,
        )
    finally:
        vault.close()
    if args.json:
        print(
            json.dumps(
                {
                    "handle": enrolled.handle.hex(),
                    "card_number": enrolled.card_number,
                    "expires": last_day(expires),
                    "badge": str(args.badge_out),
                }
            )
        )
    else:
        print(f"card number {enrolled.card_number}, until {last_day(expires)}, handle {enrolled.handle.hex()[:12]}")
        print(f"{args.badge_out} is the badge and its key: print it, note the number, destroy the file.")
    return 0


def _add_plain(args: argparse.Namespace, config: Config, now: int, expires: int) -> int:
    """The card exists, so no issuer signs and no picture is made."""
    if not config.badges.allow_plain:
        raise EdgeGateError(
            "plain badges are not allowed here",
            where="badges.allow_plain",
            next="make a signed one with --badge-out, or set it to true and name badges.formats",
        )
    number = enrolment.plain_badge(_given(args.plain))
    template, consent = (None, None) if args.diary else _volunteer(args, config, now, expires)
    vault = open_vault(config, create=True)
    try:
        handle = enrolment.register(vault, number, template=template, consent=consent, expires=expires, now=now)
    finally:
        vault.close()
    if args.json:
        told = {"handle": handle.hex(), "card_number": None, "expires": last_day(expires), "badge": None}
        print(json.dumps(told))
    else:
        print(f"plain badge, until {last_day(expires)}, handle {handle.hex()[:12]}")
        print(WEAKER)
    return 0


def run_list(args: argparse.Namespace) -> int:
    vault = open_vault(configuration(args))
    try:
        entries = vault.entries()
    finally:
        vault.close()
    if args.json:
        print(json.dumps([_as_json(entry) for entry in entries]))
        return 0
    print(f"{'HANDLE':<12}  {'STATUS':<9}  {'KIND':<6}  {'BADGE UNTIL':<11}  CONSENT")
    for entry in entries:
        consent = entry.consent
        agreed = f"{consent.by}, {consent.version}, until {last_day(consent.expires)}" if consent else "-"
        kind, until = "plain" if entry.plain else "signed", last_day(entry.badge_expires or 0)
        print(f"{entry.handle.hex()[:12]}  {entry.status:<9}  {kind:<6}  {until:<11}  {agreed}")
    print(f"{len(entries)} badges")
    return 0


def run_change(args: argparse.Namespace) -> int:
    config = configuration(args)
    vault = open_vault(config)
    try:
        standing = enrolment.find(_given(args.who), vault, open_book(config))
        getattr(vault, args.action)(standing.handle)
    finally:
        vault.close()
    done = "revoked, its template is gone" if args.action == "revoke" else "erased"
    print(f"badge {standing.handle.hex()[:12]} {done}; it is refused until {last_day(standing.badge_expires or 0)}")
    return 0


def _given(word: str) -> str:
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


def _expiry(args: argparse.Namespace, now: int) -> int:
    limit = in_a_year(now)
    if args.expires is None:
        if args.volunteer:
            raise EdgeGateError("a consent has an end", where="--expires", next="give its last day, as 2027-06-30")
        return limit
    expires = end_of_day(args.expires)
    if expires <= now:
        raise EdgeGateError(f"{args.expires} is past", where="--expires", next="give a day to come")
    if expires > limit:
        raise EdgeGateError(
            f"{args.expires} is more than 12 months away",
            where="--expires",
            next=f"give {last_day(limit)} at the latest",
        )
    return expires


def _volunteer(args: argparse.Namespace, config: Config, now: int, expires: int) -> tuple[Template, Consent]:
    missing = [
        option
        for option, given in (
            ("--photo or --camera", args.photo or args.camera),
            ("--consent-by", args.consent_by),
            ("--consent-version", (args.consent_version or "").strip()),
        )
        if not given
    ]
    if missing:
        raise EdgeGateError(f"a volunteer needs {', '.join(missing)}", next="or enrol a diary badge with --diary")
    faces = load_faces(config)
    photos = _from_camera(config, faces) if args.camera else [(str(path), read_image(path)) for path in args.photo]
    template = enrolment.template_from(photos, faces)
    return template, Consent(args.consent_by, args.consent_version.strip()[:64], now, expires)


def _from_camera(config: Config, faces: FaceSide) -> list[Photo]:
    """The first few pictures good enough for enrolment; the last refusal when there is none in ten seconds."""
    camera = open_camera(config)
    good: list[Photo] = []
    refusal: PhotoRefused | None = None
    camera.open()
    try:
        for number in range(CAMERA_TRIES):
            photo = (f"picture {number + 1}", camera.read())
            try:
                embed_for_enrolment(photo, faces.engine).fill(0)
                good.append(photo)
            except PhotoRefused as error:
                refusal = error
            if len(good) == CAMERA_PHOTOS:
                break
    except EndOfFrames:
        pass
    finally:
        camera.close()
    if not good:
        raise refusal or EdgeGateError("the camera gave no picture", where=camera.name, next="try again")
    return good


def _as_json(entry: Standing) -> dict[str, Any]:
    consent = entry.consent
    return {
        "handle": entry.handle.hex(),
        "status": entry.status.value,
        "plain": entry.plain,
        "expires": last_day(entry.badge_expires or 0),
        "pack": entry.pack_id,
        "consent": consent
        and {
            "by": consent.by,
            "version": consent.version,
            "given": datetime.fromtimestamp(consent.given).date().isoformat(),
            "expires": last_day(consent.expires),
        },
    }
