"""What adapters and the parts that use them say to each other: calls, orders, reports, and what is known.

Vocabulary only: frozen, no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.analytics.figures import Alert, Performance
from gateway.errors import ChainError
from gateway.model import Command, Limits


class NotEncodable(ChainError):
    """A record that the contract system has no room for; it can be skipped there only by a gap record."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract; `gas` is more than it ever took."""

    contract: str
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class Order:
    """A command as an event gave it, and what the platform calls it (for the calls that follow it)."""

    command: Command
    reference: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """An event for this site that is no command the gateway can obey, and why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Signal:
    """Prices of slots of time, one after the other: no order, but what load is shifted by. Any currency."""

    start_ms: int
    step_ms: int
    prices: tuple[int, ...]
    origin: str


Heard = Order | Signal | Unusable | None  # what an event is to a site; None: it does not concern it


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """One device as a register of devices wants it. `serial` may be empty; `state` is one of STATES."""

    name: str
    role: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    state: str = "online"


STATES = ("online", "silent", "faulty")  # numbers in contracts are places in this list


@dataclass(frozen=True, slots=True)
class Facts:
    """What the site knows of itself now, for contracts that want to be told. None: not known."""

    wall_ms: int
    limits: Limits  # the site's own, of the battery
    capacity_wh: int | None = None  # usable, measured (before that: as rated)
    soc_bp: int | None = None
    soh_bp: int | None = None
    available_wh: int | None = None
    devices: Sequence[DeviceFacts] = field(default=())
    alerts: Sequence[Alert] = field(default=())
    day: Performance | None = None  # the last 24 hours


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a site in the contracts: the address as people write it, and as a key's consent names it."""

    address: str
    binder: str


@dataclass(frozen=True, slots=True)
class OwnerCall:
    """A call that the owner's wallet makes: the contract, and what the wallet wants besides, by name."""

    contract: str
    fields: Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What an owner registers a site by. `owner` is an address; `capacity_wh` 0: nobody said."""

    owner: str
    site: str
    capacity_wh: int
    power_w: int
    efficiency_bp: int
    location: str
    battery: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something the contract should know: told when `value` differs from what it was told of `subject`
    last, and not more often than `every_s`."""

    subject: str
    value: str
    call: Call
    every_s: int = 900
