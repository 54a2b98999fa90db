"""What profiles of registers and of nodes say alike of their points, checked while they are read.

It owns the name, the plausible range and the pace of a point, what a limit may not be, and how a mistake is
reported with its place in the file. Where a value lies, and of which type it is, it does not know. A running
site does not load it.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from drivers.profile import Strict
from gateway.model import QUANTITIES, UNITS

Poll = Literal["fast", "slow"]


def wrong(at: tuple[str | int, ...], message: str, value: object) -> InitErrorDetails:
    error = PydanticCustomError("profile", "{reason}", {"reason": message})
    return InitErrorDetails(type=error, loc=at, input=value)


def raise_all(title: str, problems: list[InitErrorDetails]) -> None:
    if problems:
        raise ValidationError.from_exception_data(title, problems)


def _unit_suffix(name: str) -> str:
    if name.rsplit("_", 1)[-1] not in UNITS or "_" not in name.strip("_"):
        raise ValueError(f"a point's name ends in its unit: one of _{', _'.join(UNITS)}")
    return name


PointName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_unit_suffix)]


class Believed(Strict):
    """What is plausible of a point, in its own unit, and how often it is asked. Named before what says where
    the value lies: pydantic then lists these keys last."""

    min: int | None = None
    max: int | None = None
    poll: Poll = "fast"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise_all("Point", [wrong(("min",), "min is above max", self.min)])
        return self


def is_limit(name: str) -> bool:
    return name in QUANTITIES and "_limit_" in name


def of_a_limit(name: str, negate: bool, poll: Poll) -> Iterator[InitErrorDetails]:
    """What is wrong with a point that is a limit; of any other, nothing."""
    if is_limit(name) and negate:
        yield wrong(("points", name, "negate"), "limits are magnitudes", negate)
    if is_limit(name) and poll == "slow":
        slow = "a limit that is older than 3 polls counts as 0: it is polled fast"
        yield wrong(("points", name, "poll"), slow, poll)
