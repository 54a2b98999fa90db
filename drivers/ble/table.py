"""A checked profile as the driver takes it: plain, frozen, picklable; drivers.ble.profile makes it."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.bms.values import Allowance


class Write(StrEnum):
    """How requests are written. AUTO: as the characteristic says it can, with a response if both ways."""

    AUTO = "auto"
    RESPONSE = "response"
    NO_RESPONSE = "no-response"


@dataclass(frozen=True, slots=True)
class Gatt:
    """Where the device talks: whole UUIDs, in small letters."""

    service: str
    notify: str
    to: str
    write: Write = Write.AUTO


@dataclass(frozen=True, slots=True)
class BleTable:
    """A battery with Bluetooth. Without `gatt`, `family` names a module of aiobmsble, which knows its own."""

    vendor: str
    family: str
    gatt: Gatt | None = None
    streams: tuple[str, ...] = ()  # requests whose answer it repeats by itself, once anything was asked
    allowance: Allowance | None = None
    negate: bool = False  # the current, against what its family counts
