"""Profiles of serial BMSs: which frames a device speaks and what its pack takes.

The frames themselves are in drivers.bms, because their checks are code; what differs from device to device is
here. It refuses a family that nobody knows, and what drivers.packfile refuses.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.bms.families import FAMILIES
from drivers.packfile import AllowanceFile, Negate, check_pack
from drivers.profile import ProfileBase
from drivers.serial.table import SerialTable
from drivers.serial.url import BAUD_MAX, BAUD_MIN

Baud = Annotated[int, Field(ge=BAUD_MIN, le=BAUD_MAX)]


class AllowanceModel(AllowanceFile):
    """What the pack takes while its BMS allows it, in mA: from the data sheet."""


class SerialProfile(ProfileBase):
    """A BMS that answers on a serial port."""

    driver: Literal["serial"]
    role: Literal["battery"]
    family: str = Field(description=f"the frames it speaks: {', '.join(FAMILIES)}")
    bauds: Annotated[list[Baud], Field(min_length=1, max_length=8)] = Field(
        description="rates that the device can be set to, the usual one first"
    )
    gap_ms: Annotated[int, Field(ge=0, le=2_000)] = Field(
        default=50, description="silence on the wire before each request"
    )
    allowance: AllowanceModel | None = Field(
        default=None, description="the pack's limits, where the family states none"
    )
    negate_current: Negate = False
    packs: Annotated[int, Field(ge=1, le=16)] = Field(
        default=1,
        description="batteries in parallel behind one inverter, at the device's unit and those after it",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        family = FAMILIES.get(self.family)
        if family is None:
            raise ValueError(f"{self.family!r} is no family; these are: {', '.join(FAMILIES)}")
        check_pack(self, self.family, family, self.allowance)
        if self.packs > 1 and len(family.addresses) == 1:
            raise ValueError(f"{self.family} has no addresses: of packs in parallel each needs a port")
        return self

    def table(self) -> SerialTable:
        """The plain form that the driver takes."""
        allowance = self.allowance.plain() if self.allowance else None
        return SerialTable(
            self.vendor,
            self.model,
            self.family,
            tuple(self.bauds),
            self.gap_ms,
            allowance,
            self.negate_current,
            self.packs,
        )
