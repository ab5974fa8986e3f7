"""`enroll renew`: with the old badge in hand, a new one that shares nothing with it."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgegate import enrolment
from edgegate.adapters import open_book, open_journal, open_vault
from edgegate.badges import issuer
from edgegate.badges.draw import draw
from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.model import Consent, Credential, Status, TemplateForm, Vector
from edgegate.vault.store import SqliteVault
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import DAY_S, Site

KEYED, ON_BADGE = TemplateForm.BADGE_KEYED, TemplateForm.ON_BADGE
RENEW = ("enroll", "renew")


def day(days: int) -> str:
    return (date.today() + timedelta(days)).isoformat()


def badge(site: Site, picture: str) -> Credential:
    found = open_book(site.config).verify(enrolment.read_badge(site.folder / picture))
    assert isinstance(found, Credential)
    return found


def numbers(site: Site, credential: Credential) -> Vector:
    with closing(open_vault(site.config)) as vault:
        return vault.unseal(credential, FAKE_PACK.id).take().vector


def rows(site: Site, cli: Cli) -> dict[str, dict[str, Any]]:
    listed = json.loads(good(cli("enroll", "list", "--json", cwd=site.folder)))
    return {row["handle"]: row for row in listed}


def said(site: Site) -> list[tuple[str, str]]:
    with closing(open_journal(site.config)) as journal:
        return [(row.reason, row.detail) for row in journal.rows() if row.kind == "consent"]


@pytest.mark.parametrize("new", [None, KEYED, ON_BADGE])
@pytest.mark.parametrize("old", [KEYED, ON_BADGE])
def test_a_new_badge_shares_nothing_with_the_old(site: Site, cli: Cli, old: TemplateForm, new: TemplateForm) -> None:
    """Another id, key, card number and handle; the same face, in the form asked for; the old badge is refused."""
    first = site.enrol("ana", badge="old.png", form=old)
    before = badge(site, "old.png")
    known = numbers(site, before)
    option = ("--template", new.value) if new else ()
    told = json.loads(good(cli(*RENEW, "old.png", "--badge-out", "new.png", "--json", *option, cwd=site.folder)))
    after = badge(site, "new.png")
    form = new or old
    assert form == told["template"]
    assert (told["replaces"], told["badge"]) == (first.handle.hex(), "new.png")
    assert told["card_number"] != first.card_number
    assert before.badge_id != after.badge_id
    shared = {before.badge_key, before.sealed_template} & {after.badge_key, after.sealed_template} - {None}
    assert not shared
    assert (form is ON_BADGE) == (after.sealed_template is not None) == (after.badge_key is None)
    assert np.allclose(known, numbers(site, after), atol=0.01)
    found = rows(site, cli)
    assert ("revoked", None) == (found[first.handle.hex()]["status"], found[first.handle.hex()]["consent"])
    assert ("volunteer", form) == (found[told["handle"]]["status"], found[told["handle"]]["template"])
    assert [("renewed", "checked")] == said(site)
    with pytest.raises(TemplateUnreadable):
        numbers(site, before)


def test_the_consent_goes_on_as_it_was(site: Site, cli: Cli) -> None:
    """A new card is no new consent: by whom, to which text, from when and until when stay."""
    site.enrol("ana", badge="old.png", expires_in_s=90 * DAY_S, consent_in_s=60 * DAY_S)
    (before,) = rows(site, cli).values()
    out = good(cli(*RENEW, "old.png", "--badge-out", "new.png"))
    assert f"until {before['consent']['expires']}, consent until {before['consent']['expires']}" in out
    (after,) = (row for row in rows(site, cli).values() if row["status"] == "volunteer")
    assert (before["consent"], before["consent"]["expires"]) == (after["consent"], after["expires"])
    told = json.loads(
        good(cli(*RENEW, "new.png", "--badge-out", "3.png", "--expires", day(200), "--json", "--template", "on-badge"))
    )
    assert (day(200), before["consent"]["expires"]) == (told["expires"], told["consent_until"])


def test_a_new_consent_may_come_with_the_new_badge(site: Site, cli: Cli) -> None:
    """Then all of it is new, and its end is the badge's unless another is given."""
    site.enrol("ana", badge="old.png")
    consent = ("--consent-by", "guardian", "--consent-version", "2027-1", "--consent-language", "pt")
    new = (*RENEW, "old.png", "--badge-out", "new.png", "--expires", day(300))
    told = json.loads(good(cli(*new, *consent, "--consent-given", day(-3), "--json", cwd=site.folder)))
    expected = {"by": "guardian", "version": "2027-1", "language": "pt", "given": day(-3), "expires": day(300)}
    assert expected == rows(site, cli)[told["handle"]]["consent"]


def test_a_diary_badge_gets_a_new_one_too(site: Site, cli: Cli) -> None:
    """Without a face and without a consent, and nothing in the journal about one."""
    first = site.enrol(None, badge="old.png")
    told = json.loads(good(cli(*RENEW, "old.png", "--badge-out", "new.png", "--json", cwd=site.folder)))
    assert (None, None) == (told["template"], told["consent_until"])
    found = rows(site, cli)
    assert ("diary", "revoked") == (found[told["handle"]]["status"], found[first.handle.hex()]["status"])
    assert [] == said(site)


def test_a_withdrawn_on_badge_template_is_left_behind(site: Site, cli: Cli) -> None:
    """The badge that still carries a template becomes a diary badge that carries none."""
    site.withdraw(site.enrol("ana", badge="old.png", form=ON_BADGE))
    assert badge(site, "old.png").sealed_template is not None
    good(cli(*RENEW, "old.png", "--badge-out", "new.png", cwd=site.folder))
    assert badge(site, "new.png").sealed_template is None


@pytest.mark.parametrize("way", ["picture", "text", "typed"])
def test_the_old_badge_is_given_in_three_ways(site: Site, cli: Cli, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A picture of it, its text, or one line from the scanner; a card number is not the badge."""
    first = site.enrol("ana", badge="old.png")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(first.text.encode() + b"\r\n"), "utf-8"))
    who = {"picture": "old.png", "text": first.text, "typed": "-"}[way]
    good(cli(*RENEW, who, "--badge-out", "new.png", cwd=site.folder))
    line = refusal(cli(*RENEW, first.card_number, "--badge-out", "n.png"))
    assert "this is no signed badge" in line
    assert first.card_number not in line


def test_what_cannot_be_renewed_is_refused(site: Site, cli: Cli) -> None:
    """With the reason and what to do instead, and nothing changes."""
    people: dict[str, Callable[[], enrolment.Enrolled]] = {
        "revoked": lambda: site.enrol("ana", badge="revoked.png"),
        "expired": lambda: site.enrol("ben", badge="expired.png", expires_in_s=-60),
        "lapsed": lambda: site.enrol("chloe", badge="lapsed.png", consent_in_s=-60),
        "altered": lambda: site.enrol("dan", badge="altered.png"),
        "another pack": lambda: site.enrol("eve", badge="another pack.png", pack_id="fake/old"),
        "good": lambda: site.enrol("farid", badge="good.png"),
        "diary": lambda: site.enrol(None, badge="diary.png"),
    }
    made = {name: make() for name, make in people.items()}
    site.revoke(made["revoked"])
    with closing(sqlite3.connect(site.config.vault.path)) as db, db:
        db.execute("UPDATE badge SET consent_expires = consent_expires + 1 WHERE handle = ?", (made["altered"].handle,))
        db.execute("DELETE FROM badge WHERE handle = ?", (made["good"].handle,))
    (site.folder / "forged.png").write_bytes(draw(made["good"].text[:-9] + "000000000", ".png"))
    before = but_journal(site.folder)
    consent = ("--consent-by", "both", "--consent-version", "1")
    for options, says in (
        (("revoked.png",), "this badge is revoked, and its template gone; enrol again"),
        (("expired.png",), "this badge has expired; enrol again"),
        (("lapsed.png",), "its consent has come to its end; enrol again"),
        (("altered.png",), "the row of this badge was altered; erase it"),
        (("another pack.png",), "the template was made with another pack; enrol again"),
        (("good.png",), "this badge is not known to this vault; enrol again"),
        (("forged.png",), "this badge is not one of ours"),
        (("0008415732",), "a plain card is nothing but its number, so that there is nothing to renew"),
        (("diary.png", *consent), "--consent-by: a diary badge has no face and no consent"),
        (("diary.png", "--template", "on-badge"), "--template: a diary badge has no face"),
        (("diary.png", "--expires", day(-1)), "is past"),
        (("diary.png", "--expires", day(400)), "is more than 12 months away"),
        (("diary.png", "--size-mm", "5"), "cannot be read"),
        (("diary.png", "--consent-language", "fr"), "a new consent needs --consent-by and --consent-version"),
        (("missing.png",), "does not exist"),
        (("diary.svg",), "an SVG drawing is not read"),
    ):
        assert says in refusal(cli(*RENEW, *options, "--badge-out", "new.png", cwd=site.folder)), options
    assert "site.key: exists already" in refusal(cli(*RENEW, "diary.png", "--badge-out", "site.key"))
    assert "r.txt: exists already" in refusal(
        cli(*RENEW, "diary.png", "--badge-out", "new.png", "--receipt", touched(site.folder / "r.txt"))
    )
    (site.folder / "r.txt").unlink()
    assert before == but_journal(site.folder)


def touched(path: Path) -> Path:
    path.touch()
    return path


class WatchedVault(SqliteVault):
    """Counts what is unsealed, and may fail to keep a row."""

    unsealed = 0
    fails = False

    def unseal(self, credential: Credential, pack_id: str) -> Any:
        type(self).unsealed += 1
        return super().unseal(credential, pack_id)

    def enrol(self, *args: Any, **options: Any) -> Any:
        if self.fails:
            raise EdgeGateError("no room")
        return super().enrol(*args, **options)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[WatchedVault]:
    monkeypatch.setattr("edgegate.adapters.SqliteVault", WatchedVault)
    monkeypatch.setattr(WatchedVault, "unsealed", 0)
    monkeypatch.setattr(WatchedVault, "fails", False)
    return WatchedVault


@pytest.mark.parametrize("form", [KEYED, ON_BADGE])
def test_the_template_is_unsealed_once(site: Site, cli: Cli, counted: type[WatchedVault], form: TemplateForm) -> None:
    """And not at all for a diary badge."""
    site.enrol("ana", badge="old.png", form=form)
    site.enrol(None, badge="diary.png")
    good(cli(*RENEW, "diary.png", "--badge-out", "d2.png", cwd=site.folder))
    assert 0 == counted.unsealed
    good(cli(*RENEW, "old.png", "--badge-out", "new.png"))
    assert 1 == counted.unsealed


def test_a_failure_leaves_the_old_badge_as_it_was(site: Site, cli: Cli, counted: type[WatchedVault]) -> None:
    """Neither revoked nor replaced, no picture of a badge that nobody knows, and the open template overwritten."""
    first = site.enrol("ana", badge="old.png")
    with closing(open_vault(site.config)) as vault:
        before = vault.entries()
    counted.fails = True
    assert "no room" in refusal(cli(*RENEW, "old.png", "--badge-out", "new.png", cwd=site.folder))
    counted.fails = False
    assert not (site.folder / "new.png").exists()
    with closing(open_vault(site.config)) as vault:
        assert before == vault.entries()
    good(cli("enroll", "revoke", first.card_number))


def test_the_open_template_is_overwritten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept or refused, what was unsealed does not outlive the renewal."""
    first = site.enrol("ana", badge="old.png")
    config, taken = site.config, list[Any]()
    with closing(open_vault(config)) as vault:
        unseal = vault.unseal

        def watch(credential: Credential, pack_id: str) -> Any:
            unsealed = unseal(credential, pack_id)
            taken.append(unsealed._template)
            return unsealed

        monkeypatch.setattr(vault, "unseal", watch)
        now = first.expires - 90 * DAY_S
        old, standing = enrolment.renewable(vault, open_book(config), first.text, now)
        enrolment.renew(
            vault,
            issuer.load_private(config.badges.issuers[0], None),
            old,
            standing,
            pack_id=FAKE_PACK.id,
            consent=None,
            expires=first.expires,
            now=now,
        )
    assert [False] == [bool(template.vector.any()) for template in taken]


def test_a_renewed_badge_can_be_renewed_again_and_again(site: Site) -> None:
    """From form to form the face stays the same: rounding to a badge's numbers happens once."""
    enrolled = site.enrol("ana")
    config = site.config
    signer, book = issuer.load_private(config.badges.issuers[0], None), open_book(config)
    now, found = enrolled.expires - 90 * DAY_S, list[Vector]()
    with closing(open_vault(config)) as vault:
        for form in (ON_BADGE, KEYED, ON_BADGE, ON_BADGE, KEYED):
            old, standing = enrolment.renewable(vault, book, enrolled.text, now)
            found.append(vault.unseal(old, FAKE_PACK.id).take().vector)
            enrolled = enrolment.renew(
                vault,
                signer,
                old,
                standing,
                pack_id=FAKE_PACK.id,
                consent=None,
                expires=enrolled.expires,
                now=now,
                form=form,
            )
        assert [Status.REVOKED] * 5 + [Status.VOLUNTEER] == sorted(entry.status for entry in vault.entries())
        kept = [entry.consent for entry in vault.entries() if entry.consent]
    assert [(*astuple(Consent("both", "1", now, enrolled.expires, "en")),)] == [astuple(consent) for consent in kept]
    assert np.allclose(found[0], found[1], atol=0.01)
    for vector in found[2:]:
        assert np.array_equal(found[1], vector)


def test_the_picture_goes_to_a_pipe(site: Site) -> None:
    """Words then go to standard error, and nothing of the badge is in a file."""
    site.enrol("ana", badge="old.png")
    command = [sys.executable, "-m", "edgegate", *RENEW, "old.png", "--badge-out", "-", "--badge-format", "svg"]
    done = subprocess.run(command, cwd=site.folder, capture_output=True, check=False)
    assert (0, b"<?xml") == (done.returncode, done.stdout[:5]), done.stderr
    assert done.stdout.rstrip().endswith(b"</svg>")
    assert b"card number " in done.stderr
    assert b"edgegate receipt 1" in done.stderr
    assert ["old.png"] == [path.name for path in site.folder.glob("*.*") if path.suffix in (".png", ".svg")]


def test_json_is_json(site: Site, cli: Cli) -> None:
    """The receipt goes where `--receipt` says, not between."""
    first = site.enrol("ana", badge="old.png")
    out = good(cli(*RENEW, "old.png", "--badge-out", "n.png", "--json", "--receipt", "r.txt", cwd=site.folder))
    assert first.handle.hex() == json.loads(out)["replaces"]
    text = (site.folder / "r.txt").read_text()
    assert text.startswith("edgegate receipt 1\nwhat: old badge revoked, renewed\n")
    assert f"badge: {first.handle.hex()[:12]}\n" in text


def test_an_image_of_the_wrong_kind_is_one_line(site: Site, cli: Cli) -> None:
    """A photograph instead of the badge."""
    site.enrol("ana", badge="old.png")
    cv2.imwrite(str(site.folder / "me.png"), np.full((300, 300, 3), 99, np.uint8))
    assert "me.png: shows no badge" in refusal(cli(*RENEW, "me.png", "--badge-out", "new.png", cwd=site.folder))
