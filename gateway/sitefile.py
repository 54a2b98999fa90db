"""site.yaml as pydantic models: every key, its unit, its bounds, its default and what it means.

The JSON schema that editors use is generated from these. Checks that need more than one key, a profile
or a file are in gateway.config.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from gateway import units
from gateway.model import ServiceKind

DEFAULT_STATE = Path("/var/lib/gridseal")


def _unit(scale: units.Scale, least: int | None = None, most: int | None = None) -> BeforeValidator:
    return BeforeValidator(
        lambda text: units.parse(text, scale, least=least, most=most),
        json_schema_input_type=Annotated[str, Field(examples=[f"10 {next(iter(scale))}"])],
    )


Power = Annotated[int, _unit(units.POWER_W, 0, 100_000_000)]
Ramp = Annotated[int, _unit(units.RAMP_W_PER_S, 1, 100_000_000)]
Percent = Annotated[int, _unit(units.PERCENT_BP, 0, 10_000)]
Temperature = Annotated[int, _unit(units.TEMPERATURE_CC, -5000, 10_000)]
Size = Annotated[int, _unit(units.SIZE_BYTES, 16 * 2**20, 2**40)]
Wei = Annotated[int, _unit(units.MONEY_WEI, 0, 10**24)]


def _address(value: object) -> object:
    """YAML takes 0x… without quotes for a number, and its leading zeros and its capitals are lost."""
    if isinstance(value, int):
        raise ValueError('an address without quotes is a number to YAML: write it as "0x…"')
    if isinstance(value, str) and not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise ValueError(f"{value!r} is not an address (0x and 40 hex digits, in quotes)")
    return value


Address = Annotated[str, BeforeValidator(_address, json_schema_input_type=str)]
Moment = Annotated[int, _unit(units.DURATION_MS, 20, 60_000)]
Period = Annotated[int, _unit(units.DURATION_MS, 50, 3_600_000)]
Pause = Annotated[int, _unit(units.DURATION_MS, 0, 86_400_000)]
Duration = Annotated[int, _unit(units.DURATION_MS, 1000, 86_400_000)]
Long = Annotated[int, _unit(units.DURATION_MS, 2_000, 10 * 366 * 86_400_000)]


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error


def _port(url: str, parts: SplitResult) -> None:
    try:
        good = parts.port is None or parts.port > 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{url!r}: the port must be 1 to 65535")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class LimitsModel(Strict):
    """The static envelope of the site."""

    charge: Power = Field(description="most that may ever be put into the battery")
    discharge: Power = Field(description="most that may ever be taken from the battery")
    grid_import: Power = Field(alias="grid import", description="most the site may draw from the grid")
    grid_export: Power = Field(alias="grid export", description="most the site may feed into the grid")
    ramp: Ramp = Field(default=1000, description="fastest change of battery power, except toward zero")


class SocModel(Strict):
    """The state of charge that commands may use."""

    min: Percent = 1000
    max: Percent = 9500
    hysteresis: Percent = 100


class SiteModel(Strict):
    id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    limits: LimitsModel
    soc: SocModel = SocModel()
    dwell: Pause = Field(default=2000, description="rest at zero before a change of direction")
    temperature_min: Temperature = Field(default=0, alias="temperature min", description="no charging below")
    temperature_max: Temperature = Field(default=5000, alias="temperature max", description="no power above")
    control: Period = Field(default=1000, description="period of the control cycle")
    timezone: str = Field(default="UTC", description="of the schedule: Europe/Berlin")


class DeviceModel(Strict):
    """One device: which profile, on which link."""

    profile: str
    link: str = Field(description='where it is: "tcp://host:502", "rtu:///dev/serial/by-id/…", "can://can0"')
    unit: Annotated[int, Field(ge=0, le=247)] = 1
    poll: Period = 1000
    timeout: Moment = 1000
    control: bool = Field(default=True, description="whether it may be given setpoints")
    timer: Pause = Field(default=0, description="its measured fallback time")
    of: str = Field(default="", description="of a battery: the inverter it hangs on, where there are several")


class StoreModel(Strict):
    path: Path = DEFAULT_STATE / "store.db"
    keep: Long = 30 * 86_400_000
    size: Size = 2 * 2**30
    commit: Moment = Field(default=1000, description="what a power cut may lose")


class AttestModel(Strict):
    every: Long = 900_000
    key: Path | None = Field(default=None, description="encrypted keystore, made by `gridseal keys new`")
    passphrase: Path | None = Field(
        default=None, description="file (or systemd credential) with its passphrase"
    )


class ContractsModel(Strict):
    """The contracts of platform `storage`, by role."""

    verification: Address = Field(description="takes the signed intervals")
    services: Address = Field(description="gives orders and pays them")


class ChainModel(Strict):
    id: Annotated[int, Field(ge=1)]
    rpc: Annotated[list[str], Field(min_length=2, max_length=8)] = Field(
        description="two or more operators; they must agree"
    )
    platform: Literal["storage"]
    contracts: ContractsModel
    storage: Annotated[int, Field(ge=1)] = Field(description="this site's id in the contract")
    confirmations: Annotated[int, Field(ge=0, le=1000)] = 12
    fee_cap: Wei = Field(default=100 * 10**9, alias="fee cap", description="most paid per gas")
    spend: Wei = Field(default=10**16, description="most spent on gas in a day")
    poll: Period = 4000

    @field_validator("rpc")
    @classmethod
    def _distinct(cls, urls: list[str]) -> list[str]:
        for url in urls:
            parts = _split(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url!r} is not an http(s) URL")
            _port(url, parts)
        if len(set(urls)) < len(urls):
            raise ValueError(
                "the same endpoint is named twice: two operators are needed, so that one cannot lie"
            )
        return urls


class MqttModel(Strict):
    url: str = Field(description="mqtt://host:1883 or mqtts://host:8883")
    topic: Annotated[str, Field(pattern=r"^[^+#\s]+$", max_length=100)] = "gridseal"
    username: str = ""
    password: Path | None = Field(default=None, description="file with the password")
    home_assistant: bool = False

    @field_validator("url")
    @classmethod
    def _broker(cls, url: str) -> str:
        parts = _split(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.username:
            raise ValueError(f"{url!r} is not mqtt://host:port or mqtts://host:port (no user in it)")
        _port(url, parts)
        return url


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SlotModel(Strict):
    """A service that the site orders from itself, again and again. Any other order goes before it."""

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = Field(description='local time: "02:00"')
    for_: Duration = Field(alias="for", description="how long")
    service: ServiceKind = Field(description="what `gridseal order` takes")
    parameters: dict[str, str] = Field(default_factory=dict, alias="with", description="{power: -3 kW}")
    preset: str | None = Field(default=None, description="a known form of frequency response")
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS
    share: bool = Field(default=False, description="leave the battery's rest to other shared orders")


class LoadModel(Strict):
    """A load that may be switched off by a relay when an order says so."""

    relay: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}/[a-z0-9_]{1,16}$")] = Field(
        description="device and channel: pins/1"
    )
    power: Power = Field(description="what it draws when it runs")
    priority: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="a higher one goes off first"
    )
    min_on: Pause = Field(default=0, alias="min on", description="runs at least so long before it goes off")
    min_off: Pause = Field(default=0, alias="min off", description="rests at least so long")


class RemoteModel(Strict):
    """Orders from a distance count when one of these signed them, whatever carried them (MQTT)."""

    signers: Annotated[list[Address], Field(min_length=1, max_length=16)]


class ClockModel(Strict):
    trust: Literal["kernel", "host"] = Field(
        default="kernel", description='"host" where the kernel\'s clock state is hidden (containers)'
    )


class SiteFile(Strict):
    """The whole of site.yaml."""

    site: SiteModel
    devices: Annotated[dict[str, DeviceModel], Field(min_length=1, max_length=64)]
    schedule: Annotated[dict[str, SlotModel], Field(max_length=48)] = Field(default_factory=dict)
    loads: Annotated[dict[str, LoadModel], Field(max_length=64)] = Field(default_factory=dict)
    store: StoreModel = StoreModel()
    attest: AttestModel = AttestModel()
    chain: ChainModel | None = None
    mqtt: MqttModel | None = None
    remote: RemoteModel | None = None
    clock: ClockModel = ClockModel()
    socket: Path = Path("/run/gridseal/control.sock")
