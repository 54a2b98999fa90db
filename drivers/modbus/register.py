"""Values and registers as a profile states them: type, word order, scale, sign, sentinels, place.

The words every other part of a register-map profile is made of, checked while it is read. It knows neither
points nor setpoints.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from drivers.modbus import codec
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict

Type = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]
Address = Annotated[int, Field(ge=0, le=65535, description="protocol address, 0-based as sent")]
Unit = Annotated[int, Field(ge=0, le=255)]
Scale = Annotated[
    Fraction,
    PlainValidator(codec.parse_scale),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]


class Value(Strict):
    """How one value lies in registers; canonical = (register - zero) * scale, turned round by `negate`."""

    type: Type
    words: Literal["big", "little"] = Field(default="big", description="which 16 bits come first")
    scale: Scale = Fraction(1)
    negate: bool = Field(default=False, description="the device counts the other direction as positive")
    zero: Annotated[int, Field(ge=0, le=10**9)] = Field(
        default=0, description="the number that stands for 0: it counts from there"
    )

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.zero and (self.type in codec.FLOATS or self.zero > codec.native_range(self.type)[1]):
            raise_all("Value", [wrong(("zero",), f"does not fit {self.type}", self.zero)])
        return self

    @property
    def signed_scale(self) -> Fraction:
        return -self.scale if self.negate else self.scale

    @property
    def little(self) -> bool:
        return self.words == "little"


class Register(Value):
    """One readable value at an address. `absent` lists patterns that mean "no value"."""

    address: Address
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = Field(default=None, description="another unit id than the device's")
    absent: tuple[int, ...] = ()
    mask: Annotated[int, Field(ge=0)] = Field(default=0, description="bits to pick, shifted down to bit 0")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        bits = 16 * codec.TYPES[self.type][1]
        problems = []
        if self.address + bits // 16 > 0x10000:
            problems.append(
                wrong(("address",), f"{self.type} at {self.address} ends past 65535", self.address)
            )
        if self.mask and (self.type in codec.FLOATS or self.mask >= 2**bits):
            problems.append(wrong(("mask",), f"mask does not fit {self.type}", self.mask))
        for n, pattern in enumerate(self.absent):
            try:
                codec.native_absent(self.type, pattern)
            except ValueError as problem:
                problems.append(wrong(("absent", n), str(problem), pattern))
        raise_all("Register", problems)
        return self

    def field(
        self, name: str, low: int | None = None, high: int | None = None, *, down: bool = False
    ) -> codec.Field:
        """The codec's view; `low` and `high` are what is plausible, `down` is for limits."""
        return codec.Field(
            name,
            self.address,
            self.type,
            self.little,
            self.signed_scale,
            self.absent,
            self.mask,
            low,
            high,
            self.unit,
            self.table,
            down,
            self.zero,
        )
