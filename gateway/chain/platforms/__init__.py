"""The contract systems that Gridseal serves, one adapter module each.

An adapter turns signed records and what the site knows into calls, and events or state into commands, those
of EVM systems by the ABI files in `abi/`. A new EVM system is one module with a table, its ABI, and one line
in ADAPTERS. Adapters know no keys, no endpoints and no store.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import Call, Facts, Heard, Nameplate, Owner, OwnerCall, Report
from gateway.chain.shapes import Block, Log
from gateway.errors import ConfigError
from gateway.model import Record
from gateway.site import ChainSettings

ADAPTERS: Mapping[str, str] = {
    "storage": "gateway.chain.platforms.storage",
    "microgrid": "gateway.chain.platforms.microgrid",
    "meter": "gateway.chain.platforms.meter",
    "registry": "gateway.chain.platforms.registry",
    "stacks": "gateway.chain.platforms.stacks",
}


class Platform(Protocol):
    """One contract system, for one site."""

    name: str
    evidence_contract: str  # the verifyingContract of the site's records

    def record_call(self, record: Record) -> Call:
        """The call that carries a signed record. NotEncodable when the system has no room for it."""
        ...

    def fits(self, record: Record) -> bool:
        """Whether `record_call` can carry this record."""
        ...

    def follow_ups(
        self, record: Record, reference: str, figures: Performance | None
    ) -> Sequence[tuple[str, Call]]:
        """Calls to make once the record is confirmed, in order, each with a name unique for that record.

        `reference`: what the platform calls the order a delivery is for; `figures`: those of an interval.
        """
        ...

    def reports(self, facts: Facts) -> Sequence[Report]:
        """What the contracts should know of the site now."""
        ...

    def owner(self, text: str) -> Owner:
        """ConfigError when the text is no address of this system's chain."""
        ...

    def registration(self, plate: Nameplate) -> OwnerCall:
        """What the owner sends, once, so that the contracts know the site; what comes back is its id."""
        ...

    def binding(self, public_key: bytes, site: str, possession: bytes) -> OwnerCall:
        """What the owner sends to bind the site's key, which is 65 bytes (04 || x || y) and has agreed."""
        ...

    def account(self, public_key: bytes) -> str:
        """Whose money the transactions of a key cost, as people write the address."""
        ...

    def command_id(self, record: Record) -> str:
        """The command a record is about; empty when it is about none."""
        ...

    def last_sequence_call(self, address: str) -> Call:
        """The view that returns the last sequence accepted from a key, as one word."""
        ...

    def key_call(self) -> Call:
        """The view that returns the key whose records the contract takes for this site, as one word."""
        ...

    def predecessor_call(self, address: str) -> Call:
        """The view that returns the key that spoke for the site before this one, as one word; zero: none."""
        ...

    def key_problem(self, word: bytes, address: str) -> str:
        """What is wrong when `key_call` answered `word` and the site's key is `address`; empty if nothing.

        No key yet is nothing wrong: what is sealed meanwhile waits until the owner binds it.
        """
        ...


class EventPlatform(Platform, Protocol):
    """One on an EVM chain, whose contracts say in events what they order."""

    watched: Sequence[str]  # contracts whose events are followed
    topics: Sequence[str]  # first topics of those events, 0x hex
    stop_topics: Sequence[str]  # of these, those of emergency stops: they are heard before finality too

    def read_event(self, log: Log, block: Block) -> Heard:
        """What a log says to this site."""
        ...


def platform(settings: ChainSettings) -> Platform:
    """The adapter of a site. ConfigError for an unknown name or a missing contract address."""
    if settings.platform not in ADAPTERS:
        raise ConfigError(f"chain.platform: {settings.platform!r} is none of {', '.join(ADAPTERS)}")
    return cast(Platform, import_module(ADAPTERS[settings.platform]).adapter(settings))
