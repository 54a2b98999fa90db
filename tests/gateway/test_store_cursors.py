"""Cursors: a number and a text by name, zero and empty before they are set."""

from gateway.store import cursors
from tests.gateway.stores import memory


def test_cursors_keep_the_last_value() -> None:
    conn = memory()
    assert (cursors.get(conn, "mqtt"), cursors.get(conn, "inbox", 5), cursors.get_text(conn, "x")) == (
        0,
        5,
        "",
    )
    cursors.put(conn, "mqtt", 7)
    cursors.put(conn, "inbox", 2**62, "0xabc")
    cursors.put(conn, "mqtt", 9)
    assert (cursors.get(conn, "mqtt"), cursors.get_text(conn, "mqtt", "z")) == (9, "")
    assert (cursors.get(conn, "inbox"), cursors.get_text(conn, "inbox")) == (2**62, "0xabc")
