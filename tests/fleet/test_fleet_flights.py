"""Which intent carries a site's records: durable, numbered, and forgotten when it has ended."""

import pytest

from gateway.fleet import flights
from gateway.store import intents
from tests.gateway.stores import memory

TO = "0x" + "ab" * 20


@pytest.fixture
def conn():
    with memory() as found:
        yield found


def begun(conn, *sites: str) -> str:
    return flights.begin(conn, TO, b"call", 1000, sites, 5)


def test_a_site_flies_with_its_newest_call_until_that_ends(conn):
    assert begun(conn, "a", "b") == "relay/1"
    assert [flights.of(conn, site) for site in "abc"] == ["relay/1", "relay/1", ""]
    assert begun(conn, "b") == "relay/2"
    assert [flights.of(conn, site) for site in "ab"] == ["relay/1", "relay/2"]
    intents.finish(conn, intents.get(conn, "relay/2").id, "confirmed")
    assert [flights.of(conn, site) for site in "ab"] == ["relay/1", ""]


def test_calls_do_not_wait_for_each_other(conn):
    begun(conn, "a")
    intent = intents.get(conn, "relay/1")
    assert (intent.ordered, intent.gas, intent.data, intent.state) == (False, 1000, b"call", "queued")


def test_when_too_many_are_open_nothing_changes(conn, monkeypatch):
    monkeypatch.setattr(intents, "OPEN_MAX", 1)
    assert begun(conn, "a") == "relay/1"
    assert begun(conn, "b") == ""
    assert flights.of(conn, "b") == ""
    intents.finish(conn, intents.get(conn, "relay/1").id, "reverted")
    assert begun(conn, "b") == "relay/2"
