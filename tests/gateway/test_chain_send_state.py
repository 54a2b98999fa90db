"""The pure decisions: one table of steps, and what must hold whatever happens, in whatever order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import send_state as s
from gateway.chain.faults import Fault
from gateway.chain.send_state import (
    Accepted,
    Action,
    Fees,
    Looked,
    Mined,
    Phase,
    Policy,
    Rejected,
    SendState,
    step,
)

POLICY = Policy(confirmations=3)
FEES = Fees(20, 2)
READY = SendState(Phase.READY, FEES)
PENDING = SendState(Phase.PENDING, FEES, at_ms=0, tried=True)
MINED_STATE = SendState(Phase.MINED, FEES, tried=True, mined=Mined(10, "0xa", True))

STEPS = [
    ("first publish", READY, Looked(0, 9), Phase.READY, Action.PUBLISH),
    ("taken", READY, Accepted(5), Phase.PENDING, Action.WAIT),
    ("known counts as taken", READY, Rejected(5, Fault.ALREADY_KNOWN), Phase.PENDING, Action.WAIT),
    ("nonce used: look", READY, Rejected(5, Fault.NONCE_TOO_LOW), Phase.PENDING, Action.WAIT),
    ("too cheap", READY, Rejected(5, Fault.UNDERPRICED), Phase.READY, Action.BUMP),
    ("away", READY, Rejected(5, Fault.UNAVAILABLE), Phase.READY, Action.WAIT),
    ("no money", READY, Rejected(5, Fault.INSUFFICIENT_FUNDS), Phase.READY, Action.WAIT),
    ("waiting", PENDING, Looked(1000, 9), Phase.PENDING, Action.WAIT),
    ("slow", PENDING, Looked(60_000, 9), Phase.PENDING, Action.BUMP),
    ("dropped", PENDING, Looked(1000, 9, known=False), Phase.READY, Action.PUBLISH),
    ("mined, shallow", PENDING, Looked(0, 10, Mined(10, "0xa", True)), Phase.MINED, Action.WAIT),
    ("mined, one short", PENDING, Looked(0, 11, Mined(10, "0xa", True)), Phase.MINED, Action.WAIT),
    ("mined, deep", PENDING, Looked(0, 12, Mined(10, "0xa", True)), Phase.CONFIRMED, Action.CONFIRM),
    ("failed, shallow", PENDING, Looked(0, 11, Mined(10, "0xa", False)), Phase.MINED, Action.WAIT),
    ("failed, deep", PENDING, Looked(0, 12, Mined(10, "0xa", False)), Phase.REVERTED, Action.GIVE_UP),
    ("un-mined", MINED_STATE, Looked(0, 11), Phase.READY, Action.PUBLISH),
    ("moved", MINED_STATE, Looked(0, 11, Mined(11, "0xb", True)), Phase.MINED, Action.WAIT),
    ("spent, shallow", PENDING, Looked(99_000, 11, spent=True), Phase.PENDING, Action.WAIT),
    ("spent, deep", PENDING, Looked(0, 11, spent=True, spent_deep=True), Phase.QUEUED, Action.RENONCE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "state", "event", "phase", "action"), STEPS, ids=[r[0] for r in STEPS])
def test_steps(name, state, event, phase, action):
    after, todo = step(state, event, POLICY)
    assert (after.phase, todo) == (phase, action)


def test_a_failed_publish_is_retried_after_its_pause_not_at_once():
    state, _ = step(READY, Rejected(1000, Fault.RATE_LIMITED), POLICY)
    assert step(state, Looked(1001, 9), POLICY)[1] is Action.WAIT
    assert step(state, Looked(1000 + POLICY.retry_after_ms, 9), POLICY)[1] is Action.PUBLISH


def test_bumps_end():
    state = s.SendState(Phase.PENDING, FEES, transactions=s.BUMPS_MAX + 1, tried=True)
    assert step(state, Looked(10**9, 9), POLICY)[1] is Action.WAIT
    assert step(state, Rejected(1, Fault.UNDERPRICED), POLICY)[1] is Action.WAIT


wei = st.integers(0, 10**13)
faults = st.sampled_from(list(Fault))
mined = st.none() | st.builds(Mined, st.integers(0, 30), st.sampled_from(["0xa", "0xb"]), st.booleans())
events = st.one_of(
    st.builds(Accepted, st.integers(0, 10**7)),
    st.builds(Rejected, st.integers(0, 10**7), faults),
    st.builds(
        Looked, st.integers(0, 10**7), st.integers(0, 40), mined, st.booleans(), st.booleans(), st.booleans()
    ),
)
phases = st.sampled_from([Phase.READY, Phase.PENDING, Phase.MINED])
states = st.builds(
    SendState, phases, st.builds(Fees, wei, wei), st.integers(1, 30), st.integers(0, 10**7), st.booleans()
)


@given(states, events)
def test_whatever_happens(state, event):
    after, action = step(state, event, POLICY)
    if action is Action.CONFIRM:
        assert isinstance(event, Looked)
        assert event.mined
        assert event.mined.ok
        assert event.head_number - event.mined.block_number + 1 >= POLICY.confirmations
    if action is Action.BUMP:  # only after a publish that succeeded and was slow, or "underpriced"
        underpriced = isinstance(event, Rejected) and event.fault is Fault.UNDERPRICED
        slow = isinstance(event, Looked) and state.phase is Phase.PENDING
        assert underpriced or slow
    if action is Action.RENONCE:
        assert event.spent_deep
        assert event.mined is None
    if action in (Action.PUBLISH, Action.BUMP) and isinstance(event, Looked):
        assert event.mined is None
        assert not (event.spent and state.phase is not Phase.MINED)
    assert after.fees == state.fees, "only `bumped` changes a price"
    assert after.transactions == state.transactions


@given(wei, wei, wei)
def test_first_fees_stay_under_the_cap_and_cover_the_base_fee(base, tip, cap):
    fees = s.first_fees(base, tip, cap)
    if base + tip > cap:
        assert fees is None
    else:
        assert base + tip <= fees.max_wei <= cap
        assert fees.tip_wei == tip


@given(st.builds(Fees, wei, wei).filter(lambda f: f.tip_wei <= f.max_wei), wei, wei, wei)
def test_bumps_raise_both_by_a_tenth_or_do_not_happen(fees, base, tip, cap):
    dearer = s.bumped_fees(fees, base, tip, cap)
    if dearer is None:
        assert max(fees.max_wei, fees.tip_wei) * 9 // 8 + 1 >= cap * 8 // 9 or cap < fees.max_wei * 2
        return
    assert dearer.max_wei <= cap
    assert dearer.tip_wei <= dearer.max_wei
    for before, after in ((fees.max_wei, dearer.max_wei), (fees.tip_wei, dearer.tip_wei)):
        assert after * 10 >= before * 11
        assert after > before


def test_bumped_waits_for_its_own_publish():
    after = s.bumped(PENDING, Fees(40, 4))
    assert (after.phase, after.transactions, after.fees) == (Phase.READY, 2, Fees(40, 4))
    assert step(after, Looked(0, 9), POLICY)[1] is Action.PUBLISH


@given(wei, wei, wei)
def test_a_day_is_never_overspent(spent, reserved, cost):
    if s.affordable(spent + reserved, reserved, cost, POLICY):
        assert spent + cost <= POLICY.spend_per_day_wei
