"""`edgegate enroll list`: what the vault holds, and whose consent comes to its end."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from datetime import datetime
from typing import Any

from edgegate.adapters import open_vault
from edgegate.cli.common import configuration, last_day
from edgegate.model import Standing, Status
from edgegate.sessions import look

SOON_DAYS = (30, 7, 1)
DAY_S = 86_400
HEADER = f"{'HANDLE':<12}  {'STATUS':<9}  {'KIND':<6}  {'TEMPLATE':<11}  {'BADGE UNTIL':<11}  CONSENT"


def run(args: argparse.Namespace) -> int:
    config = configuration(args)
    look(config, "enroll list")
    with closing(open_vault(config)) as vault:
        entries = vault.entries()
    now, within = int(time.time()), dict[int, int]()
    if args.expiring:
        ends = [(_end(entry), entry) for entry in entries if entry.status is Status.VOLUNTEER]
        within = {days: sum(end <= now + days * DAY_S for end, _ in ends) for days in SOON_DAYS}
        soon = [(end, entry) for end, entry in ends if end <= now + SOON_DAYS[0] * DAY_S]
        entries = [entry for _, entry in sorted(soon, key=lambda pair: (pair[0], pair[1].handle))]
    if args.json:
        listed = [as_json(entry) for entry in entries]
        counted = {str(days): number for days, number in within.items()}
        print(json.dumps({"within_days": counted, "badges": listed} if args.expiring else listed))
        return 0
    print(HEADER)
    for entry in entries:
        print(_line(entry))
    if args.expiring:
        counts = ", ".join(f"{number} within {days} day{'s' * (days > 1)}" for days, number in within.items())
        print(f"consents that end: {counts}")
    else:
        print(f"{len(entries)} badges")
    return 0


def as_json(entry: Standing) -> dict[str, Any]:
    """A badge as the vault knows it; dates are last days."""
    consent = entry.consent
    return {
        "handle": entry.handle.hex(),
        "status": entry.status.value,
        "plain": entry.plain,
        "altered": entry.altered,
        "expires": last_day(entry.badge_expires) if entry.badge_expires else None,
        "pack": entry.pack_id,
        "template": entry.template and entry.template.value,
        "consent": consent
        and {
            "by": consent.by,
            "version": consent.version,
            "language": consent.language,
            "given": datetime.fromtimestamp(consent.given).date().isoformat(),
            "expires": last_day(consent.expires),
        },
    }


def _line(entry: Standing) -> str:
    consent = entry.consent
    agreed = f"{consent.by}, {consent.version}, until {last_day(consent.expires)}" if consent else "-"
    status = "ALTERED" if entry.altered else entry.status.value
    kind, until = "plain" if entry.plain else "signed", last_day(entry.badge_expires) if entry.badge_expires else "-"
    return f"{entry.handle.hex()[:12]}  {status:<9}  {kind:<6}  {entry.template or '-':<11}  {until:<11}  {agreed}"


def _end(entry: Standing) -> int:
    """When a volunteer's template goes: with the consent, or with the badge."""
    return min(moment for moment in (entry.badge_expires, entry.consent and entry.consent.expires) if moment)
