"""A checked profile as the driver takes it: plain, frozen, picklable; drivers.serial.profile makes it."""

from dataclasses import dataclass

from drivers.bms.values import Allowance


@dataclass(frozen=True, slots=True)
class SerialTable:
    """A BMS on a serial port: which frames it speaks, at which rates, and how much silence it wants."""

    vendor: str
    model: str
    family: str
    bauds: tuple[int, ...]
    gap_ms: int
    allowance: Allowance | None = None
    negate: bool = False  # the current, against what its family counts
    packs: int = 1  # in parallel, at addresses that follow one another
