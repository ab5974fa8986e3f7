"""`edgegate consent`: withdrawn at the office or at the gate, and all that is held shown to whom it is about."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import datetime

import numpy as np
import pytest

from edgegate import enrolment
from edgegate.adapters import open_journal, open_vault
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.files import only_one
from edgegate.model import Consent, Template, TemplateForm
from edgegate.words import LANGUAGES, sheet
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import Site
from tests.contracts.kit import holding

WITHDRAW, SHOW = ("consent", "withdraw"), ("consent", "show")


def rows(site: Site) -> list[tuple[str, str, str]]:
    """What the journal says of consents and of whoever looked."""
    with closing(open_journal(site.config)) as journal:
        return [(row.kind, row.reason, row.detail.partition(":")[0]) for row in journal.rows()]


def standing(site: Site, handle: bytes) -> tuple[str, bool]:
    with closing(open_vault(site.config)) as vault:
        found = vault.find(handle.hex())
    return found.status.value, found.consent is None


def sealed(site: Site, handle: bytes) -> bytes:
    with closing(sqlite3.connect(site.config.vault.path)) as db:
        found: bytes = db.execute("SELECT sealed FROM badge WHERE handle = ?", (handle,)).fetchone()[0]
    return found


@pytest.mark.parametrize("way", ["card", "handle", "text", "image"])
def test_a_withdrawn_badge_goes_on_as_a_diary_badge(site: Site, cli: Cli, way: str) -> None:
    """By card number, handle, text or picture; its template is nowhere any more, another's stays; journal and
    receipt say so."""
    other, ana = site.enrol("ben"), site.enrol("ana", badge="ana.png")
    template = sealed(site, ana.handle)
    assert holding(site.folder, template[:16])
    who = {"card": ana.card_number, "handle": ana.handle.hex()[:12], "text": ana.text, "image": "ana.png"}[way]
    out = good(cli(*WITHDRAW, who, cwd=site.folder))
    handle = ana.handle.hex()[:12]
    assert out.startswith(f"consent withdrawn, template erased; badge {handle} goes on as a diary badge until 2")
    assert f"\nedgegate receipt 1\nwhat: consent withdrawn\nbadge: {handle}\nrows: 1\n" in out
    assert ("diary", True) == standing(site, ana.handle)
    assert ("volunteer", False) == standing(site, other.handle)
    pieces = [template[at : at + 16] for at in range(0, len(template) - 16, 8)]
    assert [] == [name for piece in pieces for name in holding(site.folder, piece)]
    assert [("session", "consent withdraw", "cli"), ("consent", "withdrawn", "checked")] == rows(site)
    again = good(cli(*WITHDRAW, who))
    assert f"badge {handle} is a diary badge until" in again
    assert "there is neither template nor consent" in again
    assert "receipt" not in again


def test_an_on_badge_template_must_be_destroyed_by_hand(site: Site, cli: Cli) -> None:
    """The office is told, and what protects it until then; for the other form nothing of the kind is said."""
    ana, ben = site.enrol("ana", form=TemplateForm.ON_BADGE), site.enrol("ben")
    out = good(cli(*WITHDRAW, ana.card_number, cwd=site.folder))
    assert "still carries its own copy of the template, sealed under the site secret: destroy the badge" in out
    assert "no gate of this site opens a template whose badge is a diary badge" in out
    assert "own copy" not in good(cli(*WITHDRAW, ben.card_number))


def test_a_plain_card_becomes_a_diary_badge(site: Site, cli: Cli) -> None:
    """And no longer turns red until it expires."""
    site.configure(badges={"readers": [{"kind": "stdin"}], "allow_plain": True, "formats": ["typed"]})
    site.enrol("ana")
    with closing(open_vault(site.config)) as vault:
        handle = enrolment.register(
            vault,
            enrolment.plain_badge("0008415732"),
            template=Template(np.ones(8, np.float32), FAKE_PACK.id),
            consent=Consent("both", "1", 1, 4_000_000_000, "fr"),
            expires=4_000_000_000,
            now=1,
        )
    out = good(cli(*WITHDRAW, "00084 15732", cwd=site.folder))
    assert f"badge {handle.hex()[:12]} goes on as a diary badge" in out
    assert ("diary", True) == standing(site, handle)


def test_what_cannot_be_withdrawn_is_one_line(site: Site, cli: Cli) -> None:
    """A revoked badge, an unknown number, no number at all: nothing changes."""
    lost = site.enrol("ana")
    site.revoke(lost)
    before = but_journal(site.folder)
    for who, says in (
        ((lost.card_number,), "this badge is revoked: it has no consent to withdraw"),
        (("0000000",), "is not known to this vault"),
        ((), "one of the arguments"),
        (("0000000", "--at-gate"), "not allowed with argument"),
        (("--at-gate",), "no gate is running here; start it, or withdraw by card number"),
        (("--at-gate", "--receipt", "r.txt"), "the gate gives no receipt"),
    ):
        assert says in refusal(cli(*WITHDRAW, *who, cwd=site.folder)), who
    assert before == but_journal(site.folder)


def test_at_the_gate_leaves_word_for_the_running_gate(site: Site, cli: Cli) -> None:
    """With the daemon's lock held by somebody; what the gate does then, the scenarios show."""
    site.enrol("ana")
    with only_one(site.config.journal.path.with_suffix(".lock")):
        out = good(cli(*WITHDRAW, "--at-gate", cwd=site.folder))
    assert "armed for 60 seconds" in out
    assert "within 10 seconds" in out
    with closing(open_vault(site.config)) as vault:
        assert vault.take_withdrawal()
        assert not vault.take_withdrawal()
    assert [("session", "consent withdraw --at-gate", "cli")] == rows(site)


def test_a_receipt_is_checked_with_openssl(site: Site, cli: Cli) -> None:
    """As the command says; one changed letter, or another device's key, and it no longer verifies."""
    ana = site.enrol("ana")
    out = good(cli(*WITHDRAW, ana.card_number, "--receipt", "r.txt", cwd=site.folder))
    command = re.search(r"To check it: (openssl .*)\n", out)
    assert command is not None

    def verified() -> bool:
        return 0 == subprocess.run(command[1].split(), cwd=site.folder, capture_output=True, check=False).returncode

    assert verified()
    text = (site.folder / "r.txt").read_text()
    assert text in out
    assert 64 == (site.folder / "r.txt.sig").stat().st_size
    (site.folder / "r.txt").write_text(text.replace("withdrawn", "withdrawm"))
    assert not verified()


def test_without_a_receipt_it_is_withdrawn_all_the_same(site: Site, cli: Cli) -> None:
    """No device key, or a copy of the vault that still holds it: exit 1, the reason, and what to do."""
    ana, ben = site.enrol("ana"), site.enrol("ben")
    shutil.copy(site.config.vault.path, site.folder / "backup")
    code, out, err = cli(*WITHDRAW, ana.card_number, cwd=site.folder)
    assert (1, True) == (code, "consent withdrawn" in out), err
    assert "edgegate: no receipt: " in err
    assert "backup: still holds some of what was erased" in err
    assert ("consent", "withdrawn", "found") == rows(site)[-1]
    (site.folder / "backup").unlink()
    (site.folder / "device.key").unlink()
    code, out, err = cli(*WITHDRAW, ben.card_number)
    assert (1, True, 1) == (code, "consent withdrawn" in out, len(err.splitlines()))
    assert "edgegate: no receipt: " in err
    assert "device.key: does not exist; make it with" in err
    assert ("diary", True) == standing(site, ana.handle) == standing(site, ben.handle)


def test_a_journal_that_cannot_be_written_keeps_nobody_from_withdrawing(site: Site, cli: Cli) -> None:
    """The right comes first; that it is not recorded is said, with exit code 1."""
    ana = site.enrol("ana")
    good(cli("enroll", "list", cwd=site.folder))
    with closing(sqlite3.connect(site.config.journal.path)) as db, db:
        db.execute("CREATE TRIGGER no_room BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'disk is full'); END")
    assert "and who looks is recorded there first" in refusal(cli(*SHOW, ana.card_number))
    code, out, err = cli(*WITHDRAW, ana.card_number)
    assert (1, True) == (code, "edgegate receipt 1" in out)
    assert "and who looks is recorded there first" in err
    assert "this is done, but the journal does not say so" in err
    assert ("diary", True) == standing(site, ana.handle)


def test_all_that_is_held_is_shown(site: Site, cli: Cli) -> None:
    """In the gate's language, for a parent: consent, template and what it is, dates; and what is not held."""
    ana = site.enrol("ana")
    until = datetime.fromtimestamp(ana.expires - 1)
    out = " ".join(good(cli(*SHOW, ana.card_number, cwd=site.folder)).split())
    for says in (
        f"What this gate holds about badge {ana.handle.hex()[:12]}",
        f"A volunteer's badge, good until {until:%Y-%m-%d}.",
        f'Consent: given by the student and a guardian on {datetime.now():%Y-%m-%d}, to the text "1"',
        f"a template, {len(sealed(site, ana.handle))} bytes of numbers",
        "the key is on the badge and nowhere else",
        "for 30 days the journal keeps",
        "no line can be attributed to this badge",
        "held nowhere here: name, class, date of birth",
        "can be withdrawn at any time",
    ):
        assert says in out
    site.configure(gate={"language": "fr"})
    french = " ".join(good(cli(*SHOW, ana.card_number)).split())
    assert f"Badge de volontaire, valable jusqu'au {until:%d/%m/%Y}." in french
    assert "l'élève et un responsable légal" in french
    assert [("session", "consent show", "cli")] * 2 == rows(site)


def test_each_kind_of_badge_has_its_own_sheet(site: Site, cli: Cli) -> None:
    """Diary, withdrawn, revoked, on-badge, altered: what is said fits what is held."""
    on_badge, diary = site.enrol("ana", form=TemplateForm.ON_BADGE), site.enrol(None)
    withdrawn, revoked, altered = site.enrol("ben"), site.enrol("chloe"), site.enrol("dan")
    site.withdraw(withdrawn)
    site.revoke(revoked)
    with closing(sqlite3.connect(site.config.vault.path)) as db, db:
        db.execute("UPDATE badge SET consent_by = 'student' WHERE handle = ?", (altered.handle,))

    def shown(handle: bytes) -> str:
        return " ".join(good(cli(*SHOW, handle.hex(), cwd=site.folder)).split())

    assert "Face: nothing on this device." in shown(on_badge.handle)
    for handle in (diary.handle, withdrawn.handle):
        assert "A badge without a face (diary)" in shown(handle)
        assert "Face: nothing. Consent: none." in shown(handle)
    assert "A revoked or erased badge. It is refused until" in shown(revoked.handle)
    assert "CAUTION: another program has changed this" in shown(altered.handle)
    good(cli("enroll", "erase", revoked.card_number))
    assert "The number printed on the card" not in shown(revoked.handle)
    assert "The number printed on the card" in shown(diary.handle)


def test_the_same_for_a_program(site: Site, cli: Cli) -> None:
    """Every column, the sealed template in base64, and that no row of the journal can be attributed."""
    ana = site.enrol("ana")
    told = json.loads(good(cli(*SHOW, ana.card_number, "--json", cwd=site.folder)))
    with closing(sqlite3.connect(site.config.vault.path)) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM badge").fetchone())
    assert set(row) == set(told["row"])
    for name, value in row.items():
        kept = told["row"][name]
        assert value == (base64.b64decode(kept) if isinstance(value, bytes) else kept), name
    assert ("volunteer", "badge-keyed", []) == (told["status"], told["template"], told["journal"]["rows_of_this_badge"])
    assert "AES-256-GCM" in told["sealing"]
    assert told["not_held"]


def test_somebody_unknown_is_one_line(site: Site, cli: Cli) -> None:
    """And what was asked for is not repeated."""
    site.enrol("ana")
    line = refusal(cli(*SHOW, "0008415732", cwd=site.folder))
    assert "is not known to this vault" in line
    assert "0008415732" not in line


def test_the_sheets_say_the_same_in_every_language() -> None:
    """The same sentences, the same gaps in them, and none left in another language."""
    first, *others = (sheet(language) for language in LANGUAGES)
    for other in others:
        assert set(first) == set(other)
        for key, sentence in first.items():
            assert set(re.findall(r"\{\w+\}", sentence)) == set(re.findall(r"\{\w+\}", other[key])), key
            assert sentence != other[key], key
