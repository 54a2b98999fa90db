"""What waits for a signature: the next dated sample, ended commands, each sealed once."""

import pytest

from gateway.errors import StoreError
from gateway.model import (
    ClockTrust,
    Command,
    CommandState,
    Point,
    Sample,
    ServiceKind,
    Source,
    Stamp,
    Verdict,
)
from gateway.store import commands, samples, unsealed
from tests.gateway.stores import memory

NOW = Stamp(5, 1000, ClockTrust.TRUSTED)


@pytest.fixture
def conn():
    return memory()


def ended(conn, number, state, outcome):
    command = Command(f"{number:064x}", Source.CHAIN, ServiceKind.FIXED_POWER, 0, 10, {"power_w": 1})
    commands.insert(conn, command, Verdict(True))
    commands.set_state(conn, command.id, CommandState.RUNNING, NOW)
    if state is not CommandState.RUNNING:
        commands.set_state(conn, command.id, state, NOW, "", outcome)
    return command.id


def test_the_next_sample_with_a_date_that_may_be_believed(conn):
    points = (Point("a", "x_w"),)
    dated = [(50, ClockTrust.UNTRUSTED), (70, ClockTrust.BACKDATED), (90, ClockTrust.TRUSTED)]
    group = [Sample("a", Stamp(at, at, trust), points, (1,), bytes(1)) for at, trust in dated]
    assert unsealed.next_dated(conn, 0) is None
    samples.insert_many(conn, group, 1)
    assert [unsealed.next_dated(conn, at) for at in (0, 71, 91)] == [70, 90, None]


def test_ended_commands_wait_until_they_are_sealed(conn):
    done = ended(conn, 1, CommandState.DONE, {"x": 1})
    cut = ended(conn, 2, CommandState.CUT_SHORT, {"x": 2})
    ended(conn, 3, CommandState.RUNNING, None)
    ended(conn, 4, CommandState.CUT_SHORT, None)  # never began: nothing was delivered
    assert {o.command.id for o in unsealed.deliveries(conn)} == {done, cut}
    unsealed.seal(conn, done, 7)
    assert [o.command.id for o in unsealed.deliveries(conn)] == [cut]
    for command_id in (done, "ff" * 32):
        with pytest.raises(StoreError, match="not stored, or its delivery is sealed already"):
            unsealed.seal(conn, command_id, 8)


def test_what_was_sealed_long_ago_is_not_read_again(conn):
    """Asked twice a second; a site has a hundred thousand sealed deliveries after some years."""
    asked = []
    for number in range(3):
        unsealed.seal(conn, ended(conn, number, CommandState.DONE, {"x": 1}), number + 1)
    conn.set_trace_callback(asked.append)
    assert unsealed.deliveries(conn) == []
    conn.set_trace_callback(None)
    plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {asked[0]}"))
    index = plan.split("USING INDEX ")[1].split()[0]
    (condition,) = conn.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
    assert "WHERE record = 0" in condition


def test_samples_of_this_start_wait_for_their_date(conn):
    points = (Point("a", "x_w"),)
    assert not unsealed.undated(conn, 1)
    samples.insert_many(conn, [Sample("a", Stamp(1, 1, ClockTrust.UNTRUSTED), points, (1,), bytes(1))], 1)
    assert (unsealed.undated(conn, 1), unsealed.undated(conn, 2)) == (True, False)
    conn.execute("UPDATE sample SET trust = ?", (ClockTrust.BACKDATED,))
    assert not unsealed.undated(conn, 1)
