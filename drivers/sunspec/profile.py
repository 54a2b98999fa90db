"""What a SunSpec profile may state beyond its identity: the few facts that the models leave open.

A SunSpec device describes itself, so a profile holds no addresses; only which battery model to believe,
signs that SunSpec does not define, and how to command it.
"""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field

from drivers.profile import Measuring, ProfileBase, Strict
from drivers.sunspec.settings import Settings

Direction = Literal["charge", "discharge"]


class RecogniseModel(Strict):
    """By what a scan tells such a device: a chain of models for its role, at one of the units."""

    units: Annotated[tuple[Annotated[int, Field(ge=0, le=247)], ...], Field(min_length=1, max_length=8)] = (
        1,
    )
    vendor: str = Field(default="", max_length=32, description="in what its common model names as maker")


class SunSpecProfile(ProfileBase):
    """A device found by its model chain. All powers in W, times in s."""

    driver: Literal["sunspec"]
    role: Measuring
    recognise: RecogniseModel | None = None
    base: int | None = Field(
        default=None, ge=0, le=65534,
        description="address of 'SunS', only for devices that fall silent when asked at 40000, 0 or 50000",
    )  # fmt: skip
    battery_dc: Literal["auto", "714", "160-34", "802", "none", "elsewhere"] = Field(
        default="auto",
        description="where battery power is read: DC port of type ESS (714), modules of model 160 named "
        "StCha and StDisCha or, where none has a name, 3 (charge) and 4 (discharge) as Fronius has them "
        "(160-34), battery bank (802); auto: 714, else the named modules of 160, else 802 if its sign is "
        "stated; elsewhere: one hangs on the DC side that no model shows, so that what comes from there is "
        "not the PV's alone and is not shown as that",
    )
    ess_port_positive: Direction = Field(
        default="discharge", description="which way a positive power of a 714 ESS port means"
    )
    bank_positive: Direction | None = Field(
        default=None,
        description="which way a positive power and current of model 802 means; SunSpec leaves it open, so "
        "they are not read while this is not stated",
    )
    meter_positive: Literal["import", "export"] = Field(
        default="import", description="which way a positive power of the meter models 201-214 means"
    )
    meter_swapped: bool = Field(
        default=False,
        description="the meter is mounted the other way round: what it counts as imported is what was "
        "exported, and the other way round",
    )
    meter_exported: Literal["up", "down"] = Field(
        default="up",
        description="which way its counter of exported energy goes. down: it starts at 0 and falls, as "
        "Kostal's does; without this such a counter is shown as bad, as are those beyond 2^31",
    )
    setpoint: Literal["auto", "704", "124", "none"] = Field(
        default="none",
        description="how battery power is commanded. 704 sets the power of the AC side, which is the "
        "battery's only where no PV hangs on the same inverter; auto: 704 on such a device, else 124",
    )
    timeout_s: Annotated[int, Field(ge=10, le=3600)] = Field(
        default=60, description="reversion time that is armed in the device"
    )
    charge_grid: bool = Field(
        default=False, description="124 only: allow charging from the grid (ChaGriSet) while commanded"
    )
    charge_max_w: int = Field(default=0, ge=0, description="0: what the device states as its rating")
    discharge_max_w: int = Field(default=0, ge=0, description="0: what the device states as its rating")

    islanding: Literal["123", "none"] = Field(
        default="none",
        description="123: with Conn of model 123 at 0 this inverter opens its grid relay, goes on feeding "
        "the house, and connects again when Conn_RvrtTms has passed; only where its maker says so",
    )

    def table(self) -> Settings:
        """The plain form that the driver takes."""
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})
