"""Stops and faults: at once, durable, through restarts, and ended by an operator only."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.journal import Journal
from gateway.latch import CLEARED_MAX, TEXT_MAX, Latch
from gateway.model import ClockTrust, Command, CommandState, ServiceKind, Source, Stamp, Verdict
from gateway.store import commands
from tests.sim.mocks import MemoryStore

NOW = Stamp(5000, 1_790_000_000_000, ClockTrust.TRUSTED)
LATER = Stamp(9000, 1_790_000_004_000, ClockTrust.TRUSTED)


class Desk:
    """A latch over a store in memory; `written` brings the store up to date."""

    def __init__(self, store=None):
        self.store = store or MemoryStore()
        self.journal = Journal(self.store)
        self.latch = Latch("here", ["inverter"], self.journal)

    def written(self):
        assert asyncio.run(self.journal.drain(1)), self.journal.failed
        found = self.store.conn.execute("SELECT id, state FROM command ORDER BY rowid")
        return {command_id: CommandState(state) for command_id, state in found}

    def enter(self, command, now=NOW):
        """As control does: at once, then durably."""
        self.latch.stop(command)
        commands.insert(self.store.conn, command, Verdict(True))
        self.latch.stored(command, now)

    def restart(self):
        """A new process on the same store."""
        after = Desk(self.store)
        for order in commands.open_commands(self.store.conn):
            after.latch.restore(order, LATER)
        return after


def stop(number=1, origin="operator ada", source=Source.OPERATOR):
    return Command(f"{number:064x}", source, ServiceKind.STOP, 0, 0, origin=origin)


def test_a_stop_holds_before_it_is_stored_and_says_who():
    desk = Desk()
    desk.latch.stop(stop())
    assert (desk.latch.stopped, desk.latch.fault, desk.latch.text) == ("operator ada", "", "operator ada")
    assert desk.written() == {}
    desk.latch.stop(stop(2, origin="", source=Source.CHAIN))
    assert desk.latch.stopped == "operator ada"  # the first
    nameless = Desk()
    nameless.latch.stop(stop(2, origin="", source=Source.CHAIN))
    assert nameless.latch.stopped == "stop by chain"


def test_a_stop_is_running_in_the_store_until_it_is_cleared():
    desk = Desk()
    desk.enter(stop())
    assert desk.written() == {stop().id: CommandState.RUNNING}
    assert desk.latch.clear(LATER) == "operator ada"
    assert desk.latch.text == ""
    assert desk.written() == {stop().id: CommandState.DONE}
    order = commands.get(desk.store.conn, stop().id)
    assert (order.reason, order.ended_ms) == ("cleared", LATER.wall_ms)


def test_a_fault_is_latched_once_and_comes_before_a_stop():
    desk = Desk()
    desk.latch.stop(stop())
    desk.latch.trip("inverter", "the battery does not follow", NOW)
    desk.latch.trip("inverter", "and another thing", NOW)
    assert desk.latch.fault == desk.latch.text == "the battery does not follow"
    assert desk.latch.stopped == "operator ada"
    assert list(desk.written().values()) == [CommandState.RUNNING]
    desk.latch.clear(NOW)
    desk.latch.trip("inverter", "and another thing", LATER)
    assert desk.latch.fault == "and another thing"
    assert list(desk.written().values()) == [CommandState.DONE, CommandState.RUNNING]


def test_the_same_fault_again_is_an_order_of_its_own():
    desk = Desk()
    for now in (NOW, LATER):
        desk.latch.trip("inverter", "does not follow", now)
        desk.latch.clear(now)
    found = desk.written()
    assert len(found) == 2
    assert all(len(bytes.fromhex(command_id)) == 32 for command_id in found)


def test_a_long_fault_is_cut_and_a_fault_is_a_stop_of_the_trip():
    desk = Desk()
    desk.latch.trip("inverter", "x" * 1000, NOW)
    (command_id,) = desk.written()
    command = commands.get(desk.store.conn, command_id).command
    assert (command.source, command.kind) == (Source.TRIP, ServiceKind.STOP)
    assert desk.latch.fault == "x" * TEXT_MAX
    assert command.origin == "inverter: " + desk.latch.fault


def test_clearing_nothing_says_nothing():
    assert Desk().latch.clear(NOW) == ""


def test_a_stop_that_is_cleared_before_it_was_stored_ends_when_it_is():
    desk = Desk()
    desk.latch.stop(stop())
    commands.insert(desk.store.conn, stop(), Verdict(True))
    desk.latch.clear(NOW)
    assert desk.written() == {stop().id: CommandState.ADMITTED}
    desk.latch.stored(stop(), LATER)
    assert desk.latch.text == ""
    assert desk.written() == {stop().id: CommandState.DONE}


def test_a_late_repeat_of_a_cleared_stop_does_not_stop_again():
    desk = Desk()
    desk.enter(stop())
    desk.latch.clear(NOW)
    desk.latch.stop(stop())
    assert desk.latch.stopped == ""
    desk.latch.stop(stop(2))
    assert desk.latch.stopped


def test_a_repeat_of_an_older_stop_can_be_forgotten():
    """A new process does not know which ids were cleared; the store says so a moment later."""
    desk = Desk()
    desk.latch.stop(stop())
    desk.latch.forget(stop().id)
    desk.latch.forget(stop(2).id)
    assert desk.latch.stopped == ""


def test_a_flood_of_stops_is_bounded_and_still_a_stop_that_can_be_cleared():
    desk = Desk()
    for number in range(CLEARED_MAX + 50):
        desk.latch.stop(stop(number))
    assert len(desk.latch._stops) == CLEARED_MAX
    assert desk.latch.clear(NOW) == "operator ada"
    for number in range(CLEARED_MAX):
        desk.latch.stop(stop(number))
    assert desk.latch.stopped == ""


def test_a_restart_ends_neither_a_stop_nor_a_fault():
    desk = Desk()
    desk.enter(stop())
    desk.latch.trip("inverter", "does not follow", NOW)
    desk.written()
    after = desk.restart()
    assert (after.latch.stopped, after.latch.fault) == ("operator ada", "does not follow")
    assert after.latch.clear(LATER) == "does not follow"
    assert set(after.written().values()) == {CommandState.DONE}
    assert after.restart().latch.text == ""


def test_a_stop_that_was_only_admitted_before_the_crash_holds_too():
    desk = Desk()
    commands.insert(desk.store.conn, stop(), Verdict(True))
    after = desk.restart()
    assert after.latch.stopped == "operator ada"
    assert after.written() == {stop().id: CommandState.RUNNING}
    after.latch.clear(LATER)
    assert after.written() == {stop().id: CommandState.DONE}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["stop", "trip", "clear", "crash"]), max_size=12))
def test_only_a_clear_ends_anything_whatever_the_history(history):
    desk, stopped, faulted = Desk(), False, False
    for number, what in enumerate(history):
        now = Stamp(number, NOW.wall_ms + number, ClockTrust.TRUSTED)
        if what == "stop":
            desk.enter(stop(number), now)
            stopped = True
        elif what == "trip":
            desk.latch.trip("inverter", "trouble", now)
            faulted = True
        elif what == "clear":
            assert bool(desk.latch.clear(now)) == (stopped or faulted)
            stopped = faulted = False
        else:
            desk.written()
            desk = desk.restart()
        assert (bool(desk.latch.stopped), bool(desk.latch.fault)) == (stopped, faulted)
    running = [s for s in desk.written().values() if s is CommandState.RUNNING]
    assert bool(running) == (stopped or faulted)


def test_each_device_has_a_fault_of_its_own_and_an_unknown_one_is_the_sites():
    desk = Desk()
    desk.latch.trip("inverter", "does not follow", NOW)
    desk.latch.trip("inverter", "and again", LATER)
    desk.latch.trip("second", "is odd", LATER)
    assert [desk.latch.faulted(name) for name in ("inverter", "second", "third")] == [True, True, False]
    assert desk.latch.fault == "does not follow"
    assert desk.latch.site_fault  # "second" is none of the devices that can be commanded
    desk.written()
    after = desk.restart()
    assert [after.latch.faulted(name) for name in ("inverter", "second")] == [True, True]
    assert after.latch.site_fault
    after.latch.clear(LATER)
    assert not after.latch.site_fault and not after.latch.faulted("inverter")


def test_a_pressed_contact_is_a_stop_and_survives_a_restart():
    desk = Desk()
    desk.latch.press("pins", NOW)
    assert desk.latch.stopped == "emergency contact at pins"
    assert list(desk.written().values()) == [CommandState.RUNNING]
    after = desk.restart()
    assert after.latch.stopped == "emergency contact at pins"
    assert after.latch.clear(LATER) == "emergency contact at pins"
    assert set(after.written().values()) == {CommandState.DONE}
