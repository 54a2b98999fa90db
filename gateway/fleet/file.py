"""fleet.yaml as pydantic models, and what the relayer is given of it.

`load` reports every problem of the file at once, with line and column. Relative paths are relative to it.
Nothing here reaches a site or the chain.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from gateway import keyfile, site, yamlfile
from gateway.chainfile import EvmAccess
from gateway.errors import ConfigError, Problem
from gateway.fleet.settings import RECORDS_MAX, SITES_MAX, Fleet, FleetSite, Pace
from gateway.keyfile import KeyModel
from gateway.sitefile import ClockModel
from gateway.sitetypes import Address, Duration, Period, Strict, http_url, split_url

DEFAULT_STATE = Path("/var/lib/gridseal-relayer")
SiteId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class RelayedChain(EvmAccess):
    """The chain, as in site.yaml, and the contract that takes the signed records."""

    contract: Address = Field(description="takes the records of every site that names no other")
    poll: Period = 4000


class BatchModel(Strict):
    """When intervals go."""

    records: Annotated[int, Field(ge=1, le=RECORDS_MAX)] = 100
    wait: Duration = Field(default=300_000, description="the longest that a record waits for others")
    site: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=200, description="most records of one site that are paid for in a day"
    )


class MemberModel(Strict):
    """One site: its REST, and the key that speaks for it in the contract."""

    url: str = Field(description="https://10.8.0.7:8470")
    gateway: Address = Field(description="the address of the site's key (`gridseal keys show`)")
    token: Path | None = Field(default=None, description="file with the token that opens its records")
    ca: Path | None = Field(default=None, description="what its certificate is checked by, in PEM")
    contract: Address | None = Field(default=None, description="takes its records, if not the chain's")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = split_url(http_url(url))
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"{url!r}: only scheme, host, port and path, like https://10.8.0.7:8470")
        return url.rstrip("/")


class FleetFile(KeyModel):
    """The whole of fleet.yaml. `key` pays for the transactions and can change no record."""

    chain: RelayedChain
    batch: BatchModel = BatchModel()
    poll: Duration = Field(default=60_000, description="how often each site is asked for records")
    sites: Annotated[dict[SiteId, MemberModel], Field(min_length=1, max_length=SITES_MAX)] = Field(
        description="by the id in the site's own site.yaml"
    )
    store: Path = DEFAULT_STATE / "relayer.db"
    socket: Path = Path("/run/gridseal-relayer/relayer.sock")
    clock: ClockModel = ClockModel()


def load(path: Path) -> Fleet:
    """Read fleet.yaml. ConfigError with all problems."""
    document = yamlfile.read(path)
    parsed = yamlfile.validate(document, FleetFile)
    folder = path.parent
    problems = list(_problems(document, parsed))
    key = keyfile.key_settings(parsed, folder)
    if key is None:
        problems.insert(0, document.problem((), "'key' is missing", "the relayer's own, which pays"))
    if problems or key is None:
        raise ConfigError("", tuple(problems))
    chain = parsed.chain
    sites = tuple(_site(name, model, chain.contract, folder) for name, model in parsed.sites.items())
    contracts = dict.fromkeys(member.contract for member in sites)
    return Fleet(
        chain=site.ChainSettings(
            chain_id=chain.id,
            rpc=tuple(chain.rpc),
            platform="",
            contracts={address: address for address in contracts},
            confirmations=chain.confirmations,
            fee_cap_wei=chain.fee_cap,
            spend_per_day_wei=chain.spend,
            poll_ms=chain.poll,
        ),
        key=key,
        pace=Pace(parsed.batch.records, parsed.batch.wait),
        sites=sites,
        store=folder / parsed.store,
        socket=folder / parsed.socket,
        poll_ms=parsed.poll,
        a_day=parsed.batch.site,
        trust_host_clock=parsed.clock.trust == "host",
    )


def _site(name: str, model: MemberModel, contract: str, folder: Path) -> FleetSite:
    token, ca = (folder / path if path else None for path in (model.token, model.ca))
    address = (model.contract or contract).lower()
    return FleetSite(name, model.url, model.gateway, address, token, ca)


def _problems(document: yamlfile.Document, parsed: FleetFile) -> list[Problem]:
    """A key speaks for one site: twice would be each record twice."""
    seen: dict[tuple[str, str], str] = {}
    found = []
    for name, model in parsed.sites.items():
        speaks = (model.gateway.lower(), (model.contract or parsed.chain.contract).lower())
        other = seen.setdefault(speaks, name)
        if other != name:
            said = f"{model.gateway} is the key of {other!r} already"
            found.append(document.problem(("sites", name, "gateway"), said))
    return found
