"""What the keys of site.yaml are made of: scalars with units and bounds, addresses, and a strict model."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gateway import addresses, principal, units


def _unit(scale: units.Scale, least: int | None = None, most: int | None = None) -> BeforeValidator:
    return BeforeValidator(
        lambda text: units.parse(text, scale, least=least, most=most),
        json_schema_input_type=Annotated[str, Field(examples=[f"10 {next(iter(scale))}"])],
    )


Power = Annotated[int, _unit(units.POWER_W, 0, 100_000_000)]
Energy = Annotated[int, _unit(units.ENERGY_WH, 1, 10**9)]
Ramp = Annotated[int, _unit(units.RAMP_W_PER_S, 1, 100_000_000)]
Percent = Annotated[int, _unit(units.PERCENT_BP, 0, 10_000)]
Temperature = Annotated[int, _unit(units.TEMPERATURE_CC, -5000, 10_000)]
Size = Annotated[int, _unit(units.SIZE_BYTES, 16 * 2**20, 2**40)]
Endurance = Annotated[int, _unit(units.SIZE_BYTES, 10**9, 10**17)]
Wei = Annotated[int, _unit(units.MONEY_WEI, 0, 10**24)]
MicroStx = Annotated[int, _unit(units.MONEY_USTX, 0, 10**15)]


def _address(value: object) -> object:
    """YAML takes 0x… without quotes for a number, and its leading zeros and its capitals are lost."""
    if isinstance(value, int):
        raise ValueError('an address without quotes is a number to YAML: write it as "0x…"')
    if isinstance(value, str) and not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise ValueError(f"{value!r} is not an address (0x and 40 hex digits, in quotes)")
    return value


Address = Annotated[str, BeforeValidator(_address, json_schema_input_type=str)]


def _principal(value: str) -> str:
    if not principal.parse(value).contract:
        raise ValueError(f"{value!r} is an address; a contract is needed (SP….name)")
    return value


StacksContract = Annotated[str, AfterValidator(_principal)]
Reach = Annotated[
    tuple[str, ...],
    BeforeValidator(
        lambda text: addresses.own(text) if isinstance(text, str) else text, json_schema_input_type=str
    ),
]
Moment = Annotated[int, _unit(units.DURATION_MS, 20, 60_000)]
Period = Annotated[int, _unit(units.DURATION_MS, 50, 3_600_000)]
Pause = Annotated[int, _unit(units.DURATION_MS, 0, 86_400_000)]
Duration = Annotated[int, _unit(units.DURATION_MS, 1000, 86_400_000)]
Long = Annotated[int, _unit(units.DURATION_MS, 2_000, 10 * 366 * 86_400_000)]


def split_url(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error


def check_port(url: str, parts: SplitResult) -> None:
    try:
        good = parts.port is None or parts.port > 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{url!r}: the port must be 1 to 65535")


def http_url(url: str) -> str:
    """A URL as it is; ValueError when it is not one of http or https."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an http(s) URL")
    check_port(url, parts)
    return url


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
