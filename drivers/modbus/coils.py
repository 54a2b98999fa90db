"""What a profile may say of a relay board: which coil drives which relay, which bit reads which contact.

It refuses a coil that is used twice, and a board with nothing on it. It talks to no device.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from drivers.modbus import table as tables
from drivers.modbus.register import Address
from drivers.pointfile import wrong
from drivers.profile import ShedsWhen, Strict


class RelayModel(Strict):
    """An output. Wire the load to the contact that is closed at rest: then it runs without the gateway."""

    coil: Address
    sheds_when: ShedsWhen = Field(
        default="pulled", description="in which state of the relay (coil on: pulled) its load is off"
    )


class ContactModel(Strict):
    """An input."""

    address: Address
    table: Literal["discrete", "coils"] = "discrete"
    active_when: Literal["open", "closed"] = Field(
        default="open", description="open (the bit is 0): a cut wire is a stop too"
    )


Relays = Mapping[str, RelayModel]
ContactName = Literal["emergency_stop"]
Contacts = Mapping[ContactName, ContactModel]


def problems(relays: Relays, contacts: Contacts) -> list[InitErrorDetails]:
    """Nothing to do, and what is used twice."""
    if not relays and not contacts:
        return [wrong(("relays",), "neither relays nor contacts: there is nothing to do", {})]
    places: list[tuple[tuple[str, str, str], str, int]] = [
        (("relays", channel, "coil"), "coils", relay.coil) for channel, relay in relays.items()
    ]
    places += [(("contacts", n, "address"), c.table, c.address) for n, c in contacts.items()]
    uses = Counter((table, address) for _, table, address in places)
    return [
        wrong(at, f"{address} of the {table} is used twice", address)
        for at, table, address in places
        if uses[table, address] > 1
    ]


def plain_relays(relays: Relays) -> tuple[tables.Relay, ...]:
    return tuple(tables.Relay(channel, r.coil, r.sheds_when == "pulled") for channel, r in relays.items())


def plain_contacts(contacts: Contacts) -> tuple[tables.Contact, ...]:
    return tuple(tables.Contact(n, c.address, c.table, c.active_when == "open") for n, c in contacts.items())
