"""`edgegate enroll add`: a badge for a volunteer, or a diary badge."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing

from edgegate import enrolment
from edgegate.adapters import FaceSide, load_faces, open_camera, open_vault
from edgegate.cli.common import configuration, given, in_a_year, last_day
from edgegate.cli.enroll_options import (
    BADGE,
    CONSENT,
    DESTROY,
    badge_end,
    badge_out,
    consent,
    consent_end,
    refuse,
    signer,
    speaker,
    to_pipe,
)
from edgegate.cli.receipts import record
from edgegate.config import Config
from edgegate.errors import EdgeGateError, EndOfFrames, PhotoRefused
from edgegate.faces.photos import Photo, embed_for_enrolment
from edgegate.images import read_image
from edgegate.model import Consent, Template, TemplateForm
from edgegate.sessions import look

CAMERA_PHOTOS = 3
CAMERA_TRIES = 150
WEAKER = (
    "A plain badge is weaker than a signed one: who sees its number can copy it, and the site secret alone opens "
    "its template."
)
CARRIES = (
    "The badge carries the template itself, sealed under the site secret: who has that secret and a photograph of the "
    "badge can open it."
)


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    now = int(time.time())
    if args.diary:
        refuse(args, ("--photo", "--camera", "--template", *CONSENT), "a diary badge has no face and no consent")
    if args.plain is not None:
        refuse(args, BADGE[1:], "a plain badge is there already: nothing is drawn or signed")
    expires = badge_end(args, now, in_a_year(now) if args.diary else consent_end(args))
    if args.plain is not None:
        return _add_plain(args, config, now, expires)
    issuer, out = signer(args, config), badge_out(args)
    template, agreed = (None, None) if args.diary else _volunteer(args, config, now, expires)
    form = TemplateForm(args.template or TemplateForm.BADGE_KEYED)
    look(config, "enroll add")
    with closing(open_vault(config, create=True)) as vault:
        enrolled = enrolment.issue(
            vault, issuer, template=template, consent=agreed, expires=expires, now=now, form=form, badge_out=out
        )
    if agreed is not None:
        record(config, "given")
    say = speaker(args)
    if args.json:
        told = {
            "handle": enrolled.handle.hex(),
            "card_number": enrolled.card_number,
            "expires": last_day(expires),
            "badge": str(args.badge_out),
            "template": None if agreed is None else form.value,
        }
        say(json.dumps(told))
        return 0
    say(f"card number {enrolled.card_number}, until {last_day(expires)}, handle {enrolled.handle.hex()[:12]}")
    tell_what_to_do(args, on_badge=agreed is not None and form is TemplateForm.ON_BADGE)
    return 0


def tell_what_to_do(args: argparse.Namespace, *, on_badge: bool) -> None:
    """The picture is the key, and what is left of it is a copied key."""
    say = speaker(args)
    if to_pipe(args):
        say("What went to standard output is the badge and its key: note the number, see that no queue keeps a copy.")
    else:
        say(f"{args.badge_out} is the badge and its key: {DESTROY}.")
    if on_badge:
        say(CARRIES)


def _add_plain(args: argparse.Namespace, config: Config, now: int, expires: int) -> int:
    """The card exists, so no issuer signs and no picture is made."""
    if not config.badges.allow_plain:
        raise EdgeGateError(
            "plain badges are not allowed here",
            where="badges.allow_plain",
            next="make a signed one with --badge-out, or set it to true and name badges.formats",
        )
    number = enrolment.plain_badge(given(args.plain))
    template, agreed = (None, None) if args.diary else _volunteer(args, config, now, expires)
    look(config, "enroll add")
    with closing(open_vault(config, create=True)) as vault:
        handle = enrolment.register(vault, number, template=template, consent=agreed, expires=expires, now=now)
    if agreed is not None:
        record(config, "given")
    if args.json:
        form = None if agreed is None else TemplateForm.PLAIN.value
        told = {"handle": handle.hex(), "card_number": None, "expires": last_day(expires), "badge": None}
        print(json.dumps(told | {"template": form}))
    else:
        print(f"plain badge, until {last_day(expires)}, handle {handle.hex()[:12]}")
        print(WEAKER)
    return 0


def _volunteer(args: argparse.Namespace, config: Config, now: int, expires: int) -> tuple[Template, Consent]:
    missing = [
        option
        for option, value in (
            ("--photo or --camera", args.photo or args.camera),
            ("--consent-by", args.consent_by),
            ("--consent-version", (args.consent_version or "").strip()),
        )
        if not value
    ]
    if missing:
        raise EdgeGateError(f"a volunteer needs {', '.join(missing)}", next="or enrol a diary badge with --diary")
    agreed = consent(args, config, now, expires)
    faces = load_faces(config)
    photos = _from_camera(config, faces) if args.camera else [(str(path), read_image(path)) for path in args.photo]
    return enrolment.template_from(photos, faces), agreed


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
