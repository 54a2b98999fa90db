"""The grid through restarts, as the store has it."""

from gateway.model import ClockTrust, Stamp
from gateway.store import meta, outages
from tests.gateway.stores import memory


def test_a_new_store_knows_of_no_outage_and_no_start() -> None:
    assert outages.left(memory(), 5) == (False, False)


def test_what_was_noted_last_counts() -> None:
    conn = memory()
    outages.note(conn, True)
    assert outages.left(conn, 5) == (True, False)
    outages.note(conn, False)
    assert outages.left(conn, 5) == (False, False)


def test_a_monotonic_clock_that_is_behind_the_lives_before_means_a_machine_that_was_started() -> None:
    conn = memory()
    meta.begin_boot(conn, Stamp(100_000, 1, ClockTrust.TRUSTED))
    conn.execute("INSERT INTO sample VALUES (1, 1, 1, 400000, 1, 0, x'00')")
    meta.begin_boot(conn, Stamp(300_000, 1, ClockTrust.TRUSTED))
    conn.execute("INSERT INTO sample VALUES (2, 1, 2, 900000, 1, 0, x'00')")  # of this life: it says nothing
    assert outages.left(conn, 399_999) == (False, True)
    assert outages.left(conn, 400_000) == (False, False)
    conn.execute("DELETE FROM sample WHERE seq = 1")
    assert outages.left(conn, 99_999) == (False, True)
    assert outages.left(conn, 100_000) == (False, False)
