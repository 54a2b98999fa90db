"""What a route is: who may ask, which parameters it takes, what it may answer.

Pure. The server reads requests by these tables and openapi.py writes the document from them, so neither can
say what the other does not. A parameter that is not in its table, or not within its bounds, is refused.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

JSON = "application/json"
Schema = Mapping[str, Any]


class Access(Enum):
    """Who may ask. The token of the device is meant; `local` is somebody at the machine itself."""

    OPEN = "open"  # anybody who reaches the server, with the token or without
    READ = "read"  # anybody, but without token or `local` setpoints and keys are left out
    FULL = "full"  # token, or `local`
    RECORDS = "records"  # the same, and the relayer's own token, which opens nothing else
    CHANGE = "change"  # token, also at the machine itself


class Refused(Exception):
    """A request that is turned down: status and one line for who asked. Caught by the server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path or the query. `most` bounds a number, `pattern` a text; without a default it must be
    given, unless it is `optional`."""

    name: str
    description: str
    where: str = "query"  # query | path
    least: int = 0
    most: int = 0
    pattern: str = ""  # of a text; empty: a number
    default: int | None = None
    optional: bool = False

    @property
    def schema(self) -> Schema:
        if self.pattern:
            return {"type": "string", "pattern": f"^{self.pattern}$"}
        known = {} if self.default is None else {"default": self.default}
        return {"type": "integer", "minimum": self.least, "maximum": self.most, **known}

    @property
    def required(self) -> bool:
        return self.where == "path" or (self.default is None and not self.optional)

    def read(self, text: str) -> int | str:
        """The value in `text`; Refused (400) if there is none."""
        if self.pattern:
            if not re.fullmatch(self.pattern, text):
                raise Refused(400, f"{self.name} must match {self.pattern}")
            return text
        if not re.fullmatch(r"-?[0-9]{1,19}", text) or not self.least <= int(text) <= self.most:
            raise Refused(400, f"{self.name} must be a whole number from {self.least} to {self.most}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that passed the gate. `full`: its sender may see setpoints and keys."""

    full: bool = False
    args: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: an object (JSON) or ready text of `kind`."""

    content: Any
    kind: str = JSON
    status: int = 200


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` are its own; what the server itself may say is added by `statuses`."""

    method: str
    path: str
    name: str
    access: Access
    handler: Callable[[Ask], Awaitable[Answer]]
    summary: str
    answer: Schema = field(default_factory=dict)
    kind: str = JSON
    parameters: Sequence[Parameter] = ()
    body: Schema | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)

    @property
    def statuses(self) -> Mapping[int, str]:
        """Every refusal it may answer with."""
        found = {400: "malformed", 403: "from another site", 421: "for a host that is not this one"}
        found |= {431: "headers too large", 503: "too busy, or the store does not answer; try again"}
        if self.access in (Access.FULL, Access.RECORDS, Access.CHANGE):
            found |= {401: "the token is missing or wrong"}
        if self.access is not Access.OPEN:
            found |= {429: "too many wrong tokens"}
        if self.method == "POST":
            found |= {413: "too large", 415: f"not {JSON}"}
        return dict(sorted((found | dict(self.refusals)).items()))

    def read(self, path: Mapping[str, str], query: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """The arguments of a request; Refused (400) for one missing, unknown, doubled or out of bounds."""
        known = {p.name: p for p in self.parameters}
        given: dict[str, str] = dict(path)
        for name, text in query:
            if name not in known or known[name].where != "query":
                takes = ", ".join(p.name for p in self.parameters if p.where == "query") or "none"
                raise Refused(400, f"unknown parameter; here: {takes}")
            if name in given:
                raise Refused(400, f"{name} is given twice")
            given[name] = text
        if missing := [p.name for p in self.parameters if p.required and p.name not in given]:
            raise Refused(400, f"missing: {', '.join(missing)}")
        return {p.name: p.read(given[p.name]) if p.name in given else p.default for p in self.parameters}
