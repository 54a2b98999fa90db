"""One thing that happens in a seeded run: plain data that prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """`how`: what the one who does it is given. Where a site has several batteries, `member` is the one."""

    at_s: float
    what: str
    how: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.how.items())
        return f"{self.at_s:10.3f} {self.what} {told}".rstrip()
