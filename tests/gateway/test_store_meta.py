"""What the database says of itself: starts are counted, and only so many are remembered."""

import pytest

from gateway.model import ClockTrust, Stamp
from gateway.store import meta, samples
from tests.gateway.stores import memory, sample

AT = Stamp(10, 20, ClockTrust.UNTRUSTED)


def test_a_start_knows_where_its_samples_begin() -> None:
    conn = memory()
    assert meta.begin_boot(conn, AT) == 1
    samples.insert_many(conn, [sample(n) for n in range(4)], boot=1)
    assert meta.begin_boot(conn, AT) == 2
    assert conn.execute("SELECT * FROM boot").fetchall() == [(1, 1, 10, 20, 0), (2, 5, 10, 20, 0)]


def test_starts_are_bounded_and_never_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta, "BOOTS_KEPT", 3)
    conn = memory()
    assert [meta.begin_boot(conn, AT) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [row[0] for row in conn.execute("SELECT boot FROM boot")] == [4, 5, 6]


def test_values_by_name() -> None:
    conn = memory()
    assert meta.get(conn, "id", "none") == "none"
    meta.put(conn, "id", "a")
    meta.put(conn, "id", "b")
    assert meta.get(conn, "id") == "b"


def test_a_stop_is_out_of_order_until_it_is_said_otherwise() -> None:
    conn = memory()
    assert not meta.was_closed(conn)
    meta.closed(conn)
    assert meta.was_closed(conn)
    assert not meta.was_closed(conn)  # the start that asked has not stopped yet
