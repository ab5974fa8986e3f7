"""The journal: an unbroken chain from a signed start to a head that can be kept elsewhere; who looked; the clock."""

from __future__ import annotations

import sqlite3
from shlex import quote

from edgegate import BUILT
from edgegate.device_key import DeviceKeyMissing, PublicKey, load_public, public_path
from edgegate.journal import chain, hours, start
from edgegate.journal.start import TEXT_SQL, Start
from edgegate.journal.tables import COLUMNS, START_COLUMNS
from edgegate.prove import scripts
from edgegate.prove.report import Claim, Found, Hand, fails, holds, judged, no_row, sql
from edgegate.prove.retention import ago, day
from edgegate.prove.scene import Scene
from edgegate.stores import CLOCK_ACCEPTED, SESSION, Row
from edgegate.trusted_clock import JUMP_S, SLACK_S

HEAD = "SELECT seq || ':' || lower(hex(hash)) FROM head"
HOURS = "SELECT hour, decision, reason, above_ms, count FROM hourly ORDER BY 1, 2, 3, 4"
LOOKS = f"SELECT reason, count(*) FROM entry WHERE kind = '{SESSION}' GROUP BY 1 ORDER BY 1"
PEOPLE = f"SELECT count(DISTINCT detail) FROM entry WHERE kind = '{SESSION}'"
NOTHING_PURGED = "SELECT count(*) FROM start WHERE seq = 0 AND signature = x'' AND doubt = ''"
_BELIEVED = f"seq >= coalesce((SELECT max(seq) FROM entry WHERE kind = '{CLOCK_ACCEPTED}'), 0)"
SIGNED = "Signature Verified Successfully"
"""What openssl(1) says then."""
CLOCK = (
    f"SELECT (SELECT count(*) FROM entry WHERE at > {ago(f'+{SLACK_S:.0f} seconds')} AND {_BELIEVED}) "
    f"+ ({ago()} < {BUILT}) "
    f"+ ({ago(f'-{JUMP_S:.0f} seconds')} > coalesce((SELECT max(at) FROM entry WHERE {_BELIEVED}), {1 << 62}))"
)
"""Rows from the future, a clock before this version was made, a clock more than a year ahead of the newest row."""


def head(scene: Scene) -> str:
    """`SEQ:HASH`, to be kept where this gate cannot reach it."""
    return str(scene.ask(scene.journal, HEAD)[0][0])


def _chain(scene: Scene) -> Found:
    with scene.reading(scene.journal) as db:
        db.execute("BEGIN")  # one view, while a running gate may go on writing
        count, wrong = _walk(db)
    return judged(wrong, what=wrong, rows=count)


def _walk(db: sqlite3.Connection) -> tuple[int, str]:
    """How many rows are good, and what is wrong with the first that is not."""
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        return 0, "the file is damaged"
    (seq, at), count = db.execute("SELECT seq, hash FROM start").fetchone(), 0
    for values in db.execute(f"SELECT {COLUMNS} FROM entry ORDER BY seq"):
        row = Row(*values)
        if flaw := chain.flaw(seq, at, row):
            return count, flaw
        seq, at, count = row.seq, row.hash, count + 1
    whole = (seq, at) == db.execute("SELECT seq, hash FROM head").fetchone()
    return count, "" if whole else f"rows after {seq} are missing"


def device(scene: Scene) -> PublicKey | None:
    """Whose signatures count here; None where there is no public key."""
    try:
        return load_public(scene.config.gate.device_key)
    except DeviceKeyMissing:
        return None


def _begin(scene: Scene) -> Start:
    return Start(*scene.ask(scene.journal, f"SELECT {START_COLUMNS} FROM start")[0])


def _start(scene: Scene) -> Found:
    begin = _begin(scene)
    if begin == Start():
        return holds("nothing_purged")
    if wrong := start.flaw(begin, device(scene)):
        return fails(what=wrong)
    if not begin.signature:
        return fails("unsigned", row=begin.seq)
    return holds(row=begin.seq, before=day(begin.before) if begin.before else "-", device=begin.device)


def _by_openssl(scene: Scene) -> Hand:
    if _begin(scene) == Start():
        return Hand(sql(scene.journal, NOTHING_PURGED), "1")
    public = quote(str(public_path(scene.config.gate.device_key)))
    journal, public = quote(str(scene.journal)), quote(str(public_path(scene.config.gate.device_key)))
    return Hand(
        f"d=$(mktemp -d) && {sql(scene.journal, TEXT_SQL)} > $d/text && "
        f"sqlite3 -readonly {journal} \"SELECT writefile('$d/sig', signature) FROM start\" > $d/size && "
        f"openssl pkeyutl -verify -pubin -inkey {public} -rawin -in $d/text -sigfile $d/sig; rm -r $d",
        SIGNED,
    )


def _hours(scene: Scene) -> Found:
    with scene.reading(scene.journal) as db:
        same = hours.digest(db) == _begin(scene).hours
    return judged(not same, rows=scene.number(scene.journal, "SELECT count(*) FROM hourly"))


def _by_sum(scene: Scene) -> Hand:
    return Hand(f"{sql(scene.journal, HOURS)} | sha256sum", f"{_begin(scene).hours.hex()}  -")


def _looks(scene: Scene) -> Found:
    rows = scene.ask(scene.journal, LOOKS)
    return holds(
        "holds" if rows else "none",
        looks=", ".join(f"{command} {count}" for command, count in rows),
        people=scene.number(scene.journal, PEOPLE),
        days=scene.config.journal.retention_days,
    )


def _by_looks(scene: Scene) -> Hand:
    lines = [f"{command}|{count}" for command, count in scene.ask(scene.journal, LOOKS)]
    return Hand(sql(scene.journal, LOOKS), "\n".join(lines))


CLAIMS = (
    Claim("journal.chain", _chain, lambda scene: Hand(scripts.chain(scene.journal), head(scene))),
    Claim("journal.start", _start, _by_openssl),
    Claim("journal.hours", _hours, _by_sum),
    Claim(
        "journal.head", lambda scene: holds(head=head(scene)), lambda scene: Hand(sql(scene.journal, HEAD), head(scene))
    ),
    Claim("journal.looks", _looks, _by_looks),
    no_row("journal.clock", "journal", lambda scene: CLOCK),
)
