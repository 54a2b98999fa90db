"""What a register-map profile may say, as pydantic models, checked while it is read.

It owns the points and the file as a whole, and all that can be found wrong without a device: names without
a unit, values on top of each other, points in forbidden ranges. Each problem carries its place in the
file. It reads no files and talks to no device.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import InitErrorDetails

from drivers.modbus import codec, coils
from drivers.modbus import table as tables
from drivers.modbus.plan import HOLE_MAX, Forbidden
from drivers.modbus.register import Address, Register, Unit, raise_all, wrong
from drivers.modbus.setpoint import SetpointModel
from drivers.profile import Channel, ProfileBase, Strict
from gateway.model import QUANTITIES, UNITS


def _unit_suffix(name: str) -> str:
    if name.rsplit("_", 1)[-1] not in UNITS or "_" not in name.strip("_"):
        raise ValueError(f"a point's name ends in its unit: one of _{', _'.join(UNITS)}")
    return name


PointName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_unit_suffix)]


class PointModel(Register):
    """A measured point. `min` and `max` are what is plausible, in the point's own unit."""

    min: int | None = None
    max: int | None = None
    poll: Literal["fast", "slow"] = "fast"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise_all("Point", [wrong(("min",), "min is above max", self.min)])
        return self


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
    """A string in registers, two characters each."""

    address: Address
    count: Annotated[int, Field(ge=1, le=64)]
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.address + self.count > 0x10000:
            raise_all("Text", [wrong(("count",), f"text at {self.address} ends past 65535", self.count)])
        return self

    def plain(self) -> tables.Text:
        return tables.Text(self.address, self.count, self.table, self.unit)


class ModbusProfile(ProfileBase):
    """A device as a table of registers; of the role relay, as coils and contacts instead."""

    driver: Literal["modbus"]
    hole_max: Annotated[int, Field(ge=0, le=100)] = Field(
        default=HOLE_MAX,
        description="unread registers that one request may span; 0 for devices that refuse holes",
    )
    forbidden: tuple[ForbiddenModel, ...] = ()
    identity: dict[Literal["model", "serial", "firmware"], Text] = Field(default_factory=dict)
    points: dict[PointName, PointModel] = Field(default_factory=dict)
    setpoint: SetpointModel | None = None
    relays: dict[Channel, coils.RelayModel] = Field(default_factory=dict)
    contacts: dict[coils.ContactName, coils.ContactModel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        raise_all("Profile", self._of_a_board() if self.role == "relay" else self._of_registers())
        return self

    def _of_a_board(self) -> list[InitErrorDetails]:
        problems = coils.problems(self.relays, self.contacts)
        for name in ("points", "identity", "setpoint"):
            if value := getattr(self, name):
                problems.append(wrong((name,), "a relay has relays and contacts, nothing else", value))
        return problems

    def _of_registers(self) -> list[InitErrorDetails]:
        problems = _overlaps(self.points)
        for name, point in self.points.items():
            problems += self._forbidden(("points", name, "address"), point, codec.TYPES[point.type][1])
            if _is_limit(name) and point.negate:
                problems.append(wrong(("points", name, "negate"), "limits are magnitudes", point.negate))
            if _is_limit(name) and point.poll == "slow":
                slow = "a limit that is older than 3 polls counts as 0: it is polled fast"
                problems.append(wrong(("points", name, "poll"), slow, point.poll))
        for name, text in self.identity.items():
            problems += self._forbidden(("identity", name, "address"), text, text.count)
        for over in self.unmeasured(self.points):
            problems.append(wrong(("derating", over), "this is none of the points", over))
        for name in ("relays", "contacts"):
            if value := getattr(self, name):
                problems.append(wrong((name,), "only a device of the role relay has these", value))
        if not self.points:
            problems.append(wrong(("points",), "no points: there is nothing to read", {}))
        return problems

    def _forbidden(
        self, at: tuple[str, ...], place: PointModel | Text, count: int
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
        )

    def _fields(self, poll: str) -> tuple[codec.Field, ...]:
        chosen = ((n, p) for n, p in self.points.items() if p.poll == poll)
        return tuple(p.field(n, p.min, p.max, down=_is_limit(n)) for n, p in chosen)


def _is_limit(name: str) -> bool:
    return name in QUANTITIES and "_limit_" in name


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
