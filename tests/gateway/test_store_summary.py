"""Counts for people: what was signed, confirmed and carried out, from the rows that prove it."""

from gateway.model import ClockTrust, Command, CommandState, ServiceKind, Source, Stamp, Verdict
from gateway.store import commands, intents
from gateway.store.summary import Summary, summary
from tests.gateway.stores import memory

NOW = Stamp(5, 1000, ClockTrust.TRUSTED)


def order(conn, number, *states):
    command = Command(f"{number:064x}", Source.CHAIN, ServiceKind.FIXED_POWER, 0, 10, {"power_w": 1})
    commands.insert(conn, command, Verdict(True))
    for state in states:
        commands.set_state(conn, command.id, state, NOW)


def record(conn, sequence, kind, state):
    digest = bytes([0xA0 + sequence])
    conn.execute(
        "INSERT INTO record VALUES (?, ?, x'', ?, '', x'01', 0, 0, ?)", (sequence, kind, digest, state)
    )
    return f"record/{digest.hex()}"


def sent(conn, key, gas, mined):
    """An intent under `key`, confirmed with this much gas in transaction `mined`."""
    intents.add(conn, intents.NewIntent(key, "0x00", b"", 1), 0)
    query = "UPDATE intent SET state = 'confirmed', gas_used = ?, mined_hash = ? WHERE key = ?"
    conn.execute(query, (gas, mined, key))


def test_an_empty_store_counts_nothing():
    assert summary(memory()) == Summary(0, 0, 0, 0, 0, 0, "", 0)


def test_only_what_was_done_counts_as_executed():
    conn = memory()
    order(conn, 1, CommandState.RUNNING, CommandState.DONE)
    order(conn, 2, CommandState.RUNNING, CommandState.CUT_SHORT)
    order(conn, 3, CommandState.RUNNING)
    order(conn, 4)
    assert summary(conn).executed == 1


def test_records_count_by_kind_and_state():
    conn = memory()
    record(conn, 1, "interval", "pending")
    record(conn, 2, "gap", "signed")
    key = record(conn, 3, "interval", "confirmed")
    sent(conn, key, 43210, "0xfeed")
    assert summary(conn) == Summary(3, 2, 1, 1, 1, 0, "0xfeed", 43210)


def test_the_gas_is_that_of_the_newest_confirmed_interval():
    conn = memory()
    for sequence, kind, gas in ((1, "interval", 50_000), (2, "interval", 41_000), (3, "delivery", 90_000)):
        sent(conn, record(conn, sequence, kind, "confirmed"), gas, f"0x{sequence:02x}")
    found = summary(conn)
    assert (found.gas_per_interval, found.last_transaction) == (41_000, "0x03")
    assert (found.confirmed, found.intervals_confirmed) == (3, 2)


def test_a_transaction_that_is_not_confirmed_is_not_told():
    conn = memory()
    key = record(conn, 1, "interval", "signed")
    intents.add(conn, intents.NewIntent(key, "0x00", b"", 1), 0)
    assert (summary(conn).last_transaction, summary(conn).gas_per_interval) == ("", 0)


def test_counting_reads_no_record_and_no_command():
    """Only their indexes: bodies are a kilobyte each, and `status --watch` counts twice a second."""
    conn, asked = memory(), []
    conn.set_trace_callback(asked.append)
    summary(conn)
    conn.set_trace_callback(None)
    counts = [query for query in asked if "count(*)" in query]
    assert len(counts) == 2
    for query in counts:
        ((*_, plan),) = conn.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        assert "USING COVERING INDEX" in plan
