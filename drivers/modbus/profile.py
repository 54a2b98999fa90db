"""What a register-map profile may say, as pydantic models, checked while it is read.

It owns the points and the file as a whole, and all that can be found wrong without a device: names without
a unit, values on top of each other, points in forbidden ranges. Each problem carries its place in the
file. It reads no files and talks to no device.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from drivers.modbus import codec, coils
from drivers.modbus import table as tables
from drivers.modbus.compound import Compound
from drivers.modbus.plan import HOLE_MAX, Forbidden
from drivers.modbus.recognise import RecogniseModel
from drivers.modbus.register import Address, Register, Unit
from drivers.modbus.setpoint import SetpointModel
from drivers.pointfile import Believed, PointName, is_limit, of_a_limit, raise_all, wrong
from drivers.profile import Channel, ProfileBase, Strict


class PointModel(Believed, Register):
    """A measured point. `min` and `max` are what is plausible, in the point's own unit."""


class Part(Register):
    """A summand."""

    optional: bool = Field(default=False, description="not fitted on every device: then it counts nothing")


class Turn(Register):
    """What tells the direction of a magnitude: the sum is negated while it holds `equals`."""

    equals: int


class SumModel(Strict):
    """A point that is the sum of registers: strings, phases, discharge minus charge; or one with an offset.
    `min` and `max` are what is plausible of the whole, in the point's own unit."""

    sum: Annotated[tuple[Part, ...], Field(min_length=1, max_length=16)]
    negative_when: Turn | None = None
    offset: int = Field(default=0, description="added to the sum, in the point's own unit")
    min: int | None = None
    max: int | None = None
    poll: Literal["fast", "slow"] = "fast"

    def registers(self) -> Iterator[tuple[tuple[str | int, ...], Register]]:
        """With the place of each in the file."""
        yield from ((("sum", n), part) for n, part in enumerate(self.sum))
        if self.negative_when:
            yield ("negative_when",), self.negative_when

    def fields(self, name: str) -> tuple[codec.Field, ...]:
        return tuple(register.field(f"{name}/{n}") for n, (_, register) in enumerate(self.registers()))

    def compound(self, name: str) -> Compound:
        parts = tuple(f"{name}/{n}" for n in range(len(self.sum)))
        optional = frozenset(at for at, part in zip(parts, self.sum, strict=True) if part.optional)
        turn = f"{name}/{len(parts)}" if self.negative_when else ""
        turned_at = self.negative_when.equals if self.negative_when else 0
        return Compound(name, parts, optional, turn, turned_at, self.offset, self.min, self.max)


class ForbiddenModel(Strict):
    """Registers never to be read, both ends included."""

    table: Literal["holding", "input"] = "holding"
    first: Address
    last: Address

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise_all("Forbidden", [wrong(("last",), "last is before first", self.last)])
        return self


class Text(Strict):
    """A string of `count` registers, two characters each, or a whole number of a `type`, said in decimal."""

    address: Address
    count: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None, description="registers of a string"
    )
    type: Literal["u16", "u32", "u64"] | None = Field(
        default=None, description="of a number; 0 and all ones are none"
    )
    words: Literal["big", "little"] = Field(default="big", description="which 16 bits of a number come first")
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        if (self.count is None) == (self.type is None):
            problems.append(wrong(("count",), "a text has a count or a type, one of both", self.count))
        elif self.address + self.size > 0x10000:
            problems.append(wrong(("count",), f"text at {self.address} ends past 65535", self.count))
        if self.count is not None and self.words == "little":
            problems.append(wrong(("words",), "only a number has an order of words", self.words))
        raise_all("Text", problems)
        return self

    @property
    def size(self) -> int:
        return self.count or codec.TYPES[self.type or "u16"][1]

    def plain(self) -> tables.Text:
        number, little = self.type is not None, self.words == "little"
        return tables.Text(self.address, self.size, self.table, self.unit, number, little)


class ModbusProfile(ProfileBase):
    """A device as a table of registers; of the role relay, as coils and contacts instead."""

    driver: Literal["modbus"]
    hole_max: Annotated[int, Field(ge=0, le=100)] = Field(
        default=HOLE_MAX,
        description="unread registers that one request may span; 0 for devices that refuse holes",
    )
    forbidden: tuple[ForbiddenModel, ...] = ()
    recognise: RecogniseModel | None = Field(
        default=None, description="by what `gridseal scan` tells such a device from others"
    )
    identity: dict[Literal["model", "serial", "firmware"], Text] = Field(default_factory=dict)
    points: dict[PointName, PointModel] = Field(default_factory=dict)
    sums: dict[PointName, SumModel] = Field(
        default_factory=dict, description="points that the device spreads over several registers"
    )
    setpoint: SetpointModel | None = None
    relays: dict[Channel, coils.RelayModel] = Field(default_factory=dict)
    contacts: dict[coils.ContactName, coils.ContactModel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        raise_all("Profile", self._of_a_board() if self.role == "relay" else self._of_registers())
        return self

    def _of_a_board(self) -> list[InitErrorDetails]:
        problems = coils.problems(self.relays, self.contacts)
        for name in ("points", "sums", "identity", "setpoint"):
            if value := getattr(self, name):
                problems.append(wrong((name,), "a relay has relays and contacts, nothing else", value))
        return problems

    def _of_registers(self) -> list[InitErrorDetails]:
        problems = _overlaps(self.points)
        for name, whole in self.sums.items():
            problems += self._of_a_sum(name, whole)
        for name, point in self.points.items():
            problems += self._forbidden(("points", name, "address"), point, codec.TYPES[point.type][1])
            problems += of_a_limit(name, point.negate, point.poll)
        for name, text in self.identity.items():
            problems += self._forbidden(("identity", name, "address"), text, text.size)
        for over in self.unmeasured({**self.points, **self.sums}):
            problems.append(wrong(("derating", over), "this is none of the points", over))
        for name in ("relays", "contacts"):
            if value := getattr(self, name):
                problems.append(wrong((name,), "only a device of the role relay has these", value))
        if not self.points:
            problems.append(wrong(("points",), "no points: there is nothing to read", {}))
        return problems

    def _of_a_sum(self, name: str, whole: SumModel) -> Iterator[InitErrorDetails]:
        if name in self.points:
            yield wrong(("sums", name), "this is one of the points already", name)
        if is_limit(name):
            yield wrong(("sums", name), "a limit is one register", name)
        for at, register in whole.registers():
            where = ("sums", name, *at, "address")
            yield from self._forbidden(where, register, codec.TYPES[register.type][1])

    def _forbidden(
        self, at: tuple[str | int, ...], place: Register | Text, count: int
    ) -> Iterator[InitErrorDetails]:
        for bad in self.forbidden:
            if bad.table == place.table and bad.first < place.address + count and bad.last >= place.address:
                yield wrong(at, f"lies in the forbidden range {bad.first}..{bad.last}", place.address)

    def table(self) -> tables.Table | tables.Board:
        """The plain form that the driver takes."""
        if self.role == "relay":
            return tables.Board(
                self.vendor,
                self.model,
                self.proof,
                self.enable,
                coils.plain_relays(self.relays),
                coils.plain_contacts(self.contacts),
            )
        return tables.Table(
            self.vendor,
            self.model,
            self.proof,
            self.enable,
            self._fields("fast"),
            self._fields("slow"),
            tuple(Forbidden(f.table, f.first, f.last) for f in self.forbidden),
            self.hole_max,
            {name: text.plain() for name, text in self.identity.items()},
            self.setpoint.plain() if self.setpoint else None,
            tuple(whole.compound(name) for name, whole in self.sums.items()),
        )

    def _fields(self, poll: str) -> tuple[codec.Field, ...]:
        chosen = ((n, p) for n, p in self.points.items() if p.poll == poll)
        single = (p.field(n, p.min, p.max, down=is_limit(n)) for n, p in chosen)
        parts = (field for n, whole in self.sums.items() if whole.poll == poll for field in whole.fields(n))
        return (*single, *parts)


def _overlaps(points: dict[str, PointModel]) -> list[InitErrorDetails]:
    """Points on top of each other. Bit fields may share exactly the same registers."""
    problems = []
    order = sorted(points.items(), key=lambda item: _place(item[1]))
    for (first_name, first), (name, point) in pairwise(order):
        if (first.unit, first.table) != (point.unit, point.table):
            continue
        same = (first.address, first.type, first.words) == (point.address, point.type, point.words)
        if same and first.mask and point.mask and not first.mask & point.mask:
            continue
        if point.address < first.address + codec.TYPES[first.type][1]:
            text = f"{point.type} at {point.address} lies on {first_name} at {first.address}"
            problems.append(wrong(("points", name, "address"), text, point.address))
    return problems


def _place(point: PointModel) -> tuple[int, str, int]:
    return (-1 if point.unit is None else point.unit, point.table, point.address)
