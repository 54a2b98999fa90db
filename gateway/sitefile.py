"""site.yaml as pydantic models: every key, its unit, its bounds, its default and what it means.

The JSON schema that editors use is generated from these. Checks that need more than one key, a profile
or a file are in gateway.config.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from gateway.chainfile import AnyChain
from gateway.httpfile import HttpModel
from gateway.keyfile import AttestModel
from gateway.model import ServiceKind
from gateway.sitetypes import (
    Address,
    Duration,
    Endurance,
    Energy,
    Long,
    Moment,
    Pause,
    Percent,
    Period,
    Power,
    Ramp,
    Reach,
    Size,
    Strict,
    Temperature,
    check_port,
    split_url,
)

DEFAULT_STATE = Path("/var/lib/gridseal")


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
    islanding: Literal["refused", "allowed"] = Field(
        default="refused", description="whether an order may part the inverter from the grid for a time"
    )


class DeviceModel(Strict):
    """One device: which profile, on which link."""

    profile: str
    link: str = Field(description='where it is: "tcp://host:502", "rtu:///dev/serial/by-id/…", "can://can0"')
    unit: Annotated[int, Field(ge=0, le=247)] = 1
    serial: Annotated[str, Field(max_length=64)] = Field(
        default="", description="its serial number: another device that answers at `link` is refused"
    )
    find: Reach | None = Field(
        default=None,
        description="where else, on a network of your own, it may be looked for by its serial number when it"
        ' is not at its address: "192.168.1.10-60" or "192.168.1.0/24"',
    )
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
    endurance: Endurance = Field(default=0, description="what may be written to the card, by its maker (TBW)")


class MqttModel(Strict):
    url: str = Field(description="mqtt://host:1883 or mqtts://host:8883")
    topic: Annotated[str, Field(pattern=r"^[^+#\s]+$", max_length=100)] = "gridseal"
    username: str = ""
    password: Path | None = Field(default=None, description="file with the password")
    home_assistant: bool = False

    @field_validator("url")
    @classmethod
    def _broker(cls, url: str) -> str:
        parts = split_url(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.username:
            raise ValueError(f"{url!r} is not mqtt://host:port or mqtts://host:port (no user in it)")
        check_port(url, parts)
        return url


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SlotModel(Strict):
    """A service that the site orders from itself, again and again. Any other order goes before it."""

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = Field(description='local time: "02:00"')
    for_: Duration = Field(alias="for", description="how long")
    service: ServiceKind = Field(description="what `gridseal order` takes")
    parameters: dict[str, str] = Field(default_factory=dict, alias="with", description="{power: -3 kW}")
    preset: str | None = Field(default=None, description="a known form of the service")
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS
    share: bool = Field(default=False, description="leave the battery's rest to other shared orders")


class PricesModel(Strict):
    """What price signals of the chain may move: the battery is charged when energy is cheap."""

    energy: Energy = Field(description="what may be moved in and out")
    efficiency: Percent = Field(default=9000, description="of a round trip")
    wear: Annotated[int, Field(ge=0)] = Field(
        default=0, description="what a unit of energy out costs the battery, in the unit of the prices"
    )


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
    """Orders from a distance count when one of these signed them, whatever carried them (MQTT, HTTP)."""

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
    prices: PricesModel | None = None
    loads: Annotated[dict[str, LoadModel], Field(max_length=64)] = Field(default_factory=dict)
    store: StoreModel = StoreModel()
    attest: AttestModel = AttestModel()
    chain: AnyChain | None = None
    mqtt: MqttModel | None = None
    http: HttpModel | None = None
    remote: RemoteModel | None = None
    clock: ClockModel = ClockModel()
    socket: Path = Path("/run/gridseal/control.sock")
