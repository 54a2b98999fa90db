"""What a relayer is told to do: plain objects, as fleet.yaml becomes them."""

from dataclasses import dataclass
from pathlib import Path

from gateway.site import ChainSettings, KeySettings

SITES_MAX = 1000
# As many as fit the gas of one transaction (gateway.fleet.plan). More would gain nothing: a hundredth of what
# a transaction costs by itself is 210 gas for each.
RECORDS_MAX = 110


@dataclass(frozen=True, slots=True)
class Pace:
    """`records`: intervals in a batch; `wait_ms`: how long the first of one that is not full waits."""

    records: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class FleetSite:
    """One site: where its REST is, and what its records must be. `gateway`: the key that spoke for it when
    the file was written; hand-overs since are followed."""

    name: str
    url: str
    gateway: str  # an address
    contract: str  # lower case
    token: Path | None = None
    ca: Path | None = None  # what its certificate is checked by; None: the system's authorities


@dataclass(frozen=True, slots=True)
class Fleet:
    chain: ChainSettings
    key: KeySettings
    pace: Pace
    sites: tuple[FleetSite, ...]
    store: Path
    socket: Path
    poll_ms: int = 60_000
    a_day: int = 200  # records of one site
    trust_host_clock: bool = False
