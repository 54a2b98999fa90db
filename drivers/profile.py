"""What every device profile states, whatever its bus. A profile is data, never a template.

Each protocol package extends ProfileBase with its own points and setpoint; unknown keys are refused. Of
derating curves it refuses what has no rising order, no direction, or is no battery's.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gateway.model import Quantity
from gateway.site import Curve

PERCENT_BP = 100


class Strict(BaseModel):
    """Base of all profile models: no unknown keys, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _rising(points: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    for (left, _), (right, _) in pairwise(points):
        if right <= left:
            raise ValueError(f"{right} does not come after {left}: write the points by rising value")
    return points


Percent = Annotated[int, Field(ge=0, le=100)]
CurvePoints = Annotated[
    tuple[tuple[int, Percent], ...], Field(min_length=2, max_length=32), AfterValidator(_rising)
]
Derated = Literal["battery_temperature_cc", "battery_cell_min_mv", "battery_cell_max_mv"]


Measuring = Literal["inverter", "battery", "meter"]  # the role of what is no relay
Channel = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,16}$")]  # the name of a relay on its device
ShedsWhen = Literal["pulled", "released"]


class CurveModel(Strict):
    """Points [value, percent]: what is left of the power there. Straight between, level beyond the ends."""

    charge: CurvePoints | None = None
    discharge: CurvePoints | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if self.charge is None and self.discharge is None:
            raise ValueError("a curve needs charge, discharge or both")
        return self


class ProfileBase(Strict):
    """Identity, provenance and honesty of a profile."""

    driver: str = Field(description="driver family: modbus, sunspec, can, serial, ble, opcua, gpio")
    role: Literal["inverter", "battery", "meter", "relay"]
    vendor: str
    model: str
    also: list[str] = Field(
        default_factory=list,
        description="makers and models that it reads too, as somebody looks for them: each has its own line "
        "in docs/devices.md",
    )
    sources: Annotated[list[str], Field(min_length=1)] = Field(
        description="public documents or code bases that agree on these facts; two, or one and a note"
    )
    proof: Literal["simulated", "recorded", "hardware"] = Field(description="how far it has been proven")
    recorded: list[str] = Field(
        default_factory=list,
        description="where the replies of real devices come from that the tests decode through this profile",
    )
    enable: str = Field(default="", description="what to switch on in the device first")
    notes: str = ""
    cells: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="of a battery: cells in series, to tell an impossible voltage; 0: not known"
    )
    derating: dict[Derated, CurveModel] = Field(
        default_factory=dict,
        description="how far temperature and cell voltages narrow the power, beyond what the battery itself "
        "says: a share of what it and its inverter allow at most",
    )

    @model_validator(mode="after")
    def _of_a_battery(self) -> Self:
        if self.role in ("meter", "relay") and (self.derating or self.cells):
            raise ValueError(f"a {self.role} has no battery: leave out derating and cells")
        return self

    def unmeasured(self, names: Collection[str]) -> list[str]:
        """What is derated over, but is not among the points that this profile gives."""
        return [over for over in self.derating if over not in names]

    def curves(self) -> tuple[Curve, ...]:
        """The derating in the gateway's own terms."""
        return tuple(
            Curve(Quantity(over), _parts(curve.charge), _parts(curve.discharge))
            for over, curve in self.derating.items()
        )


def _parts(points: tuple[tuple[int, int], ...] | None) -> tuple[tuple[int, int], ...]:
    return tuple((value, percent * PERCENT_BP) for value, percent in points or ())
