"""`edgegate enroll renew`: with the old badge in hand, a new one that shares nothing with it."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing

from edgegate import enrolment, erasure
from edgegate.adapters import load_faces, open_book, open_vault
from edgegate.cli.common import configuration, given, in_a_year, last_day
from edgegate.cli.enroll_add import tell_what_to_do
from edgegate.cli.enroll_options import (
    CONSENT,
    badge_end,
    badge_out,
    consent,
    consent_end,
    refuse,
    signer,
    speaker,
    was_given,
)
from edgegate.cli.receipts import Office
from edgegate.errors import EdgeGateError
from edgegate.forgetting import state_folders
from edgegate.model import Consent, Status, TemplateForm
from edgegate.sessions import look


def run(args: argparse.Namespace) -> int:
    config, now, say = configuration(args), int(time.time()), speaker(args)
    office = Office(args, config, (lambda text: None) if args.json else say)
    new_consent = any(was_given(args, option) for option in CONSENT)
    if new_consent and not (args.consent_by and args.consent_version):
        raise EdgeGateError("a new consent needs --consent-by and --consent-version", next="or leave all of them out")
    out, book = badge_out(args), open_book(config)
    text = enrolment.badge_text(given(args.old), book)
    look(config, "enroll renew")
    with closing(open_vault(config)) as vault:
        old, standing = enrolment.renewable(vault, book, text, now)
        agreed, pack_id = standing.consent, ""
        if standing.status is Status.DIARY:
            refuse(args, (*CONSENT, "--template"), "a diary badge has no face and no consent")
            expires = badge_end(args, now, in_a_year(now))
        else:
            pack_id = load_faces(config).pack.id
            kept = None if new_consent or agreed is None else agreed.expires
            expires = badge_end(args, now, consent_end(args) if kept is None else kept)
            agreed = consent(args, config, now, expires) if new_consent else agreed
        issuer = signer(args, config)
        enrolled = enrolment.renew(
            vault,
            issuer,
            old,
            standing,
            pack_id=pack_id,
            consent=agreed,
            expires=expires,
            now=now,
            form=TemplateForm(args.template) if args.template else None,
            badge_out=out,
        )
        result = erasure.forget(lambda: enrolled.erased, state_folders(config), compact=vault.compact)
    form = None if agreed is None else TemplateForm(args.template or standing.template or TemplateForm.BADGE_KEYED)
    if args.json:
        told = {
            "handle": enrolled.handle.hex(),
            "card_number": enrolled.card_number,
            "expires": last_day(expires),
            "badge": str(args.badge_out),
            "template": form and form.value,
            "consent_until": last_day(agreed.expires) if agreed else None,
            "replaces": standing.handle.hex(),
        }
        say(json.dumps(told))
    else:
        _tell(args, enrolled, standing.handle, agreed, form)
    reason = "renewed" if agreed is not None else ""
    return office.finish(result, "old badge revoked, renewed", reason=reason, handle=standing.handle)


def _tell(
    args: argparse.Namespace,
    enrolled: enrolment.Enrolled,
    old: bytes,
    agreed: Consent | None,
    form: TemplateForm | None,
) -> None:
    say = speaker(args)
    until = f", consent until {last_day(agreed.expires)}" if agreed else ""
    handle = enrolled.handle.hex()[:12]
    say(f"card number {enrolled.card_number}, until {last_day(enrolled.expires)}{until}, handle {handle}")
    tell_what_to_do(args, on_badge=form is TemplateForm.ON_BADGE)
    say(f"The old badge ({old.hex()[:12]}) is revoked: take it back and destroy it, with every picture of it.")
