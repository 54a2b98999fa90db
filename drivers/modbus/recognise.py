"""By what a register-map device is told apart: texts and numbers in registers that its profile states.

Pure but for the reads it asks of a link. A profile without `recognise` is never taken for anything. It
refuses patterns that take long to match.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.modbus.register import Address, Unit
from drivers.modbus.table import Text, as_text
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict
from gateway.driver import RegisterLink
from gateway.errors import DeviceRefused, LinkError
from gateway.recognising import Match, Profiles

ANSWER_S = 1.0
_NESTED = re.compile(r"[*+}][^)]*\)[*+{]")  # (a+)+ takes for ever on what does not match


class SignModel(Strict):
    """One read: a text that matches a pattern, or a number that is one of some."""

    address: Address
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = Field(default=None, description="where it is always at this one")
    count: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="registers of the text")
    text: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="a regular expression that is found in the text there"
    )
    type: Literal["u16", "u32"] = "u16"
    equals: Annotated[tuple[int, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="numbers of which it is one"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        problems = []
        if (self.text is None) == (self.equals is None):
            problems.append(wrong(("text",), "a sign has a text or equals, one of both", self.text))
        if self.text is not None:
            try:
                re.compile(self.text)
            except re.error as error:
                problems.append(wrong(("text",), f"no regular expression: {error}", self.text))
            if _NESTED.search(self.text):
                problems.append(wrong(("text",), "a repetition of repetitions is too slow", self.text))
        if self.address + self.size > 0x10000:
            problems.append(wrong(("address",), "ends past 65535", self.address))
        raise_all("Sign", problems)
        return self

    @property
    def size(self) -> int:
        return self.count if self.text is not None else {"u16": 1, "u32": 2}[self.type]

    def fits(self, data: bytes) -> bool:
        if self.text is not None:
            return re.search(self.text, as_text(data)) is not None
        return int.from_bytes(data) in (self.equals or ())


class RecogniseModel(Strict):
    """All signs must be seen at one of the units."""

    units: Annotated[tuple[Unit, ...], Field(min_length=1, max_length=8)] = Field(
        default=(1,), description="where it may be, the likely one first"
    )
    registers: Annotated[tuple[SignModel, ...], Field(min_length=1, max_length=8)]


def units(profiles: Profiles) -> Sequence[int]:
    asked = [p.recognise.units for p in profiles.values() if getattr(p, "recognise", None)]
    ranked = sorted((rank, unit) for those in asked for rank, unit in enumerate(those))
    return tuple(dict.fromkeys(unit for _, unit in ranked))


async def recognise(link: RegisterLink, unit: int, profiles: Profiles) -> list[Match]:
    """Those of which every sign is there. A refusal is a no; silence is the unit's, and the caller's."""
    found = []
    for name, profile in profiles.items():
        block: RecogniseModel | None = getattr(profile, "recognise", None)
        if block is None or unit not in block.units:
            continue
        if all([await _seen(link, unit, sign) for sign in block.registers]):
            plain = {key: text.plain() for key, text in profile.identity.items()}
            identity = {"vendor": profile.vendor, **await _identity(link, unit, plain)}
            found.append(Match(name, profile.role, 1 + len(block.registers), identity))
    return found


async def _seen(link: RegisterLink, unit: int, sign: SignModel) -> bool:
    at = unit if sign.unit is None else sign.unit
    try:
        data = await link.read(at, sign.table, sign.address, sign.size, timeout_s=ANSWER_S)
    except DeviceRefused:
        return False
    return sign.fits(data)


async def _identity(link: RegisterLink, unit: int, texts: Mapping[str, Text]) -> dict[str, str]:
    found = {}
    for name, text in texts.items():
        at = unit if text.unit is None else text.unit
        try:
            data = await link.read(at, text.table, text.address, text.count, timeout_s=ANSWER_S)
        except LinkError:
            continue
        if said := text.said(data):
            found[name] = said
    return found
