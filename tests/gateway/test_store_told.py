"""What contracts were told: noted together with the call that tells it, bounded, never twice the same key."""

import pytest

from gateway.store import intents, schema, told
from gateway.store.intents import NewIntent
from tests.gateway.stores import memory

CONTRACT = "0x" + "aa" * 20


@pytest.fixture
def conn():
    return memory()


def call(subject: str, number: int) -> NewIntent:
    return NewIntent(told.key(subject, number), CONTRACT, b"\x01", 100, ordered=False)


def test_what_is_told_is_noted_with_its_call(conn):
    assert told.get(conn, "capacity") is None
    assert told.tell(conn, "capacity", "9000", call("capacity", 1), 5)
    assert told.get(conn, "capacity") == told.Told("9000", 1, "queued")
    assert intents.get(conn, "report/capacity/1").data == b"\x01"
    intents.finish(conn, intents.get(conn, "report/capacity/1").id, "refused")
    assert told.get(conn, "capacity").state == "refused"
    assert told.tell(conn, "capacity", "8900", call("capacity", 2), 6)
    assert told.get(conn, "capacity") == told.Told("8900", 2, "queued")


def test_a_carrier_that_is_long_forgotten_has_arrived(conn):
    told.tell(conn, "capacity", "9000", call("capacity", 1), 5)
    conn.execute("DELETE FROM intent")
    assert told.get(conn, "capacity").state == "confirmed"


def test_a_known_key_or_a_full_queue_changes_nothing(conn, monkeypatch):
    told.tell(conn, "capacity", "9000", call("capacity", 1), 5)
    assert not told.tell(conn, "capacity", "1", call("capacity", 1), 5)
    monkeypatch.setattr(intents, "OPEN_MAX", 1)
    assert not told.tell(conn, "capacity", "1", call("capacity", 2), 5)
    assert told.get(conn, "capacity").value == "9000"


def test_there_is_a_bound_to_what_is_told(conn, monkeypatch):
    monkeypatch.setattr(told, "SUBJECTS_MAX", 2)
    assert [told.tell(conn, s, "1", call(s, 1), 5) for s in "abc"] == [True, True, False]
    assert intents.get(conn, "report/c/1") is None
    assert told.tell(conn, "a", "2", call("a", 2), 5), "a known subject has its row already"


def test_the_table_is_in_the_schema():
    assert told.TABLES[0] in schema.TABLES
