"""Port `Vault`: sealed templates, statuses and consents. What is SQLite's own is in tests/test_vault.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.model import Consent, Credential, Standing, Status, Template, TemplateForm
from edgegate.stores import Erased, Vault
from edgegate.vault.store import SqliteVault
from tests.contracts.kit import (
    CONSENT,
    DAY_S,
    NOW,
    PACK,
    SECRET,
    YEAR_S,
    card_number,
    credential,
    said,
    template,
)

KEYED = TemplateForm.BADGE_KEYED
OPENERS: dict[str, Callable[[Path], Vault]] = {
    "sqlite": lambda folder: SqliteVault(folder / "vault.db", SECRET, create=True)
}


@pytest.fixture(params=OPENERS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Vault]]:
    """Opens each adapter's store, again and again: the same one each time."""
    made: list[Vault] = []

    def again() -> Vault:
        made.append(OPENERS[request.param](tmp_path))
        return made[-1]

    yield again
    for vault in made:
        vault.close()


@pytest.fixture
def vault(opened: Callable[[], Vault]) -> Vault:
    """An empty vault."""
    return opened()


def volunteer(vault: Vault, number: int = 0, consent: Consent = CONSENT, expires: int = NOW + YEAR_S) -> bytes:
    badge = credential(number, expires=expires)
    done = vault.enrol(badge, card_number=card_number(number), template=template(number), consent=consent)
    assert Erased(0) == done
    return vault.handle_of(badge.badge_id)


def diary(vault: Vault, number: int = 0, expires: int = NOW + YEAR_S) -> bytes:
    badge = credential(number, expires=expires)
    assert Erased(0) == vault.enrol(badge, card_number=card_number(number), template=None, consent=None)
    return vault.handle_of(badge.badge_id)


def number(number: int = 0, *, expires: int = NOW + YEAR_S, issued: int = NOW) -> Credential:
    """A plain badge, as the office enrols it."""
    return replace(credential(number, expires=expires, keyed=False), issuer="", issued=issued, plain=True)


def plain_volunteer(vault: Vault, which: int = 0, consent: Consent = CONSENT) -> bytes:
    vault.enrol(number(which), card_number="", template=template(which), consent=consent)
    return vault.handle_of(number(which).badge_id)


def opened_template(vault: Vault, badge: Credential, pack_id: str = PACK) -> list[float]:
    """The numbers of a badge's template, as a comparison would take them."""
    return [float(value) for value in vault.unseal(badge, pack_id).take().vector]


def numbers_of(which: int = 0) -> list[float]:
    return [float(value) for value in template(which).vector]


def test_a_stranger_is_unknown(vault: Vault) -> None:
    """A badge that was never enrolled here has a handle and nothing else."""
    badge = credential()
    assert Standing(vault.handle_of(badge.badge_id), Status.UNKNOWN) == vault.standing(badge)
    with pytest.raises(TemplateUnreadable):
        vault.unseal(badge, PACK)


def test_a_volunteer_is_kept_whole(opened: Callable[[], Vault]) -> None:
    """Status, expiry, consent, pack and template are there, also for who opens the vault later."""
    handle = volunteer(opened())
    badge = credential()
    for vault in (opened(), opened()):
        assert handle == vault.handle_of(badge.badge_id)
        assert Standing(handle, Status.VOLUNTEER, badge.expires, CONSENT, PACK, template=KEYED) == vault.standing(badge)
        assert numbers_of() == opened_template(vault, badge)


def test_a_diary_badge_has_neither_template_nor_consent(vault: Vault) -> None:
    """Who does not volunteer leaves a status and an expiry, no more."""
    handle = diary(vault)
    assert Standing(handle, Status.DIARY, NOW + YEAR_S) == vault.standing(credential())
    with pytest.raises(TemplateUnreadable) as caught:
        vault.unseal(credential(), PACK)
    assert "there is no template" in said(caught.value)


def on_badge(vault: Vault, which: int = 0, *, expires: int = NOW + YEAR_S) -> Credential:
    """An on-badge volunteer: the badge as it is enrolled, and as it is shown later."""
    bare = credential(which, expires=expires, keyed=False)
    badge = replace(bare, sealed_template=vault.seal_for_badge(template(which), bare.badge_id))
    vault.enrol(badge, card_number=card_number(which), template=template(which), consent=CONSENT)
    return badge


def test_an_on_badge_template_is_not_in_the_vault(opened: Callable[[], Vault]) -> None:
    """The row says so; the badge's own copy opens, nearly as it was; without it, or with another's, nothing does."""
    badge, other = on_badge(opened()), on_badge(opened(), 1)
    for vault in (opened(), opened()):
        standing = vault.standing(badge)
        assert (Status.VOLUNTEER, CONSENT, PACK) == (standing.status, standing.consent, standing.pack_id)
        assert TemplateForm.ON_BADGE is standing.template
        numbers = opened_template(vault, badge)
        assert max(abs(a - b) for a, b in zip(numbers, numbers_of(), strict=True)) < 0.002
        for wrong, pack in (
            (replace(badge, sealed_template=None), PACK),
            (replace(badge, sealed_template=other.sealed_template), PACK),
            (replace(badge, sealed_template=None, badge_key=credential().badge_key), PACK),
            (replace(badge, plain=True), PACK),
            (badge, "test/another"),
        ):
            with pytest.raises(TemplateUnreadable) as caught:
                vault.unseal(wrong, pack)
            said(caught.value)


@pytest.mark.parametrize("act", ["withdraw", "revoke", "erase", "erase_all", "purge"])
def test_an_on_badge_template_opens_for_volunteers_only(act: str, vault: Vault) -> None:
    """The badge still carries it when its consent is gone: the missing row keeps it shut."""
    badge = on_badge(vault)
    handle = vault.handle_of(badge.badge_id)
    acts: dict[str, Callable[[], Erased]] = {
        "withdraw": lambda: vault.withdraw(handle),
        "revoke": lambda: vault.revoke(handle),
        "erase": lambda: vault.erase(handle),
        "erase_all": vault.erase_all,
        "purge": lambda: vault.purge(CONSENT.expires),
    }
    assert 1 == acts[act]().rows
    assert vault.standing(badge).template is None
    with pytest.raises(TemplateUnreadable):
        vault.unseal(badge, PACK)


def test_a_badge_that_does_not_open_is_not_enrolled(vault: Vault) -> None:
    """Sealed for another badge or another pack: found in the office, not at the gate."""
    bare = credential(keyed=False)
    for sealed in (
        vault.seal_for_badge(template(), credential(1).badge_id),
        vault.seal_for_badge(Template(template().vector, "test/another"), bare.badge_id),
        bytes(160),
    ):
        with pytest.raises(TemplateUnreadable) as caught:
            badge = replace(bare, sealed_template=sealed)
            vault.enrol(badge, card_number=card_number(), template=template(), consent=CONSENT)
        said(caught.value)
    assert [] == vault.entries()


def test_a_template_without_numbers_is_not_sealed_for_a_badge(vault: Vault) -> None:
    """Nothing, zeros, or what is no number: one line."""
    for numbers in ([], [0.0] * 128, [float("nan")] * 128, [float("inf")] * 128):
        with pytest.raises(EdgeGateError) as caught:
            vault.seal_for_badge(Template(np.array(numbers, np.float32), PACK), credential().badge_id)
        said(caught.value)


def test_an_unsealed_template_serves_once(vault: Vault) -> None:
    """Taken or wiped, it is spent; asking the vault again is another presentation."""
    volunteer(vault)
    taken, wiped = (vault.unseal(credential(), PACK) for _ in range(2))
    assert PACK == taken.pack_id
    taken.take()
    wiped.wipe()
    wiped.wipe()
    for spent in (taken, wiped):
        with pytest.raises(RuntimeError):
            spent.take()


def test_handles_differ_between_badges(vault: Vault) -> None:
    """Thirty-two bytes each, none like another, and none shows the badge's number."""
    handles = {diary(vault, number) for number in range(20)}
    assert 20 == len(handles)
    assert {32} == {len(handle) for handle in handles}
    assert not any(credential(number).badge_id in handle for number in range(20) for handle in handles)


def test_a_template_opens_with_its_own_badge_only(vault: Vault) -> None:
    """Another key under the same number, a badge without its key, or another pack: unreadable, in one line."""
    volunteer(vault)
    badge = credential()
    for other, pack in (
        (replace(badge, badge_key=credential(1).badge_key), PACK),
        (replace(badge, badge_key=None), PACK),
        (credential(1), PACK),
        (badge, "another/pack"),
    ):
        with pytest.raises(TemplateUnreadable) as caught:
            vault.unseal(other, pack)
        assert (pack != PACK) is ("another pack" in said(caught.value))


def test_a_template_handed_out_is_a_copy(vault: Vault) -> None:
    """Wiping what one presentation was given does not harm the next."""
    volunteer(vault)
    vault.unseal(credential(), PACK).wipe()
    assert numbers_of() == opened_template(vault, credential())


def test_template_and_consent_go_together(vault: Vault) -> None:
    """No template without a consent, no consent without a template, and no template under no key: nothing is kept."""
    badge = credential()
    for wrong in (
        {"template": template(), "consent": None},
        {"template": None, "consent": CONSENT},
    ):
        with pytest.raises(EdgeGateError) as caught:
            vault.enrol(badge, card_number=card_number(), **wrong)
        said(caught.value)
    with pytest.raises(EdgeGateError):
        keyless = credential(keyed=False)
        vault.enrol(keyless, card_number=card_number(), template=template(), consent=CONSENT)
    assert [] == vault.entries()


def test_a_badge_is_enrolled_once(vault: Vault) -> None:
    """A second enrolment of a badge is refused and changes nothing."""
    volunteer(vault)
    with pytest.raises(EdgeGateError) as caught:
        diary(vault)
    said(caught.value)
    assert Status.VOLUNTEER == vault.standing(credential()).status


def test_a_revoked_badge_cannot_be_enrolled_again(vault: Vault) -> None:
    """What was refused stays refused: the way back is a new badge."""
    vault.revoke(volunteer(vault))
    with pytest.raises(EdgeGateError):
        volunteer(vault)
    assert Status.REVOKED == vault.standing(credential()).status


def test_a_plain_badge_is_kept_whole_and_told_apart(opened: Callable[[], Vault]) -> None:
    """With no key and no card number; whoever counts the rows sees which they are."""
    handle = plain_volunteer(opened())
    opened().enrol(number(1), card_number="", template=None, consent=None)
    diary(opened(), 2)
    shown = replace(number(), issued=0, expires=253_402_300_799)  # as the gate reads it: without the office's dates
    for vault in (opened(), opened()):
        assert Standing(
            handle, Status.VOLUNTEER, NOW + YEAR_S, CONSENT, PACK, True, TemplateForm.PLAIN
        ) == vault.standing(shown)
        assert numbers_of() == opened_template(vault, shown)
        assert handle == vault.find(handle.hex()).handle
        assert [False, True, True] == sorted(standing.plain for standing in vault.entries())
        with pytest.raises(EdgeGateError):
            vault.find("")


def test_a_plain_badge_opens_only_its_own_template(vault: Vault) -> None:
    """Another number, another pack, or a signed badge that happens to have the same id: nothing opens."""
    plain_volunteer(vault)
    volunteer(vault, 1)
    for badge, pack in (
        (number(5), PACK),
        (number(), "test/another"),
        (credential(), PACK),
        (credential(keyed=False), PACK),
        (number(1), PACK),
    ):
        with pytest.raises(TemplateUnreadable) as caught:
            vault.unseal(badge, pack)
        said(caught.value)


def test_a_plain_number_is_enrolled_once(vault: Vault) -> None:
    """A second time is refused, saying what to do instead; a revoked one is not taken back in silence."""
    handle = plain_volunteer(vault)
    with pytest.raises(EdgeGateError) as caught:
        vault.enrol(number(), card_number="", template=None, consent=None)
    assert "enrolled already, until it expires; give another card" in said(caught.value)
    assert Status.VOLUNTEER is vault.standing(number()).status
    for withdraw in (vault.revoke, vault.erase):
        withdraw(handle)
        with pytest.raises(EdgeGateError) as caught:
            vault.enrol(number(issued=NOW + YEAR_S - 1), card_number="", template=None, consent=None)
        assert "was revoked, and is refused until it expires; give another card" in said(caught.value)
        assert Standing(handle, Status.REVOKED, NOW + YEAR_S, plain=True) == vault.standing(number())


@pytest.mark.parametrize("revoked", [False, True])
def test_an_expired_plain_number_can_be_given_out_again(vault: Vault, revoked: bool) -> None:
    """The card outlives the school year, and nobody has to wait for the housekeeping; other rows stay."""
    handle = plain_volunteer(vault)
    volunteer(vault, 1)
    if revoked:
        vault.revoke(handle)
    again = number(issued=NOW + YEAR_S, expires=NOW + 2 * YEAR_S)
    assert 1 == vault.enrol(again, card_number="", template=None, consent=None).rows
    assert Standing(handle, Status.DIARY, NOW + 2 * YEAR_S, plain=True) == vault.standing(number())
    assert Status.VOLUNTEER is vault.standing(credential(1)).status


def test_a_signed_badge_is_never_given_out_again(vault: Vault) -> None:
    """Expired or not: it has a fresh id each time, so the same one twice is a mistake."""
    volunteer(vault)
    with pytest.raises(EdgeGateError):
        vault.enrol(replace(credential(), issued=NOW + 2 * YEAR_S), card_number="", template=None, consent=None)
    assert Status.VOLUNTEER is vault.standing(credential()).status


def test_a_plain_badge_is_withdrawn_like_the_others(vault: Vault) -> None:
    """Lapsed consent, revocation, erasure: the template is gone, the row is known as plain to its end."""
    lapsing = replace(CONSENT, expires=NOW + DAY_S)
    for which in range(3):
        plain_volunteer(vault, which, lapsing)
    vault.revoke(vault.handle_of(number(1).badge_id))
    vault.erase(vault.handle_of(number(2).badge_id))
    assert 1 == vault.purge(NOW + DAY_S).rows
    rows = [vault.standing(number(which)) for which in range(3)]
    assert [Status.DIARY, Status.REVOKED, Status.REVOKED] == [row.status for row in rows]
    assert all(row.plain and row.pack_id is None and row.consent is None for row in rows)
    for which in range(3):
        with pytest.raises(TemplateUnreadable):
            vault.unseal(number(which), PACK)
    assert 3 == vault.purge(NOW + YEAR_S).rows


def test_finding_by_card_number_and_handle(vault: Vault) -> None:
    """The number on the card, the whole handle, and its first twelve digits in either case find one badge."""
    handles = [volunteer(vault, number) for number in range(3)]
    for number, handle in enumerate(handles):
        digits = handle.hex()
        for who in (card_number(number), digits, digits[:12], digits[:12].upper(), f" {digits[:20]} "):
            assert vault.standing(credential(number)) == vault.find(who)


@pytest.mark.parametrize("who", ["", "99999999", "f" * 11, "0" * 12, "g" * 12, "é", "%", "_" * 12, "x" * 5000, "\0"])
def test_finding_nobody_is_said_in_one_line(vault: Vault, who: str) -> None:
    """What names no badge is an error with a way on, never the wrong badge."""
    volunteer(vault)
    with pytest.raises(EdgeGateError) as caught:
        vault.find(who)
    assert len(said(caught.value)) < 300


def test_too_short_a_handle_is_not_searched(vault: Vault) -> None:
    """Eleven digits of a handle name nobody, though only one badge has them."""
    digits = volunteer(vault).hex()
    with pytest.raises(EdgeGateError):
        vault.find(digits[:11])


def test_a_revoked_badge_loses_its_template_at_once(opened: Callable[[], Vault]) -> None:
    """It is known and refused, found by its card, and nothing of the face or the consent is left."""
    vault = opened()
    handle = volunteer(vault)
    volunteer(vault, 1)
    vault.revoke(handle)
    vault.revoke(handle)
    for seen in (vault, opened()):
        assert Standing(handle, Status.REVOKED, NOW + YEAR_S) == seen.standing(credential())
        assert handle == seen.find(card_number()).handle
        assert Status.VOLUNTEER == seen.standing(credential(1)).status
        with pytest.raises(TemplateUnreadable):
            seen.unseal(credential(), PACK)


@pytest.mark.parametrize("kind", [volunteer, diary])
def test_an_erased_badge_leaves_only_its_refusal(vault: Vault, kind: Callable[[Vault], bytes]) -> None:
    """Handle, refusal and expiry stay; the card number names nobody any more."""
    handle = kind(vault)
    vault.erase(handle)
    assert Standing(handle, Status.REVOKED, NOW + YEAR_S) == vault.standing(credential())
    assert handle == vault.find(handle.hex()).handle
    with pytest.raises(EdgeGateError):
        vault.find(card_number())
    with pytest.raises(TemplateUnreadable):
        vault.unseal(credential(), PACK)


def test_a_withdrawn_badge_goes_on_as_a_diary_badge(opened: Callable[[], Vault]) -> None:
    """Template and consent are gone, the card is known as before; a second time there is nothing to do."""
    vault = opened()
    handle = volunteer(vault)
    volunteer(vault, 1)
    assert 1 == vault.withdraw(handle).rows
    assert Erased(0) == vault.withdraw(handle)
    for seen in (vault, opened()):
        assert Standing(handle, Status.DIARY, NOW + YEAR_S) == seen.standing(credential())
        assert handle == seen.find(card_number()).handle
        assert Status.VOLUNTEER is seen.standing(credential(1)).status
        with pytest.raises(TemplateUnreadable):
            seen.unseal(credential(), PACK)


def test_a_revoked_badge_has_no_consent_to_withdraw(vault: Vault) -> None:
    """Withdrawing does not bring a refused badge back."""
    for which, act in enumerate((vault.revoke, vault.erase)):
        handle = volunteer(vault, which)
        act(handle)
        with pytest.raises(EdgeGateError) as caught:
            vault.withdraw(handle)
        said(caught.value)
        assert Status.REVOKED is vault.find(handle.hex()).status


def test_a_renewed_badge_replaces_the_old_one(vault: Vault) -> None:
    """In one breath: the new one opens, the old one is refused and has left nothing."""
    old = volunteer(vault)
    done = vault.enrol(credential(1), card_number=card_number(1), template=template(), consent=CONSENT, replaces=old)
    assert 1 == done.rows
    assert numbers_of() == opened_template(vault, credential(1))
    assert Standing(old, Status.REVOKED, NOW + YEAR_S) == vault.standing(credential())
    with pytest.raises(TemplateUnreadable):
        vault.unseal(credential(), PACK)


@pytest.mark.parametrize("which", ["unknown", "itself", "taken"])
def test_a_renewal_that_fails_leaves_the_old_badge_as_it_was(which: str, vault: Vault) -> None:
    """Nobody is left without a badge: what it replaces is unknown or itself, or the new one is there already."""
    old = volunteer(vault)
    new, replaced = {"unknown": (1, bytes(32)), "itself": (0, old), "taken": (2, old)}[which]
    diary(vault, 2)
    with pytest.raises(EdgeGateError) as caught:
        vault.enrol(
            credential(new), card_number=card_number(9), template=template(), consent=CONSENT, replaces=replaced
        )
    said(caught.value)
    assert numbers_of() == opened_template(vault, credential())
    assert 2 == len(vault.entries())


def test_erasing_everything_leaves_nobody(opened: Callable[[], Vault]) -> None:
    """Volunteers, diary badges and refusals alike; the gate's lockdown stays; enrolling goes on."""
    vault = opened()
    volunteer(vault, 0)
    diary(vault, 1)
    vault.revoke(volunteer(vault, 2))
    vault.set_locked(True)
    done = vault.erase_all()
    assert 3 == done.rows
    assert Erased(0) == vault.erase_all()
    for seen in (vault, opened()):
        assert [] == seen.entries()
        assert seen.locked()
    volunteer(vault, 0)


def test_what_was_forgotten_is_named(vault: Vault) -> None:
    """Each value 16 bytes or more, none that is still there, none twice; more for a template than without."""
    handles = [volunteer(vault, which) for which in range(3)]
    card, refusal = vault.withdraw(handles[0]), vault.erase(handles[1])
    again = vault.revoke(handles[0])
    for erased in (card, refusal, again):
        assert 1 == erased.rows
        assert all(len(trace) >= 16 for trace in erased.traces)
        assert len(erased.traces) == len(set(erased.traces))
        assert not set(handles) & set(erased.traces)
        assert repr(erased) == f"Erased(rows=1, consents={erased.consents})"
    sizes = [max(map(len, erased.traces)) for erased in (card, refusal, again)]
    assert [540, 540] == sizes[:2]  # 128 float32, nonce and tag
    assert sizes[2] < 540
    everything = vault.erase_all()
    assert set(handles) <= set(everything.traces)
    assert not set(card.traces) & set(everything.traces)


def test_the_word_for_a_withdrawal_is_taken_once(opened: Callable[[], Vault]) -> None:
    """The desk leaves it, the gate takes it; left twice it is one; not for ever, since the gate clears it at start."""
    desk, gate = opened(), opened()
    assert not gate.take_withdrawal()
    for times in (1, 2):
        for _ in range(times):
            desk.arm_withdrawal()
        assert gate.take_withdrawal()
        assert not gate.take_withdrawal()
        assert not desk.take_withdrawal()
    assert not gate.locked()


def test_forgetting_nobody_is_an_error(vault: Vault) -> None:
    """A handle the vault does not have is told, so that nobody believes a badge was refused."""
    for act in (vault.revoke, vault.erase, vault.withdraw):
        with pytest.raises(EdgeGateError) as caught:
            act(bytes(32))
        said(caught.value)


def test_entries_are_all_there_is(vault: Vault) -> None:
    """Every badge once, as `standing` tells it."""
    volunteer(vault, 0)
    diary(vault, 1)
    vault.revoke(volunteer(vault, 2))
    expected = [vault.standing(credential(number)) for number in range(3)]
    entries = vault.entries()
    assert 3 == len(entries)
    assert all(entry in entries for entry in expected)


def test_purging_drops_what_is_past_its_date(vault: Vault) -> None:
    """Expired badges go, revoked ones too; an expired consent takes the template along; the rest stays."""
    lapsing = replace(CONSENT, expires=NOW + DAY_S)
    volunteer(vault, 0)
    volunteer(vault, 1, lapsing)
    diary(vault, 2, NOW + DAY_S)
    vault.revoke(volunteer(vault, 3, lapsing, NOW + DAY_S))
    assert 0 == vault.purge(NOW + DAY_S - 1).rows
    assert 3 == vault.purge(NOW + DAY_S).rows
    assert 0 == vault.purge(NOW + DAY_S).rows
    wanted = [Status.VOLUNTEER, Status.DIARY, Status.UNKNOWN, Status.UNKNOWN]
    assert wanted == [vault.standing(credential(number)).status for number in range(4)]
    assert Standing(vault.handle_of(credential(1).badge_id), Status.DIARY, NOW + YEAR_S) == vault.standing(
        credential(1)
    )
    with pytest.raises(TemplateUnreadable):
        vault.unseal(credential(1), PACK)
    assert numbers_of() == opened_template(vault, credential())


def test_the_lockdown_outlives_a_restart(opened: Callable[[], Vault]) -> None:
    """Off at first; set by one, seen by another at once and after a restart; lifted the same way."""
    first, second = opened(), opened()
    assert not first.locked()
    for on in (True, True, False):
        first.set_locked(on)
        assert on is second.locked()
        assert on is opened().locked()
