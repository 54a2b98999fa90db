"""The keys of a CAN profile: what a technician writes beside a DBC file, for what such a file cannot say.

Owns their forms. Whether a signal exists and converts is for the compiler, which knows the DBC.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from drivers.can import dbc
from drivers.can.table import KeepAlive
from drivers.profile import Measuring, ProfileBase, Strict

STALE_MS = 5_000  # the model's own rule for a pushed value; limits are given 3 s in the profiles


def _named(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(f"{value:#x}: a message is called as in the DBC, not by its id")
    return value


Length = Annotated[int, Field(ge=0, le=dbc.BYTES_MAX)]
SignalName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$")]
MessageName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), BeforeValidator(_named)]
Raiser = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?(=\d{1,10})?$")]


def _read(value: Any) -> dbc.Dbc:
    """What gateway.profilefile makes of the file's name, or a capture brings."""
    match value:
        case {"file": str(file), "text": str(text)} if len(value) == 2:
            return dbc.read(text, file)
        case _:
            raise ValueError("name a .dbc file that lies beside the profile")


DbcFile = Annotated[
    dbc.Dbc,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string", "pattern": r"^[\w.-]+\.dbc$"}),
]


class PointModel(Strict):
    """A point, and the signal that it is."""

    signal: SignalName = Field(description="its name in the DBC; Message.Signal where names repeat")
    unit: str | None = Field(
        default=None, max_length=16, description="of the signal, where the DBC has none or another's spelling"
    )
    sign: Literal["plain", "magnitude", "battery"] = Field(
        default="plain",
        description="magnitude: without its sign; battery: turned to + = discharging by positive_current",
    )
    absent: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        description="wire patterns that mean not available. Left out: of 16 bits and wider the highest "
        "unsigned and the lowest signed value, and 0x8000 of 16 unsigned ones",
    )
    plausible: tuple[int, int] = Field(description="least and most in canonical units; beyond is INVALID")
    finer: SignalName | None = Field(
        default=None, description="a finer copy in the same message, used while both agree"
    )
    gate: SignalName | None = Field(
        default=None, description="of a limit: its enable bit in the DBC; cleared makes it 0"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.plausible[0] > self.plausible[1]:
            raise ValueError("plausible is least and most, in this order")
        return self


class MessageModel(Strict):
    """What a DBC does not say of a message."""

    lengths: Annotated[list[Length], Field(min_length=1)] | None = Field(
        default=None, description="every other length is dropped; the DBC's alone if left out"
    )
    stale_ms: Annotated[int, Field(ge=100, le=600_000)] | None = Field(
        default=None, description="what it said is outdated after; 5000, or three of the DBC's slower cycles"
    )


class TextModel(Strict):
    """A part of what the device says of itself."""

    message: MessageName
    key: Literal["vendor", "model", "serial", "firmware", "name"]
    form: Literal["ascii", "version"] = "ascii"
    part: Annotated[int, Field(ge=1, le=8)] = 1
    at: Annotated[int, Field(ge=0, le=7)] = Field(default=0, description="first byte")
    size: Annotated[int, Field(ge=1, le=8)] = 8


class KeepAliveModel(Strict):
    """What a battery must hear now and then, so that it knows its inverter is there."""

    message: MessageName
    data: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){0,8}$")] | None = Field(
        default=None, description="bytes in hex; zeros if left out"
    )
    every_ms: Annotated[int, Field(ge=100, le=60_000)] = 1000

    def plain(self, message: dbc.Message) -> KeepAlive:
        data = bytes(message.length) if self.data is None else bytes.fromhex(self.data)
        return KeepAlive(message.id, message.extended, data, self.every_ms)


class CanKeys(ProfileBase):
    """A device that speaks by itself on a CAN bus."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    driver: Literal["can"]
    role: Measuring
    dbc: DbcFile = Field(description="file beside this one with the messages and signals")
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)] = 500_000
    positive_current: Literal["charging", "discharging"] = Field(
        default="charging", description="what a positive battery current means on the wire"
    )
    keep_alive: KeepAliveModel | None = None
    anchors: Annotated[list[MessageName], Field(min_length=1)] = Field(
        description="messages that every set has: the device is there when all were heard, "
        "a sample is due then"
    )
    messages: Mapping[MessageName, MessageModel] = Field(
        default={}, description="by their names in the DBC, those of which there is more to say"
    )
    points: Annotated[dict[str, PointModel], Field(min_length=1, max_length=500)] = Field(
        description="by name, ending in its unit: battery_voltage_mv"
    )
    flags: dict[str, dict[str, Annotated[list[Raiser], Field(min_length=1)]]] = Field(
        default={}, description="flags point: flag: signals that raise it, at 1 or at another value: Signal=2"
    )
    texts: tuple[TextModel, ...] = ()
