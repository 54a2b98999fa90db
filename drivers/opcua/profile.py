"""What a node-table profile may say, as pydantic models, checked while it is read.

It owns the points and the file as a whole, and all that can be found wrong without a device: names without a
unit, nodes without a namespace, limits with a sign. Each problem carries its place in the file. It reads no
files and talks to no device.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from drivers.opcua import codec
from drivers.opcua import table as tables
from drivers.opcua.node import parse
from drivers.opcua.setpoint import SetpointModel
from drivers.opcua.value import NodeText, Readable
from drivers.pointfile import Believed, PointName, is_limit, of_a_limit, raise_all, wrong
from drivers.profile import Measuring, ProfileBase

POINTS_MAX = 512  # more is no battery's table; each is asked for again and again


class PointModel(Believed, Readable):
    """A measured point. `min` and `max` are what is plausible, in the point's own unit."""


class OpcUaProfile(ProfileBase):
    """A device as a table of nodes."""

    driver: Literal["opcua"]
    role: Measuring
    namespace: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="URI of the namespace that nodes without nsu= are in"
    )
    updates: Literal["asked", "subscribed"] = Field(
        default="asked",
        description="asked: read each poll; subscribed: the server sends what changes, and that it is alive",
    )
    source_age_s: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=0,
        description="a value whose source time is so far behind the server's clock is STALE; 0: servers"
        " that keep the time of the last change cannot be judged",
    )
    identity: dict[Literal["model", "serial", "firmware"], NodeText] = Field(
        default_factory=dict, description="nodes of type String"
    )
    points: Annotated[dict[PointName, PointModel], Field(min_length=1, max_length=POINTS_MAX)]
    setpoint: SetpointModel | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        raise_all("Profile", self._of_points() + self._of_nodes())
        return self

    def _of_points(self) -> list[InitErrorDetails]:
        problems: list[InitErrorDetails] = []
        for name, point in self.points.items():
            problems += of_a_limit(name, point.negate, point.poll)
        for over in self.unmeasured(self.points):
            problems.append(wrong(("derating", over), "this is none of the points", over))
        if all(point.poll == "slow" for point in self.points.values()):
            problems.append(wrong(("points",), "all of them slow: then nothing is polled", "slow"))
        return problems

    def _of_nodes(self) -> list[InitErrorDetails]:
        """A node without a namespace, where the file has none either: one problem, not one for each."""
        texts = [*self.identity.values(), *(point.node for point in self.points.values())]
        texts += [value.node for value in self.setpoint.nodes()] if self.setpoint else []
        for text in texts:
            try:
                parse(text, self.namespace)
            except ValueError as error:
                return [wrong(("namespace",), str(error), self.namespace)]
        return []

    def table(self) -> tables.Table:
        """The plain form that the driver takes."""
        return tables.Table(
            self.vendor,
            self.model,
            self.proof,
            self.enable,
            self._fields("fast"),
            self._fields("slow"),
            self.updates == "subscribed",
            {name: parse(text, self.namespace) for name, text in self.identity.items()},
            self.setpoint.plain(self.namespace) if self.setpoint else None,
        )

    def _fields(self, poll: str) -> tuple[codec.Field, ...]:
        return tuple(
            point.field(
                name,
                self.namespace,
                point.min,
                point.max,
                down=is_limit(name),
                aged_ms=self.source_age_s * 1000,
            )
            for name, point in self.points.items()
            if point.poll == poll
        )
