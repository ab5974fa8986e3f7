"""The heart: `step(state, event, now) -> (state, actions)`.

Pure: no thread, clock, camera, database or pin. Time comes in as an argument (monotonic seconds). What
should have ended by `now` ends before the event is applied, so a late event never meets a stale phase.
"""

from __future__ import annotations

from dataclasses import replace

from edgegate.looks import advice, verdict_of
from edgegate.model import (
    FAULTS,
    BadgeChecked,
    Button,
    CodeSeen,
    Decision,
    Event,
    FaultsNow,
    LockdownSet,
    Look,
    Looked,
    NotRecorded,
    Pressed,
    Reason,
    Status,
    TemplateRefused,
    Tick,
    Verdict,
    WithdrawalArmed,
    Withdrawn,
)
from edgegate.state import (
    Action,
    Check,
    Decide,
    Forget,
    Hint,
    HintKind,
    KeepConsent,
    Lights,
    OpenTemplate,
    Phase,
    State,
    WithdrawConsent,
)

BLOCKS_FACES = FAULTS - {Reason.READER_LOST}
"""Faults under which no face is compared; a lost reader leaves the other readers their work."""

_PHASE_OF = {Decision.GRANTED: Phase.GRANTED, Decision.ALARM: Phase.ALARM, Decision.REFER: Phase.REFER}
_LIGHTS_OF = {
    Phase.READY: Lights.READY,
    Phase.CHECKING: Lights.LOOKING,
    Phase.LOOKING: Lights.LOOKING,
    Phase.CONFIRMING: Lights.CONFIRMING,
    Phase.GRANTED: Lights.GRANTED,
    Phase.REFER: Lights.REFER,
    Phase.FAULT: Lights.FAULT,
    Phase.LOCKDOWN: Lights.LOCKDOWN,
}

_Result = tuple[State, tuple[Action, ...]]


def step(state: State, event: Event, now: float) -> _Result:
    """Apply one event at `now`. Returns the next state and what has to be done, in order."""
    if isinstance(event, Looked) and state.wants_face:
        # A look begun in time counts, even where the device was slow to finish it.
        return _looked(_still_in_view(state, event.took_s), event.look, now)
    if isinstance(event, Withdrawn) and state.phase is Phase.CONFIRMING and state.confirmed:
        # Confirmed in time; a slow disk does not take it back.
        return _withdrawn(state, event.fault, now)
    expired, actions = _expire(state, now)
    if isinstance(event, Pressed) and expired.phase is not state.phase:
        # The button answered lights that were already over; it cannot mean what nobody has seen yet.
        return expired, actions
    after, more = _apply(expired, event, now)
    return after, actions + more


def lights(state: State, now: float) -> Lights:
    """What the gate shows. An alarm's buzzer falls silent after `buzzer_max_s`, its light stays."""
    if state.phase is Phase.ALARM:
        return Lights.ALARM if now < state.since + state.rules.buzzer_max_s else Lights.ALARM_SILENT
    return _LIGHTS_OF[state.phase]


def next_deadline(state: State, now: float) -> float | None:
    """When `step` wants a `Tick` if nothing else happens before; None while at rest."""
    if state.phase is Phase.ALARM and state.until is not None:
        silence = state.since + state.rules.buzzer_max_s
        return silence if now < silence < state.until else state.until
    return state.until


def _apply(state: State, event: Event, now: float) -> _Result:
    match event:
        case CodeSeen():
            return _code_seen(state, event, now)
        case BadgeChecked() if state.phase is Phase.CHECKING:
            return _checked(state, event, now)
        case TemplateRefused() if state.phase is Phase.LOOKING:
            return _decide(state, Verdict(Reason.TEMPLATE_UNREADABLE), now)
        case Pressed(button=button):
            return _pressed(state, button, now)
        case FaultsNow(faults=faults):
            return _faults(state, faults & FAULTS, now)
        case NotRecorded(fault=fault):
            if state.phase is Phase.GRANTED and state.verdict == Verdict(Reason.MATCH):
                return _decide(state, Verdict(Reason.OUT_OF_ORDER, fault.value), now)
            return state, ()
        case LockdownSet(on=on):
            return _lockdown(state, on, now)
        case WithdrawalArmed():
            armed = replace(state, armed_until=now + state.rules.armed_s)
            return armed, (Hint(HintKind.WITHDRAWAL_ARMED),)
        case Tick() | _:
            return state, ()


def _expire(state: State, now: float) -> _Result:
    """End what should have ended by now."""
    if state.until is None or now < state.until:
        return state, ()
    if state.phase is Phase.LOOKING:
        return _decide(state, verdict_of(state.looks, state.rules), now)
    if state.phase is Phase.CHECKING or (state.phase is Phase.CONFIRMING and state.confirmed):
        return _decide(state, Verdict(Reason.OUT_OF_ORDER), now)
    if state.phase is Phase.CONFIRMING:
        return _kept(state, now)
    return state.rest(now), ()


def _code_seen(state: State, event: CodeSeen, now: float) -> _Result:
    code, rules = event.code, state.rules
    fingerprint = code.fingerprint
    seen = {known: last for known, last in state.seen if now - last < rules.again_after_s}
    still_in_view = code.steady and fingerprint in seen
    if still_in_view:
        seen[fingerprint] = now
    state = replace(state, seen=tuple(seen.items()))
    if still_in_view:
        return state, ()
    if not event.credible:
        return _foreign(state, code.steady, now)
    if state.phase in (Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING, Phase.ALARM):
        busy = not code.steady and fingerprint != state.badge
        return state, (Hint(HintKind.ONE_AT_A_TIME),) if busy else ()

    seen[fingerprint] = now
    state = replace(
        state,
        phase=Phase.CHECKING,
        since=now,
        until=now + rules.look_s,
        presentation=state.presentation + 1,
        verdict=None,
        badge=fingerprint,
        handle=None,
        looks=(),
        hinted=frozenset(),
        confirmed=False,
        seen=tuple(seen.items()),
        foreign_since=None,
    )
    if state.locked:
        return _decide(state, Verdict(Reason.LOCKDOWN), now)
    return state, (Check(code),)


def _foreign(state: State, steady: bool, now: float) -> _Result:
    """A code that is no badge: ignored, with a word to the student once it has been held up for a while."""
    rules, since = state.rules, state.foreign_since
    if since is None or now - state.foreign_last >= rules.again_after_s:
        since = now
    state = replace(state, foreign_since=since, foreign_last=now)
    held = now - since >= rules.hint_after_s or not steady
    due = state.hinted_at is None or now - state.hinted_at >= rules.hint_again_s
    if held and due and state.at_rest:
        return replace(state, hinted_at=now), (Hint(HintKind.NOT_A_BADGE),)
    return state, ()


def _checked(state: State, badge: BadgeChecked, now: float) -> _Result:
    state = replace(state, handle=badge.handle)
    blocking = sorted(state.faults & BLOCKS_FACES)
    withdraws = state.armed_until is not None and now < state.armed_until and state.handle is not None
    if badge.forged is not None:
        verdict = Verdict(Reason.FORGED, badge.forged.value)
    elif badge.altered:
        verdict = Verdict(Reason.TEMPLATE_UNREADABLE)
    elif badge.status is Status.REVOKED:
        verdict = Verdict(Reason.REVOKED)
    elif badge.badge_expired:
        verdict = Verdict(Reason.BADGE_EXPIRED)
    elif Reason.VAULT_UNREADABLE in state.faults:
        verdict = Verdict(Reason.OUT_OF_ORDER, Reason.VAULT_UNREADABLE.value)
    elif badge.status is Status.UNKNOWN:
        verdict = Verdict(Reason.UNKNOWN_BADGE)
    elif badge.status is Status.DIARY:
        verdict = Verdict(Reason.NOT_ENROLLED)
    elif badge.consent_expired:
        verdict = Verdict(Reason.CONSENT_EXPIRED)
    elif blocking and not withdraws:
        verdict = Verdict(Reason.OUT_OF_ORDER, blocking[0].value)
    elif state.paused_until(now) is not None:
        verdict = Verdict(Reason.TOO_MANY_ATTEMPTS)
    elif withdraws:
        until = now + state.rules.confirm_s
        return replace(state, phase=Phase.CONFIRMING, since=now, until=until, armed_until=None), ()
    else:
        looking = replace(state, phase=Phase.LOOKING, since=now, until=now + state.rules.look_s)
        return looking, (OpenTemplate(),)
    return _decide(state, verdict, now)


def _still_in_view(state: State, took_s: float) -> State:
    """While a look computes, no badge is read: the codes in view are as fresh after it as they were before."""
    return replace(state, seen=tuple((code, last + took_s) for code, last in state.seen))


def _looked(state: State, look: Look, now: float) -> _Result:
    if look is Look.MATCH:
        return _decide(state, Verdict(Reason.MATCH), now)
    state, hints = _advised(replace(state, looks=(*state.looks, look)))
    after, actions = _expire(state, now)
    # With the decision comes a sentence of its own.
    return after, actions if after.phase is not Phase.LOOKING else hints


def _advised(state: State) -> _Result:
    """A word to the student, each once a presentation."""
    kind = advice(state.looks)
    if kind is None or kind in state.hinted:
        return state, ()
    return replace(state, hinted=state.hinted | {kind}), (Hint(kind),)


def _decide(state: State, verdict: Verdict, now: float) -> _Result:
    rules, phase = state.rules, _PHASE_OF[verdict.decision]
    hold = {Phase.GRANTED: rules.granted_s, Phase.ALARM: rules.alarm_s, Phase.REFER: rules.refer_s}[phase]
    decide = Decide(verdict, state.presentation, state.handle)
    actions: tuple[Action, ...] = (Forget(), decide) if state.wants_face else (decide,)
    state = replace(state, phase=phase, since=now, until=now + hold, verdict=verdict, looks=(), hinted=frozenset())
    return state.counted(verdict.reason, now), actions


def _pressed(state: State, button: Button, now: float) -> _Result:
    if button is Button.DIARY and state.phase is Phase.REFER:
        if state.confirmed and now - state.since < state.rules.settle_s:
            return state, ()
        return _decide(state, Verdict(Reason.SUPERVISOR), now)
    if state.phase is Phase.CONFIRMING and not state.confirmed:
        if button is Button.ACKNOWLEDGE or state.handle is None:
            return _kept(state, now)
        return replace(state, confirmed=True), (WithdrawConsent(state.handle),)
    if button is Button.ACKNOWLEDGE and state.phase in (Phase.ALARM, Phase.REFER):
        return state.rest(now), ()
    return state, ()


def _withdrawn(state: State, fault: Reason | None, now: float) -> _Result:
    """From here on it is a diary badge, and today's presentation goes on as that of one."""
    if fault is not None:
        return _decide(state, Verdict(Reason.OUT_OF_ORDER, fault.value), now)
    return _decide(state, Verdict(Reason.NOT_ENROLLED), now)


def _kept(state: State, now: float) -> _Result:
    """Nobody confirmed: all stays as it was, and the badge can be shown again."""
    return state.rest(now), (KeepConsent(state.handle), Hint(HintKind.CONSENT_KEPT))


def _faults(state: State, faults: frozenset[Reason], now: float) -> _Result:
    fresh = sorted(faults - state.faults)
    actions: tuple[Action, ...] = tuple(Decide(Verdict(reason), None) for reason in fresh)
    state = replace(state, faults=faults)
    if state.at_rest:
        return state.rest(now), actions
    blocking = sorted(faults & BLOCKS_FACES)
    if state.phase is Phase.LOOKING and blocking:
        after, more = _decide(state, Verdict(Reason.OUT_OF_ORDER, blocking[0].value), now)
        return after, actions + more
    return state, actions


def _lockdown(state: State, on: bool, now: float) -> _Result:
    state = replace(state, locked=on)
    if on and state.phase in (Phase.CHECKING, Phase.LOOKING, Phase.CONFIRMING):
        kept = state.phase is Phase.CONFIRMING and not state.confirmed
        after, actions = _decide(state, Verdict(Reason.LOCKDOWN), now)
        return after, ((KeepConsent(state.handle),) if kept else ()) + actions
    if state.at_rest or (on and state.phase in (Phase.GRANTED, Phase.REFER)):
        return state.rest(now), ()
    return state, ()
