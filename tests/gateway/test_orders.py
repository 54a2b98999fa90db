"""Orders on their way through the store: begun durably, ended in time, once, each with its account."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import admission
from gateway.admission import Static
from gateway.journal import Journal
from gateway.ledger import Cycle
from gateway.model import (
    Cause,
    ClockTrust,
    Command,
    CommandState,
    Delivery,
    Limits,
    ServiceKind,
    Source,
    Verdict,
)
from gateway.orders import AHEAD_MS, Orders, outcome_json, reach
from gateway.site import SiteLimits
from gateway.store import commands
from tests.gateway.stores import WALL_MS, HandClock
from tests.sim.mocks import MemoryStore

SITE = SiteLimits(10_000, 8_000, 17_000, 5_000, 2_000)
STATIC = Static(SITE, Limits(9_000, 9_000))
UNREACHED = Static(SITE, None)


class Desk:
    """Orders over a store in memory and a clock set by hand; `written` lets the journal catch up."""

    def __init__(self, store=None, clock=None):
        self.store, self.clock = store or MemoryStore(), clock or HandClock()
        self.journal = Journal(self.store)
        self.kicks, self.deliveries = 0, []
        self.orders = Orders(self.clock, self.journal, self._kick, self.deliveries.append)

    def _kick(self):
        self.kicks += 1

    def give(self, number=1, power=3000, begin=0, end=10_000, source=Source.CHAIN):
        command = Command(
            f"{number:064x}",
            source,
            ServiceKind.FIXED_POWER,
            self.clock.now().wall_ms + begin,
            self.clock.now().wall_ms + end,
            {"power_w": power},
        )
        commands.insert(self.store.conn, command, Verdict(True))
        self.orders.add(command, admission.term(command, self.clock.now()), reach(command, STATIC))
        return command

    def due(self, static=STATIC, may_begin=True):
        """The command with the first claim, if any acts."""
        runs = self.orders.due(self.clock.mono, static, may_begin=may_begin)
        return runs[0].command if runs else None

    def book(self, now_ms, asked_w, measured_w, causes=()):
        """One cycle of what acts."""
        (run,) = self.orders.due(self.clock.mono, STATIC, may_begin=True)
        self.orders.book(now_ms, {run.command.id: Cycle(asked_w, measured_w, None, causes)})

    def written(self):
        assert asyncio.run(self.journal.drain(1)), self.journal.failed

    def begin(self):
        """As cycles do: asked for, stored, running."""
        self.due()
        self.written()
        return self.due()

    def stored(self, command):
        return commands.get(self.store.conn, command.id)

    def state(self, command):
        return self.stored(command).state

    def crash(self):
        after = Desk(self.store, self.clock)
        after.orders.recover(commands.open_commands(self.store.conn), STATIC, self.clock.now())
        return after


@pytest.fixture
def desk():
    return Desk()


def test_an_order_is_carried_out_only_after_its_begin_is_durable(desk):
    command = desk.give()
    assert desk.kicks == 1
    assert command.id in desk.orders
    assert desk.due() is None
    assert desk.due() is None
    assert desk.state(command) is CommandState.ADMITTED
    desk.clock.mono = 700
    desk.written()
    assert desk.state(command) is CommandState.RUNNING
    assert desk.kicks == 2
    assert desk.due() == command
    (run,) = desk.orders.due(700, STATIC, may_begin=True)
    assert (run.start_ms, run.start_wall_ms, run.reach) == (700, WALL_MS + 700, Limits(0, 3000))


@pytest.mark.parametrize(("static", "may_begin"), [(UNREACHED, True), (STATIC, False)])
def test_nothing_begins_without_a_nameplate_or_while_halted(desk, static, may_begin):
    command = desk.give()
    desk.due(static, may_begin)
    desk.written()
    assert desk.due(static, may_begin) is None
    assert desk.state(command) is CommandState.ADMITTED


def test_what_is_too_much_for_the_inverter_that_was_reached_does_not_begin(desk):
    command = desk.give(power=-9_500)
    desk.due()
    desk.written()
    assert "nameplate of 9000" in desk.stored(command).reason
    assert desk.state(command) is CommandState.CUT_SHORT
    assert desk.deliveries[0].causes == (Cause.INVERTER,)
    assert len(desk.orders) == 0


def test_an_order_begins_when_its_time_comes_and_ends_when_it_is_over(desk):
    command = desk.give(begin=5000, end=8000)
    assert desk.begin() is None
    desk.clock.mono = 5000
    assert desk.begin() == command
    desk.orders.expire(7999)
    assert command.id in desk.orders
    desk.clock.mono = 8400
    desk.orders.expire(8400)
    desk.written()
    assert desk.state(command) is CommandState.DONE
    (told,) = desk.deliveries
    assert (told.start_ms, told.end_ms) == (WALL_MS + 5000, WALL_MS + 8000)  # not past its end


def test_what_never_began_says_so_at_its_end(desk):
    command = desk.give()
    desk.clock.mono = 10_000
    desk.orders.expire(10_000)
    desk.written()
    assert desk.stored(command).reason == "its time passed before it could begin"
    assert desk.deliveries[0].outcome is CommandState.CUT_SHORT


def test_the_account_covers_each_cycle_and_the_rest_of_the_last(desk):
    command = desk.give(end=3_600_000)
    desk.begin()
    desk.book(1_800_000, 3000, 2000, (Cause.BMS,))
    desk.clock.mono = 3_600_000
    desk.orders.expire(3_600_000)
    desk.written()
    told = json.loads(desk.stored(command).outcome)
    assert (told["requested_wh"], told["delivered_wh"]) == (3000, 2000)
    assert (told["curtailed_ms"], told["outcome"]) == (3_600_000, "done")
    assert told["curtailments"] == [["bms limit", 3_600_000]]
    assert told == outcome_json(desk.deliveries[0])


def test_a_lower_source_waits_and_its_waiting_is_accounted(desk):
    low = desk.give(1, source=Source.REMOTE)
    assert desk.begin() == low
    high = desk.give(2, power=-1000, source=Source.OPERATOR)
    assert desk.due() == low  # until the higher one is durable
    assert desk.begin() == high
    desk.book(1000, -1000, -900)
    assert len(desk.orders) == 2
    desk.clock.mono = 2000
    desk.orders.cut((Cause.STOP,), "stopped")
    desk.written()
    told = {d.command_id: d for d in desk.deliveries}
    assert told[low.id].causes == (Cause.PRIORITY, Cause.STOP)
    assert (told[low.id].curtailed_ms, told[low.id].delivered_wh) == (2000, 0)
    assert (told[high.id].power_min_w, told[high.id].causes) == (-900, (Cause.STOP,))


def test_what_has_not_begun_has_no_account(desk):
    desk.give(1)
    desk.begin()
    later = desk.give(2, begin=5000)
    desk.book(1000, 3000, 3000)
    desk.clock.mono = 10_000
    desk.orders.expire(10_000)
    desk.written()
    told = {d.command_id: d for d in desk.deliveries}
    assert (told[later.id].curtailed_ms, told[later.id].causes) == (0, ())


def test_a_newer_order_of_the_same_source_ends_the_older_when_it_has_begun(desk):
    old = desk.give(1)
    desk.begin()
    new = desk.give(2, power=1000)
    assert desk.due() == old
    assert desk.begin() == new
    desk.written()
    assert desk.state(old) is CommandState.CUT_SHORT
    assert desk.stored(old).reason == "its source ordered something else"
    assert [d.command_id for d in desk.deliveries] == [old.id]


def test_a_cut_ends_what_runs_and_lets_wait_what_waits(desk):
    running = desk.give(1)
    desk.begin()
    waiting = desk.give(2, begin=5000)
    desk.orders.cut((Cause.FAULT,), "does not follow")
    desk.written()
    assert desk.state(running) is CommandState.CUT_SHORT
    assert desk.stored(running).reason == "does not follow"
    assert desk.state(waiting) is CommandState.ADMITTED
    assert waiting.id in desk.orders


def test_a_cut_while_the_begin_is_on_its_way_is_the_last_word(desk):
    command = desk.give()
    desk.due()  # its begin is in the journal
    desk.orders.cut((Cause.STOP,), "stopped")
    desk.written()
    assert desk.state(command) is CommandState.CUT_SHORT
    assert desk.due() is None
    (told,) = desk.deliveries
    assert (told.requested_wh, told.start_ms) == (0, told.end_ms)


def test_after_a_crash_what_ran_is_over_and_claims_nothing(desk):
    command = desk.give()
    desk.begin()
    desk.book(1000, 3000, 3000)
    desk.clock.mono = 4000
    after = desk.crash()
    assert after.due() is None
    after.written()
    assert after.state(command) is CommandState.CUT_SHORT
    assert after.stored(command).reason == "the gateway was restarted"
    (told,) = after.deliveries
    assert (told.requested_wh, told.delivered_wh, told.end_ms) == (0, 0, WALL_MS + 4000)


def test_after_a_crash_what_had_not_begun_may_begin_inside_its_time(desk):
    waiting, over = desk.give(1, begin=5000, end=20_000), desk.give(2, end=3000)
    desk.clock.mono = 6000
    after = desk.crash()
    assert after.begin() == waiting
    assert after.state(over) is CommandState.CUT_SHORT
    assert after.stored(over).reason == "it has expired"


# -- a begin that is durable before its time ---------------------------------------------------------------


def test_a_begin_is_durable_ahead_of_its_time_and_acts_at_it(desk):
    command = desk.give(begin=8000, end=20_000)
    desk.clock.mono = 8000 - AHEAD_MS - 1
    assert desk.begin() is None
    assert desk.state(command) is CommandState.ADMITTED
    assert desk.orders.next_ms(desk.clock.mono) == 8000 - AHEAD_MS
    desk.clock.mono = 8000 - AHEAD_MS
    assert desk.begin() is None
    assert desk.state(command) is CommandState.RUNNING
    assert (desk.stored(command).began_mono_ms, desk.stored(command).began_ms) == (8000, WALL_MS + 8000)
    desk.clock.mono = 7999
    assert desk.due() is None
    desk.clock.mono = 8000
    assert desk.due() == command
    (run,) = desk.orders.due(8000, STATIC, may_begin=True)
    assert (run.start_ms, run.start_wall_ms) == (8000, WALL_MS + 8000)


def test_one_order_follows_another_in_the_very_cycle(desk):
    first, second = desk.give(1, end=10_000), desk.give(2, begin=10_000, end=20_000)
    assert desk.begin() == first
    assert not desk.orders.followed(10_000)
    desk.clock.mono = 9000
    assert desk.begin() == first
    assert desk.orders.followed(10_000) and not desk.orders.followed(20_000)
    desk.clock.mono = 10_000
    desk.orders.expire(10_000)
    assert desk.due() == second
    assert desk.orders.followed(10_000)


def test_what_waits_behind_another_follows_it_and_not_sooner(desk):
    """Begun ahead for the other's end: when that ends sooner, the one behind still waits for its moment."""
    lower = desk.give(1, end=60_000, source=Source.REMOTE)
    upper = desk.give(2, end=10_000, source=Source.CHAIN)
    assert desk.begin() == upper
    desk.clock.mono = 7000
    assert desk.begin() == upper
    assert desk.state(lower) is CommandState.RUNNING and desk.stored(lower).began_mono_ms == 10_000
    assert desk.orders.followed(10_000)
    desk.orders.cut((), "ended")
    assert lower.id in desk.orders, "it has not begun, so it waits"
    assert desk.due() is None
    desk.clock.mono = 10_000
    assert desk.due() == lower


def test_what_is_begun_ahead_survives_a_stop_and_does_not_act_in_it(desk):
    command = desk.give(begin=3000, end=20_000)
    desk.begin()
    desk.orders.cut((Cause.STOP,), "stopped")
    desk.clock.mono = 4000
    assert desk.due(may_begin=False) is None
    assert desk.due() == command


def test_after_a_crash_what_was_begun_ahead_acts_at_its_moment(desk):
    command = desk.give(begin=3000, end=20_000)
    desk.begin()
    desk.clock.mono = 2999
    after = desk.crash()
    assert after.due() is None
    after.clock.mono = 3000
    assert after.due() == command
    after.clock.mono = 20_000
    after.orders.expire(20_000)
    after.written()
    assert after.state(command) is CommandState.DONE


def test_after_a_crash_at_its_moment_what_was_begun_ahead_may_have_acted_and_is_over(desk):
    command = desk.give(begin=3000, end=20_000)
    desk.begin()
    desk.clock.mono = 3000
    after = desk.crash()
    assert after.begin() is None
    assert after.state(command) is CommandState.CUT_SHORT
    assert after.stored(command).reason == "the gateway was restarted"


def test_a_calendar_that_was_set_meanwhile_makes_nothing_sure(desk):
    command = desk.give(begin=3000, end=20_000)
    desk.begin()
    desk.clock.mono = 2000
    desk.clock.offset -= 1000
    after = desk.crash()
    after.written()
    assert after.state(command) is CommandState.CUT_SHORT


def test_after_a_crash_what_is_too_much_by_now_is_ended_instead_of_begun(desk):
    command = desk.give(begin=3000, end=20_000)
    desk.begin()
    after = desk.crash()
    after.clock.mono = 3000
    assert after.due(UNREACHED) is None
    assert after.due(Static(SITE, Limits(2000, 2000))) is None
    after.written()
    assert after.state(command) is CommandState.CUT_SHORT
    assert "nameplate of 2000" in after.stored(command).reason


def test_an_order_for_later_is_not_taken_away_by_a_newer_one_for_now(desk):
    later = desk.give(1, begin=10_000, end=20_000)
    now = desk.give(2, end=10_000)
    assert desk.begin() == now
    desk.clock.mono = 9000
    desk.begin()
    desk.clock.mono = 10_000
    desk.orders.expire(10_000)
    assert desk.due() == later


def test_after_a_crash_an_unsure_clock_or_an_unknown_service_ends_what_waited(desk):
    command = desk.give()
    desk.clock.trust = ClockTrust.UNTRUSTED
    after = desk.crash()
    after.written()
    assert after.stored(command).reason == "after the restart the clock was not sure"
    desk.clock.trust = ClockTrust.TRUSTED
    odd = Command("ff" * 32, Source.CHAIN, ServiceKind.FIXED_POWER, 0, 10**15, {"watts": 1})
    commands.insert(desk.store.conn, odd, Verdict(True))
    after = desk.crash()
    after.written()
    assert "takes exactly power_w" in after.stored(odd).reason


@pytest.mark.parametrize(
    ("now_ms", "end_ms"),
    [(-(10**9), WALL_MS + 100), (5000, WALL_MS + 5000), (10**9, WALL_MS + 10_100)],
)
def test_the_end_of_an_interrupted_order_is_never_before_its_begin_nor_past_its_term(desk, now_ms, end_ms):
    """The wall clock may have been set anywhere while the gateway was off."""
    desk.clock.mono = 100
    desk.give()
    desk.begin()
    desk.clock.offset += now_ms - 100
    after = desk.crash()
    after.written()
    (told,) = after.deliveries
    assert (told.start_ms, told.end_ms) == (WALL_MS + 100, end_ms)


moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("give"),
            st.sampled_from(Source),
            st.integers(0, 4000),
            st.integers(1, 6000),
        ),
        st.tuples(st.sampled_from(["cycle", "slow cycle", "cut", "crash"]), st.integers(1, 3000)),
    ),
    max_size=25,
)


@given(moves, st.integers(-(10**9), 10**9))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_each_order_runs_in_its_term_in_one_life_and_is_told_once(history, step):
    desk, terms, lives, told = Desk(), {}, {}, []
    for life, move in enumerate(history):
        if move[0] == "give":
            _, source, begin, length = move
            command = desk.give(len(terms), begin=begin, end=begin + length, source=source)
            terms[command.id] = admission.term(command, desk.clock.now())
        elif move[0] == "crash":
            told += desk.deliveries
            desk.clock.mono += move[1]
            desk = desk.crash()
        elif move[0] == "cut":
            desk.orders.cut((Cause.STOP,), "stopped")
        else:
            desk.clock.mono += move[1]
            desk.clock.offset += step if life == 10 else 0  # 10: once, in the middle
            desk.orders.expire(desk.clock.mono)
            for run in desk.orders.due(desk.clock.mono, STATIC, may_begin=True):
                begin_ms, end_ms = run.term.begin_ms, run.term.end_ms
                assert begin_ms <= desk.clock.mono < end_ms
                assert desk.state(run.command) is CommandState.RUNNING
                assert lives.setdefault(run.command.id, desk) is desk
                desk.orders.book(desk.clock.mono, {run.command.id: Cycle(3000, 3000)})
            if move[0] == "cycle":
                desk.written()
    desk.clock.mono += 10**6
    desk.orders.expire(desk.clock.mono)
    desk.written()
    told += desk.deliveries
    assert len(desk.orders) == 0
    assert sorted(d.command_id for d in told) == sorted(terms)
    longest = {command_id: term.end_ms - term.begin_ms for command_id, term in terms.items()}
    for delivery in told:
        assert delivery.end_ms >= delivery.start_ms
        if desk.clock.offset == WALL_MS:
            assert delivery.end_ms - delivery.start_ms <= longest[delivery.command_id]


def test_reach_is_what_the_order_can_ask_at_this_site():
    def order(kind, **parameters):
        return Command("00" * 32, Source.CHAIN, kind, 0, 1, parameters)

    assert reach(order(ServiceKind.STOP), STATIC) == Limits(0, 0)
    assert reach(order(ServiceKind.FIXED_POWER, power_w=-50_000), STATIC) == Limits(50_000, 0)
    shaving = order(ServiceKind.PEAK_SHAVING, import_w=1, power_w=0)
    assert reach(shaving, STATIC) == Limits(0, 8_000)
    assert reach(shaving, Static(SITE, Limits(9_000, 6_000))) == Limits(0, 6_000)
    assert reach(shaving, UNREACHED) == Limits(0, 8_000)


def test_the_stored_account_is_json_without_the_proof_that_comes_later():
    told = Delivery(
        "ab" * 32, 1, 2, 3, -4, -5, 6, 5, 11, 12, 9999, 7, ((Cause.RAMP, 7),), CommandState.DONE,
        b"\1" * 32, 9,
    )  # fmt: skip
    found = outcome_json(told)
    assert json.loads(json.dumps(found)) == found
    assert (found["delivered_wh"], found["curtailments"], found["outcome"]) == (-4, [["ramp", 7]], "done")
    assert not {"merkle_root", "count"} & set(found)


def test_an_empty_desk_has_nothing_due(desk):
    assert desk.due() is None
    desk.orders.expire(10**9)
    desk.orders.cut((), "")
    assert len(desk.orders) == 0
