"""Profiles of batteries with Bluetooth: which frames they speak, where they speak them, and what their pack
takes.

It refuses a family that nobody knows, places to talk at for a family whose library knows its own, and what
drivers.packfile refuses.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from drivers.ble.table import BleTable, Gatt, Write
from drivers.ble.translate import FOREIGN
from drivers.bms.families import FAMILIES
from drivers.packfile import AllowanceFile, Negate, check_pack
from drivers.profile import ProfileBase, Strict

BASE_UUID = "0000{}-0000-1000-8000-00805f9b34fb"
FOREIGN_PATTERN = r"aiobmsble:[a-z0-9_]{1,40}"
# Frames without an address: at the other end of a connection there is one device.
ALONE = [name for name, family in FAMILIES.items() if len(family.addresses) == 1]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{4}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class GattModel(Strict):
    """UUIDs in small letters: four digits, or whole."""

    service: Uuid
    notify: Uuid = Field(description="characteristic that the answers come from")
    write: Uuid = Field(description="characteristic that the questions go to; may be the same")
    mode: Write = Field(
        default=Write.AUTO, description="auto: with a response where the characteristic takes that"
    )

    def plain(self) -> Gatt:
        return Gatt(_whole(self.service), _whole(self.notify), _whole(self.write), self.mode)


class AllowanceModel(AllowanceFile):
    """What the pack takes while its BMS allows it, by its data sheet: for a BMS that states no limits."""


class BleProfile(ProfileBase):
    """A battery that answers over Bluetooth LE."""

    driver: Literal["ble"]
    role: Literal["battery"]
    family: str = Field(
        description=f"frames it speaks: {', '.join(ALONE)}; or aiobmsble:<module>, on Python 3.12 and newer"
    )
    gatt: GattModel | None = None
    streams: list[str] = Field(
        default_factory=list,
        description="requests of the family whose answer it repeats by itself, once it was asked anything",
    )
    allowance: AllowanceModel | None = Field(
        default=None, description="the pack's limits, where the family states none"
    )
    negate_current: Negate = False

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family in ALONE or is_foreign(family):
            return family
        raise ValueError(f"{family!r} is none of {', '.join(ALONE)} and not like aiobmsble:seplos_bms")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if is_foreign(self.family) and (self.gatt or self.streams):
            raise ValueError(f"{self.family} knows where to talk: leave out gatt and streams")
        if not is_foreign(self.family) and self.gatt is None:
            raise ValueError(f"{self.family} needs gatt: service, notify and write")
        family = FAMILIES.get(self.family, FOREIGN)
        asked = [request.name for request in family.requests(0)]
        if unknown := set(self.streams) - set(asked):
            raise ValueError(f"{self.family} has no request {min(unknown)!r}; it has: {', '.join(asked)}")
        check_pack(self, self.family, family, self.allowance)
        return self

    def table(self) -> BleTable:
        """The plain form that the driver takes."""
        gatt = self.gatt.plain() if self.gatt else None
        allowance = self.allowance.plain() if self.allowance else None
        return BleTable(self.vendor, self.family, gatt, tuple(self.streams), allowance, self.negate_current)


def is_foreign(family: str) -> bool:
    return re.fullmatch(FOREIGN_PATTERN, family) is not None


def _whole(uuid: str) -> str:
    return BASE_UUID.format(uuid) if len(uuid) == 4 else uuid
