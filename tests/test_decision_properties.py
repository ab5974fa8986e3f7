"""The heart under any sequence of events: what must never happen does not, and what must end ends."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edgegate.decision import BLOCKS_FACES, lights, next_deadline, step
from edgegate.model import (
    FAULTS,
    BadgeChecked,
    Button,
    Code,
    CodeSeen,
    Decision,
    Detail,
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
    WithdrawalArmed,
    Withdrawn,
)
from edgegate.state import (
    Action,
    Decide,
    Forget,
    Hint,
    HintKind,
    KeepConsent,
    Lights,
    OpenTemplate,
    Phase,
    Rules,
    State,
    WithdrawConsent,
)

PHASE_OF = {Decision.GRANTED: Phase.GRANTED, Decision.ALARM: Phase.ALARM, Decision.REFER: Phase.REFER}
ROUNDING_S = 1e-6
HANDLES = [bytes([n]) * 32 for n in range(3)]

seconds = st.one_of(
    st.just(0.0), st.sampled_from([1 / 15, 0.5, 2.0, 3.0, 15.0, 20.0, 30.0, 60.0]), st.floats(0.0, 100.0)
)
rules = st.builds(
    Rules,
    granted_s=st.sampled_from([0.1, 2.0]),
    alarm_s=st.sampled_from([1.0, 15.0]),
    buzzer_max_s=st.sampled_from([0.5, 15.0, 60.0]),
    look_s=st.sampled_from([0.1, 3.0]),
    min_probes=st.sampled_from([1, 3]),
)
codes = st.builds(Code, st.sampled_from(["EG1:A", "EG1:B", "EG1:C"]), st.booleans())
sights = st.builds(CodeSeen, codes, st.sampled_from([True, True, True, False]))
volunteers = st.builds(
    BadgeChecked,
    st.just(Status.VOLUNTEER),
    st.sampled_from(HANDLES),
    altered=st.sampled_from([False, False, False, True]),
)
badges = st.builds(
    BadgeChecked,
    st.sampled_from(Status),
    st.none() | st.sampled_from(HANDLES),
    st.none() | st.sampled_from(Detail),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
withdrawals = st.builds(Withdrawn, st.none() | st.sampled_from(sorted(FAULTS)))
looks = st.builds(Looked, st.sampled_from(Look))
presses = st.builds(Pressed, st.sampled_from(Button))
faults = st.builds(FaultsNow, st.frozensets(st.sampled_from(Reason), max_size=3))
events: st.SearchStrategy[Event] = st.one_of(
    sights,
    volunteers,
    badges,
    looks,
    presses,
    faults,
    st.builds(NotRecorded, st.sampled_from(sorted(FAULTS))),
    st.builds(LockdownSet, st.booleans()),
    st.just(TemplateRefused()),
    st.just(WithdrawalArmed()),
    withdrawals,
    st.just(Tick()),
)


def settled(state: State, now: float) -> tuple[State, float]:
    """Only time passes, deadline after deadline. Returns where the gate comes to rest, and when."""
    for _ in range(4):
        deadline = next_deadline(state, now)
        if deadline is None:
            return state, now
        now = deadline
        state, _ = step(state, Tick(), now)
    raise AssertionError(f"four deadlines later the gate is still in {state.phase}")


class AnyDay(RuleBasedStateMachine):
    """Events of all kinds at any pace, some of them where they belong, so that every phase is reached."""

    @initialize(rules=rules)
    def start(self, rules: Rules) -> None:
        self.state, self.now = State(rules), 1000.0

    @rule(event=events, after=seconds)
    def anything(self, event: Event, after: float) -> None:
        self.send(event, after)

    @rule(code=codes)
    def a_badge_comes(self, code: Code) -> None:
        self.send(CodeSeen(code), 0.1)

    @precondition(lambda self: self.state.phase is Phase.CHECKING)
    @rule(badge=volunteers | badges)
    def the_badge_is_checked(self, badge: BadgeChecked) -> None:
        self.send(badge, 0.0)

    @precondition(lambda self: self.state.wants_face)
    @rule(looks=st.lists(looks, min_size=1, max_size=4), after=st.sampled_from([0.05, 1.0]))
    def a_face_is_looked_at(self, looks: list[Looked], after: float) -> None:
        for look in looks:
            self.send(look, after)

    @precondition(lambda self: self.state.phase is Phase.REFER)
    @rule()
    def the_supervisor_has_seen_the_diary(self) -> None:
        self.send(Pressed(Button.DIARY), 0.5)

    @precondition(lambda self: self.state.phase is Phase.CONFIRMING)
    @rule(button=st.sampled_from(Button), after=st.sampled_from([0.1, 0.3, 5.0]))
    def the_supervisor_answers(self, button: Button, after: float) -> None:
        self.send(Pressed(button), after)

    @precondition(lambda self: self.state.confirmed)
    @rule(withdrawn=withdrawals, after=st.sampled_from([0.01, 20.0]))
    def it_is_withdrawn(self, withdrawn: Withdrawn, after: float) -> None:
        """And the button bounces, or was pressed twice."""
        self.send(withdrawn, after)
        self.send(Pressed(Button.DIARY), 0.1)

    @rule(after=st.sampled_from([0.5, 59.0, 61.0]))
    def somebody_comes_to_withdraw(self, after: float) -> None:
        self.all_is_well_again()
        self.send(WithdrawalArmed(), 0.0)
        self.send(Pressed(Button.ACKNOWLEDGE), after)
        self.send(CodeSeen(Code("EG1:W", steady=False)), 3.0)
        self.send(BadgeChecked(Status.VOLUNTEER, HANDLES[1]), 0.0)

    @rule()
    def all_is_well_again(self) -> None:
        self.send(FaultsNow(frozenset()), 0.0)
        self.send(LockdownSet(False), 0.0)

    @rule(look=looks | st.just(Looked(Look.BELOW)), times=st.integers(1, 4))
    def a_volunteer_comes(self, look: Looked, times: int) -> None:
        """A whole presentation, whatever was going on before; always the same badge, so that alarms add up."""
        self.all_is_well_again()
        self.send(Pressed(Button.ACKNOWLEDGE), 3.0)
        self.send(CodeSeen(Code("EG1:D", steady=False)), 0.0)
        self.send(BadgeChecked(Status.VOLUNTEER, HANDLES[0]), 0.0)
        for _ in range(times):
            self.send(look, 0.01)
        self.send(Tick(), self.state.rules.look_s)

    @invariant()
    def time_alone_brings_it_to_rest(self) -> None:
        """Within the hold times, and to the right kind of rest."""
        rules = self.state.rules
        rest, then = settled(self.state, self.now)
        expected = Phase.LOCKDOWN if rest.locked else Phase.FAULT if rest.faults else Phase.READY
        assert expected is rest.phase
        longest = max(rules.look_s, rules.confirm_s) + max(rules.granted_s, rules.alarm_s, rules.refer_s)
        assert then - self.now <= longest + ROUNDING_S

    @invariant()
    def its_phase_is_coherent(self) -> None:
        """A verdict exactly where a decision is shown, a deadline ahead exactly where something is under way."""
        state = self.state
        shown = PHASE_OF[state.verdict.decision] if state.verdict else None
        assert shown is (state.phase if state.phase in PHASE_OF.values() else None)
        deadline = next_deadline(state, self.now)
        assert (deadline is None) == state.at_rest
        assert deadline is None or deadline > self.now
        assert (lights(state, self.now) is Lights.GRANTED) == (state.phase is Phase.GRANTED)
        assert state.faults <= FAULTS

    @invariant()
    def it_remembers_no_more_than_it_needs(self) -> None:
        """One entry for a code or badge, and never more alarms than it takes to make a badge wait."""
        for remembered in (self.state.seen, self.state.attempts):
            assert len(dict(remembered)) == len(remembered)
        for _, attempts in self.state.attempts:
            assert len(attempts.times) < self.state.rules.attempts
        assert self.state.wants_face or not self.state.looks

    def send(self, event: Event, after: float) -> None:
        """Hand over an event and judge the step it led to."""
        self.now += after
        before = self.state
        after_it, actions = step(before, event, self.now)
        again = step(before, event, self.now)
        assert (after_it, actions) == again
        self.state = after_it
        decided = [action for action in actions if isinstance(action, Decide)]
        judge_green(before, event, after_it, decided, self.now)
        judge_faces(before, event, after_it, actions)
        judge_hints(before, event, after_it, actions)
        judge_withdrawals(before, event, after_it, actions, self.now)
        judge_decisions(before, event, after_it, decided)
        judge_memory(event, after_it, decided, self.now)


def judge_green(before: State, event: Event, after: State, decided: list[Decide], now: float) -> None:
    """Green begins with a match just looked at, or with a supervisor's button on a referral that is being shown."""
    grants = [decide.verdict.reason for decide in decided if decide.verdict.decision is Decision.GRANTED]
    shown = before.until is not None and now < before.until
    calm = not before.confirmed or now - before.since >= before.rules.settle_s
    allowed: list[Reason] = []
    if event == Looked(Look.MATCH) and before.phase is Phase.LOOKING:
        allowed = [Reason.MATCH]
    elif event == Pressed(Button.DIARY) and before.phase is Phase.REFER and shown and calm:
        allowed = [Reason.SUPERVISOR]
    assert allowed == grants
    if after.phase is Phase.GRANTED and not grants:
        assert (before.phase, before.presentation, before.until) == (after.phase, after.presentation, after.until)


def judge_faces(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
    """A face is asked for only after a volunteer's valid badge, and forgotten as soon as it is not asked for."""
    begun = after.wants_face and not (before.wants_face and before.presentation == after.presentation)
    assert begun == (OpenTemplate() in actions)
    if begun:
        assert isinstance(event, BadgeChecked)
        assert before.phase is Phase.CHECKING
        assert event.status is Status.VOLUNTEER
        assert not (event.forged or event.badge_expired or event.consent_expired or event.altered)
        assert not (after.locked or after.faults & BLOCKS_FACES)
    assert (before.wants_face and not after.wants_face) == (Forget() in actions)


def judge_hints(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
    """A look advises only while the gate goes on looking, and says nothing twice; who is not looked at hears none."""
    assert after.wants_face or not after.hinted
    kinds = [action.kind for action in actions if isinstance(action, Hint)] if isinstance(event, Looked) else []
    advised = [kind for kind in kinds if kind is not HintKind.CONSENT_KEPT]  # which a late event brings too
    assert len(advised) <= 1
    if advised:
        assert before.wants_face
        assert after.wants_face
        assert advised[0] not in before.hinted
        assert after.hinted == before.hinted | set(advised)
    elif before.wants_face and after.wants_face and before.presentation == after.presentation:
        assert before.hinted == after.hinted


def judge_withdrawals(before: State, event: Event, after: State, actions: tuple[Action, ...], now: float) -> None:
    """Only an armed gate asks, only the button withdraws, only what was withdrawn is called so, and none of it looks
    at a face or opens."""
    asks = after.phase is Phase.CONFIRMING and before.phase is not Phase.CONFIRMING
    if asks:
        assert isinstance(event, BadgeChecked)
        assert before.armed_until is not None
        assert now < before.armed_until
        assert after.armed_until is None
        assert not (event.forged or event.badge_expired or event.consent_expired or event.altered)
        assert (event.status, event.handle) == (Status.VOLUNTEER, after.handle)
    asked = before.phase is Phase.CONFIRMING and not before.confirmed
    withdraws = [action.handle for action in actions if isinstance(action, WithdrawConsent)]
    if withdraws:
        assert event == Pressed(Button.DIARY)
        assert asked
        assert [before.handle] == withdraws
        assert before.until is not None
        assert now < before.until
    keeps = [action.handle for action in actions if isinstance(action, KeepConsent)]
    stays = after.phase is Phase.CONFIRMING and after.presentation == before.presentation
    assert ([before.handle] if asked and not stays else []) == keeps
    if before.phase is Phase.CONFIRMING:
        assert after.phase is not Phase.GRANTED
        assert not after.wants_face
        assert OpenTemplate() not in actions
        decided = [action.verdict for action in actions if isinstance(action, Decide) and action.presentation]
        withdrawn = [verdict for verdict in decided if verdict.reason is Reason.NOT_ENROLLED]
        assert bool(withdrawn) == (before.confirmed and event == Withdrawn())


def judge_decisions(before: State, event: Event, after: State, decided: list[Decide]) -> None:
    """Numbers go up by one with a new badge and never back; what was decided last is what is shown."""
    started = after.presentation > before.presentation
    assert after.presentation == before.presentation + started
    assert not started or (isinstance(event, CodeSeen) and event.credible)
    for decide in decided:
        own = decide.verdict.decision is Decision.FAULT
        assert (decide.presentation is None) == own
        assert own or decide.presentation in (before.presentation, after.presentation)
    ours = [decide for decide in decided if decide.presentation is not None]
    if ours and (ours[-1].verdict, ours[-1].presentation) != (after.verdict, after.presentation):
        # Overdue, it was decided in the step that brings the next badge, or the lockdown.
        assert after.verdict is None
        assert (started and after.phase is Phase.CHECKING) or event == LockdownSet(True)


def judge_memory(event: Event, after: State, decided: list[Decide], now: float) -> None:
    """A code long out of view and alarms long past are dropped as soon as there is something new to remember."""
    rules = after.rules
    if isinstance(event, CodeSeen):
        assert all(now - last < rules.again_after_s for _, last in after.seen)
    if any(decide.presentation is not None for decide in decided):
        for _, attempts in after.attempts:
            newest = max(attempts.times, default=now - rules.attempts_within_s)
            assert attempts.paused_until > now or now - newest < rules.attempts_within_s


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
