"""A checked profile as the driver takes it: plain, frozen, picklable; drivers.can.profile makes it."""

from dataclasses import dataclass

from drivers.can import codec


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """What a battery must hear now and then, so that it knows its inverter is there."""

    id: int
    extended: bool
    data: bytes
    every_ms: int


@dataclass(frozen=True, slots=True)
class CanTable:
    """A device that speaks by itself on a CAN bus: its frames and what it wants to hear."""

    vendor: str
    bitrate: int
    codec: codec.Table
    keep_alive: KeepAlive | None = None
