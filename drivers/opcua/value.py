"""Values and nodes as a profile states them: node, type, scale, sign, sentinels.

The words every other part of a node-table profile is made of, checked while it is read. It knows neither
points nor setpoints.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from drivers.opcua import codec
from drivers.opcua.node import Node, parse
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict

Type = Literal[
    "Boolean",
    "SByte",
    "Byte",
    "Int16",
    "UInt16",
    "Int32",
    "UInt32",
    "Int64",
    "UInt64",
    "Float",
    "Double",
]
Scale = Annotated[
    Fraction,
    PlainValidator(codec.parse_scale),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
NodeText = Annotated[
    str,
    Field(
        max_length=5200,
        description="s=Battery.SoC, i=1001, g=<GUID>, b=<base64>; nsu=<URI>; before it for another namespace",
    ),
]


class Value(Strict):
    """What a node holds; canonical unit = its value * scale, turned round by `negate`."""

    node: NodeText
    type: Type
    scale: Scale = Fraction(1)
    negate: bool = Field(default=False, description="the device counts the other direction as positive")

    @model_validator(mode="after")
    def _node(self) -> Self:
        try:
            parse(self.node, "any")
        except ValueError as error:
            raise_all("Value", [wrong(("node",), str(error), self.node)])
        return self

    @property
    def signed_scale(self) -> Fraction:
        return -self.scale if self.negate else self.scale

    def at(self, namespace: str) -> Node:
        return parse(self.node, namespace)


class Readable(Value):
    """A value that is read. `absent` lists numbers, as the node has them, that mean "no value"."""

    absent: tuple[int, ...] = ()
    uncertain: Literal["invalid", "good"] = Field(
        default="invalid", description="what a status of uncertain severity makes of it"
    )

    def field(
        self,
        name: str,
        namespace: str,
        low: int | None = None,
        high: int | None = None,
        *,
        down: bool = False,
        aged_ms: int = 0,
    ) -> codec.Field:
        """The codec's view; `low` and `high` are what is plausible, `down` is for limits."""
        return codec.Field(
            name,
            self.at(namespace),
            self.type,
            self.signed_scale,
            self.absent,
            low,
            high,
            down,
            self.uncertain == "good",
            aged_ms,
        )
