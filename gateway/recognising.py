"""What a scan asks of drivers: which of their profiles is this, by what it says or sends of itself.

A plugin whose devices can be told apart by asking is Recognising, one whose devices speak by themselves is
Hearing, Nearby where they advertise by radio, and Offering where they say before any login what they are.
None writes anything. It refuses to guess: what fits no profile is no match. What is neither registers nor
frames a plugin shows to people by itself (Looking).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from gateway.clock import Clock

Profiles = Mapping[str, Any]  # by name, as their plugin's model


@dataclass(frozen=True, slots=True)
class Match:
    """A profile that fits. Of several the one with the most `signs` is meant; `identity` is what it says."""

    profile: str
    role: str
    signs: int
    identity: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody who advertises by radio. `name` is what they call themselves, `rssi` how strong, in dBm."""

    link: str
    name: str
    rssi: int
    matches: Sequence[Match] = ()


@runtime_checkable
class Recognising(Protocol):
    """Asked unit by unit. LinkError from `recognise`: nobody answers as this unit."""

    def units(self, profiles: Profiles) -> Sequence[int]:
        """The unit ids at which such devices are found, the likely ones first."""
        ...

    async def recognise(self, link: Any, unit: int, profiles: Profiles) -> list[Match]: ...


@runtime_checkable
class Hearing(Protocol):
    """`heard`: the ids of the frames on the bus, with whether they have 29 bits."""

    def heard(self, frames: frozenset[tuple[int, bool]], profiles: Profiles) -> list[Match]: ...


@runtime_checkable
class Nearby(Protocol):
    """For what advertises by radio. LinkError when there is no radio."""

    async def nearby(self, adapter: str, seconds: float, profiles: Profiles) -> list[Sighting]:
        """Who is heard for so long; `adapter` empty: the usual one."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A server that answered: the link that would be written into site.yaml, and what people should know."""

    link: str
    notes: Sequence[str]
    matches: Sequence[Match] = ()


@runtime_checkable
class Offering(Protocol):
    """For servers. LinkError when there is none."""

    async def offers(self, url: str, profiles: Profiles, clock: Clock) -> Offer: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What is at a link, as a table for people, and a line below it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@runtime_checkable
class Looking(Protocol):
    """For `gridseal raw`. `words` are what stands behind the link; ConfigError with what may."""

    async def look(self, url: str, words: Sequence[str], seconds: float, clock: Clock) -> Shown: ...
