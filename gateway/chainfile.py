"""The `chain:` part of site.yaml as pydantic models: what every contract system needs, and each its own.

A system has its contracts by role and the site's id in them, under the name it gives that id. `platform`
alone decides which model reads the part, so a mistake is told in the words of that system.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from gateway import principal, site
from gateway.sitetypes import Address, Duration, MicroStx, Period, StacksContract, Strict, Wei, http_url

Id = Annotated[int, Field(ge=1)]


def _distinct(urls: list[str]) -> list[str]:
    for url in urls:
        http_url(url)
    if len(set(urls)) < len(urls):
        raise ValueError("the same endpoint is named twice: two operators are needed, so that one cannot lie")
    return urls


Endpoints = Annotated[
    list[str],
    Field(min_length=2, max_length=8, description="two or more operators; they must agree"),
    AfterValidator(_distinct),
]


class ChainModel(Strict):
    """What is the same for every system."""

    ASSET: ClassVar[str]  # the key of the site's id in this system

    platform: str
    poll: Period = 4000


class EvmAccess(Strict):
    """How any program of ours uses an EVM chain: a site, a relayer."""

    id: Annotated[int, Field(ge=1)]
    rpc: Endpoints
    confirmations: Annotated[int, Field(ge=0, le=1000)] = 12
    fee_cap: Wei = Field(default=100 * 10**9, alias="fee cap", description="most paid per gas")
    spend: Wei = Field(default=10**16, description="most spent on gas in a day")


class EvmChain(ChainModel, EvmAccess):
    """What is the same for every system on an EVM chain."""

    records: Literal["sent", "relayed"] = Field(
        default="sent", description='"relayed": a relayer brings the signed records (docs/fleet.md)'
    )
    patience: Duration = Field(
        default=7_200_000, description="how long it may take before the site sends them itself"
    )


class StorageContracts(Strict):
    """The contracts of platform `storage`, by role."""

    verification: Address = Field(description="takes the signed intervals")
    services: Address = Field(description="gives orders and pays them")
    aggregation: Address | None = Field(default=None, description="pools of capacity")
    revenue: Address | None = Field(default=None, description="prices, contributions, shares")
    analytics: Address | None = Field(default=None, description="takes the performance of each interval")


class StorageChain(EvmChain):
    ASSET = "storage"

    platform: Literal["storage"]
    contracts: StorageContracts
    storage: Id = Field(description="this site's id in the contract")
    pool: Annotated[int, Field(ge=0)] = Field(default=0, description="whose prices shift the site's load")
    leave: bool = Field(default=False, description="leave the pool of capacity it has joined")


class MeterContracts(Strict):
    """The contracts of platform `meter`, by role."""

    meter: Address = Field(description="takes the signed intervals and the meter's readings")
    management: Address = Field(description="balances the grid: gives orders and pays them")


class RestModel(Strict):
    """The platform's own REST, which readings are posted to as well."""

    url: str = Field(description="https://grid.example/api/v1")
    token: Path | None = Field(default=None, description="file with the token for it")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        return http_url(url)


class MeterChain(EvmChain):
    ASSET = "meter"

    platform: Literal["meter"]
    contracts: MeterContracts
    meter: Id = Field(description="this site's meter in the contract")
    rest: RestModel | None = None


class MicrogridContracts(Strict):
    """The contracts of platform `microgrid`, by role."""

    production: Address = Field(description="takes the signed intervals and what was produced")
    consumption: Address = Field(description="takes what was consumed")
    balancing: Address = Field(description="balances the microgrid: gives orders and pays them")
    trading: Address | None = Field(default=None, description="trades that oblige to deliver")


class MicrogridChain(EvmChain):
    ASSET = "member"

    platform: Literal["microgrid"]
    contracts: MicrogridContracts
    member: Id = Field(description="this site's id in the microgrid")


class RegistryContracts(Strict):
    """The contracts of platform `registry`, by role."""

    devices: Address = Field(description="the register of devices; takes the signed intervals")
    balance: Address = Field(description="demand response and emergencies: gives orders and pays them")
    rewards: Address | None = Field(default=None, description="takes the figures that rewards come from")


class RegistryChain(EvmChain):
    ASSET = "microgrid"

    platform: Literal["registry"]
    contracts: RegistryContracts
    microgrid: Id = Field(description="this site's id in the register")


class StacksContracts(Strict):
    """The contracts of platform `stacks`, by role."""

    facility: StacksContract = Field(description="knows and approves facilities")
    records: StacksContract = Field(description="takes the signed records")
    capacity: StacksContract = Field(description="is kept told what can be taken out")
    actions: StacksContract = Field(description="counts charge and discharge, says what the grid would like")
    services: StacksContract = Field(description="requests services and pays them")


class StacksChain(ChainModel):
    ASSET = "facility"
    IDS: ClassVar[dict[str, int]] = {"mainnet": 1, "testnet": 0x80000000}

    platform: Literal["stacks"]
    network: Literal["mainnet", "testnet"]
    poll: Period = 15_000  # 28 questions a minute to each operator, who counts them
    rpc: Endpoints = Field(alias="api")
    contracts: StacksContracts
    facility: Id = Field(description="this site's id in the contract")
    confirmations: Annotated[int, Field(ge=0, le=1000)] = 6
    fee_cap: MicroStx = Field(default=100, alias="fee cap", description="most paid per byte")
    spend: MicroStx = Field(default=5 * 10**6, description="most spent on fees in a day")

    @field_validator("contracts")
    @classmethod
    def _of_the_network(cls, contracts: StacksContracts, info: ValidationInfo) -> StacksContracts:
        network = info.data.get("network")
        for role, text in contracts:
            found = principal.parse(text).network
            if network and found != network:
                raise ValueError(f"{role}: {text} is on {found or 'no network'}, but network is {network}")
        return contracts

    @property
    def id(self) -> int:
        return self.IDS[self.network]


def _tag(value: Any) -> str | None:
    """The union's branch, named as no key of the file is, so that an error's place is found without it."""
    name = value.get("platform") if isinstance(value, dict) else getattr(value, "platform", None)
    return f"platform {name}" if isinstance(name, str) else None


AnyChain = Annotated[
    Annotated[StorageChain, Tag("platform storage")]
    | Annotated[MicrogridChain, Tag("platform microgrid")]
    | Annotated[MeterChain, Tag("platform meter")]
    | Annotated[RegistryChain, Tag("platform registry")]
    | Annotated[StacksChain, Tag("platform stacks")],
    Discriminator(
        _tag,
        custom_error_type="platform",
        custom_error_message="platform must be one of storage, microgrid, meter, registry, stacks",
    ),
]


def unheard(chain: EvmChain | StacksChain | None, *, served: bool) -> str:
    """Why no relayer could get the site's records, if one is to bring them; empty when it can."""
    if isinstance(chain, EvmChain) and chain.records == "relayed" and not served:
        return "a relayer fetches the records over HTTP: add http: {…} (docs/fleet.md)"
    return ""


def settings(chain: EvmChain | StacksChain, folder: Path) -> site.ChainSettings:
    """What the daemon is given. Relative paths are relative to `folder`."""
    fields = chain.model_dump()
    rest = chain.rest if isinstance(chain, MeterChain) else None
    contracts = {role: address for role, address in fields["contracts"].items() if address is not None}
    return site.ChainSettings(
        chain_id=chain.id,
        rpc=tuple(chain.rpc),
        platform=fields["platform"],
        contracts=contracts,
        asset_id=fields[chain.ASSET],
        pool=fields.get("pool", 0),
        leave=fields.get("leave", False),
        rest=site.RestSettings(rest.url, rest.token and folder / rest.token) if rest else None,
        confirmations=chain.confirmations,
        fee_cap_wei=chain.fee_cap,
        spend_per_day_wei=chain.spend,
        poll_ms=chain.poll,
        patience_ms=fields["patience"] if fields.get("records") == "relayed" else 0,
    )
