"""What records are bound to: every setting decided, nothing secret under a digest, the same site the same."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from gateway import site as sites
from gateway.evidence import setup
from gateway.evidence.typed import keccak
from gateway.model import Quantity, ServiceKind
from gateway.site import (
    AttestSettings,
    ChainSettings,
    Curve,
    Device,
    Entry,
    HttpSettings,
    KeySettings,
    Keystore,
    Load,
    MqttSettings,
    PriceSettings,
    Site,
    SiteLimits,
    StoreSettings,
)

SECRET = "hunter2"
PLACE = Path(f"/{SECRET}")
CURVE = Curve(Quantity.BATTERY_TEMPERATURE, ((0, 0), (1000, 10_000)))
SITE = Site(
    "meadow",
    SiteLimits(1, 2, 3, 4, 5),
    (
        Device("bms", "p", "can", "battery", f"can://{SECRET}", object(), derating=(CURVE,)),
        Device("inv", "q", "modbus", "inverter", f"tcp://{SECRET}", SECRET, profile_digest=b"\x07" * 32),
    ),
    StoreSettings(PLACE),
    AttestSettings(900, KeySettings(Keystore(PLACE), PLACE, PLACE)),
    ChainSettings(10, (f"https://rpc.example/{SECRET}",), "storage", {"verification": "0x" + "ab" * 20}, 7),
    MqttSettings("broker", 8883, True, username=SECRET, password=PLACE),
    HttpSettings(PLACE),
    socket=PLACE,
    schedule=(Entry("night", 60, 3600, ServiceKind.FIXED_POWER, {"power_w": -3000}),),
    prices=PriceSettings(10_000),
    loads=(Load("boiler", "relays", "1", 2000),),
    signers=frozenset({"0x" + "cd" * 20, "0x" + "aa" * 20}),
    batteries=(frozenset({"inv", "bms"}),),
)


WHOLLY_LEFT_OUT = (
    sites.StoreSettings,
    sites.MqttSettings,
    sites.HttpSettings,
    sites.KeySettings,
    sites.RestSettings,
)


def settings_of(cls: type, seen: set[type]) -> set[type]:
    """This dataclass of settings and all that its fields may hold."""
    if cls in seen or cls in WHOLLY_LEFT_OUT:
        return seen
    seen.add(cls)
    waiting = list(get_type_hints(cls).values())
    while waiting:
        kind = waiting.pop()
        if is_dataclass(kind) and isinstance(kind, type):
            settings_of(kind, seen)
        waiting += get_args(kind)
    return seen


@pytest.mark.parametrize("cls", sorted(settings_of(Site, set()), key=str))
def test_every_setting_is_bound_or_left_out(cls: type) -> None:
    """A new one belongs into one of the lists of gateway/evidence/setup.py (docs/attestation.md, Setup)."""
    bound, left = setup.BOUND.get(cls, ()), setup.LEFT_OUT.get(cls, ())
    assert sorted((*bound, *left)) == sorted(field.name for field in fields(cls))


def test_no_place_and_no_secret_is_under_the_digest() -> None:
    text = setup.configuration(SITE) + setup.profiles(SITE)
    assert SECRET not in text and "rpc.example" not in text


def test_it_is_canonical_json_of_the_bound_settings() -> None:
    said = json.loads(setup.configuration(SITE))
    assert said["limits"]["ramp_w_per_s"] == 5
    assert said["signers"] == ["0x" + "aa" * 20, "0x" + "cd" * 20]
    assert said["batteries"] == [["bms", "inv"]]
    assert said["devices"][0]["derating"][0]["over"] == "battery_temperature_cc"
    assert said["schedule"][0]["parameters"] == {"power_w": -3000}
    assert json.loads(setup.profiles(SITE)) == {"bms": "00" * 32, "inv": "07" * 32}
    text = setup.configuration(SITE)
    assert text == json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    made = setup.of(SITE, "gridseal 1")
    assert (made.at_ms, made.configuration, made.software) == (0, keccak(text.encode()), "gridseal 1")


@pytest.mark.parametrize(
    "other",
    [
        replace(SITE, limits=replace(SITE.limits, ramp_w_per_s=6)),
        replace(SITE, devices=SITE.devices[:1]),
        replace(SITE, loads=()),
        replace(SITE, chain=None),
        replace(SITE, devices=(replace(SITE.devices[0], profile_digest=b"\x01" * 32), SITE.devices[1])),
    ],
)
def test_what_means_something_else_is_another_setup(other: Site) -> None:
    assert not setup.same(setup.of(SITE, "a"), setup.of(other, "a"))


def test_what_means_the_same_is_the_same_setup() -> None:
    moved = replace(SITE, socket=Path("/elsewhere"), mqtt=None)
    assert setup.same(setup.of(SITE, "a"), setup.of(moved, "a"))
    assert not setup.same(setup.of(SITE, "a"), setup.of(SITE, "b"))
