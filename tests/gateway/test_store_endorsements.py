"""Endorsements in the store: one a key, whatever the case of its address, all of them for the export."""

from gateway.store import endorsements
from gateway.store.endorsements import Kept
from tests.gateway.stores import memory


def test_one_a_key_and_all_for_the_export() -> None:
    conn = memory()
    assert endorsements.of(conn, "0xAB") is None and endorsements.every(conn) == []
    first, second = Kept("{}", b"\x01" * 32, b"\x02" * 64), Kept("{1}", b"\x03" * 32, b"\x04" * 64)
    endorsements.put(conn, "0xAB", first)
    endorsements.put(conn, "0xab", second)
    endorsements.put(conn, "0xcd", first)
    assert endorsements.of(conn, "0xAB") == second
    assert endorsements.every(conn) == [second, first]
    assert endorsements.row(second) == {
        "type": "endorsement", "body": "{1}", "digest": "0x" + "03" * 32, "signature": "0x" + "04" * 64,
    }  # fmt: skip
    conn.close()
