"""Profiles of CAN devices: a DBC says what is in the frames, the YAML beside it what the gateway makes of it.

Another family of frames is another pair of files. What is wrong with a pair is said at the key that names
it, all at once.
"""

from typing import Self

from pydantic import PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from drivers.can.compiler import Compiler
from drivers.can.keys import CanKeys
from drivers.can.table import CanTable


class CanProfile(CanKeys):
    """A device that speaks by itself on a CAN bus."""

    _table: CanTable = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> Self:
        compiler = Compiler(self)
        if compiler.problems:
            raise ValidationError.from_exception_data(
                type(self).__name__,
                [
                    InitErrorDetails(
                        type=PydanticCustomError("value_error", "{error}", {"error": words}),
                        loc=where,
                        input=None,
                    )
                    for where, words in compiler.problems
                ],
            )
        self._table = compiler.table()
        return self

    def table(self) -> CanTable:
        """The plain form that the driver takes."""
        return self._table
