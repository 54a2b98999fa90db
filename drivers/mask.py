"""Serial numbers out of recorded register reads: what a capture must not carry to others. Pure.

Owns how a text lies in the PDU of a read (functions 3 and 4). It keeps lengths and zeros, so that a masked
capture plays as the other does; it refuses nothing: an event that is no such read stays as it is.
"""

from dataclasses import dataclass

from gateway.tape import Event

READ_REGISTERS = {3: "holding", 4: "input"}
REGISTERS_MAX = 125  # that one read may ask for
INSTEAD = ord("X")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands. `unit` None: whatever unit was asked."""

    table: str
    address: int
    count: int
    unit: int | None = None


def read_of(event: Event) -> tuple[str, int, bytes] | None:
    """Table, first address and registers of a recorded read; None for anything else."""
    try:
        ask, got = bytes.fromhex(event["ask"]), bytes.fromhex(event["got"])
    except (KeyError, TypeError, ValueError):
        return None
    if len(ask) != 5 or ask[0] not in READ_REGISTERS or ask[3] or ask[4] > REGISTERS_MAX:
        return None
    if got[:2] != bytes([ask[0], 2 * ask[4]]):
        return None
    return READ_REGISTERS[ask[0]], int.from_bytes(ask[1:3]), got[2:]


def blank(event: Event, places: tuple[Place, ...]) -> Event:
    """The event with an X for each character of those texts that lies in it."""
    read = read_of(event)
    if read is None:
        return event
    table, first, data = read
    found = bytearray(data)
    for place in places:
        if place.table == table and place.unit in (None, event.get("unit")):
            start = max(0, 2 * (place.address - first))
            for i in range(start, max(start, min(len(found), 2 * (place.address + place.count - first)))):
                found[i] = INSTEAD if found[i] else 0
    return {**event, "got": event["got"][:4] + found.hex()}
