"""What a register-map profile may say: the shipped ones are sound, and each mistake is found where it is."""

import copy
from fractions import Fraction

import pytest
import yaml
from pydantic import ValidationError

from drivers import command
from drivers.modbus import PLUGIN
from drivers.modbus import table as tables
from drivers.modbus.codec import Field
from drivers.modbus.plan import Forbidden
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Table
from gateway.model import QUANTITIES, CommandClass

SHIPPED = {
    "victron_gx": CommandClass.WATCHDOG,
    "huawei_luna2000": CommandClass.SELF_EXPIRING,
    "sma_sunny_island": CommandClass.WATCHDOG,
    "solaredge_storedge": CommandClass.SELF_EXPIRING,
}


def text_of(name: str) -> str:
    return (PLUGIN.profiles / f"{name}.yaml").read_text("utf-8")


def shipped(name: str) -> ModbusProfile:
    return ModbusProfile.model_validate(yaml.safe_load(text_of(name)))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_are_sound(name: str) -> None:
    profile = shipped(name)
    assert len(profile.sources) >= 2
    assert profile.setpoint is not None and profile.setpoint.command_class is SHIPPED[name]
    points = {**profile.points, **profile.sums}
    assert points["battery_soc_bp"].poll == points["battery_power_w"].poll == "fast"
    assert set(profile.points) & set(QUANTITIES)


def test_shipped_profiles_cover_both_word_orders_and_both_signs() -> None:
    name, profiles = "battery_power_w", [shipped(name) for name in SHIPPED]
    powers = [p.points[name] if name in p.points else p.sums[name].sum[0] for p in profiles]
    assert {power.words for power in powers} == {"big", "little"}
    assert {power.negate for power in powers} == {True, False}


@pytest.mark.parametrize(
    ("name", "soc_native", "soc_bp"),
    [("victron_gx", 55, 5500), ("huawei_luna2000", 555, 5550), ("sma_sunny_island", 55, 5500)],
)
def test_scales_end_in_canonical_units(name: str, soc_native: int, soc_bp: int) -> None:
    assert soc_native * shipped(name).points["battery_soc_bp"].scale == soc_bp


SMALL = {
    "driver": "modbus",
    "role": "inverter",
    "vendor": "V",
    "model": "M",
    "sources": ["a", "b"],
    "proof": "simulated",
    "points": {"a_w": {"address": 10, "type": "u32"}, "b_w": {"address": 12, "type": "u16"}},
    "setpoint": {
        "class": "watchdog",
        "charge_max": 1000,
        "discharge_max": 1000,
        "timeout_s": 60,
        "refresh_s": 20,
        "write": [{"address": 40, "values": [{"type": "s16", "value": "power"}]}],
        "read_back": {
            "mode": {"address": 41, "type": "u16"},
            "held": [{"mode": 1, "power": {"address": 40, "type": "s16"}}],
        },
        "release": [{"address": 40, "values": [{"type": "s16", "value": 0}]}],
    },
}


def changed(path: str, value: object) -> dict:
    profile = copy.deepcopy(SMALL)
    *way, last = path.split("/")
    at: dict | list = profile
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return profile


def test_a_text_in_a_forbidden_range_is_found() -> None:
    texts = {"serial": {"address": 90, "count": 3}, "model": {"address": 94, "count": 3}}
    forbidden = [{"first": 92, "last": 93}, {"table": "input", "first": 94, "last": 96}]
    with pytest.raises(ValidationError) as refused:
        ModbusProfile.model_validate(SMALL | {"identity": texts, "forbidden": forbidden})
    assert [e["loc"] for e in refused.value.errors()] == [("identity", "serial", "address")]


def test_a_number_is_as_long_as_its_type() -> None:
    said = {"serial": {"address": 91, "type": "u32", "words": "little", "table": "input"}}
    table = ModbusProfile.model_validate(SMALL | {"identity": said}).table()
    assert table.identity == {"serial": tables.Text(91, 2, "input", number=True, little=True)}
    with pytest.raises(ValidationError, match="forbidden range"):
        ModbusProfile.model_validate(
            SMALL | {"identity": said, "forbidden": [{"table": "input", "first": 92, "last": 92}]}
        )


def test_the_small_profile_is_sound() -> None:
    profile = ModbusProfile.model_validate(SMALL)
    assert [f.name for f in profile.table().fast] == ["a_w", "b_w"]
    assert profile.points["a_w"].scale == Fraction(1)


def test_the_driver_gets_all_that_was_said_as_a_plain_table() -> None:
    said = copy.deepcopy(SMALL)
    said |= {"enable": "a switch", "hole_max": 3, "forbidden": [{"table": "input", "first": 5, "last": 6}]}
    said["identity"] = {"serial": {"address": 90, "count": 3, "table": "input", "unit": 9}}
    said["points"] = {
        "charge_limit_w": {"address": 10, "type": "u16", "min": 0, "max": 9, "unit": 100},
        "b_w": {"address": 12, "type": "s32", "negate": True, "poll": "slow"},
    }
    assert ModbusProfile.model_validate(said).table() == Table(
        "V",
        "M",
        "simulated",
        "a switch",
        fast=(Field("charge_limit_w", 10, "u16", low=0, high=9, unit=100, down=True),),
        slow=(Field("b_w", 12, "s32", scale=Fraction(-1)),),
        forbidden=(Forbidden("input", 5, 6),),
        hole_max=3,
        identity={"serial": tables.Text(90, 3, "input", 9)},
        setpoint=ModbusProfile.model_validate(SMALL).table().setpoint,
    )


def test_a_setpoint_becomes_plain_with_its_values_laid_out() -> None:
    said = copy.deepcopy(SMALL)
    values = [
        {"type": "s32", "value": "power", "scale": 10, "negate": True, "words": "little"},
        {"type": "u16", "value": 7, "scale": 10, "negate": True},
        {"type": "u16", "value": "timeout_s"},
    ]
    step = {
        "address": 40,
        "values": values,
        "when": ["discharge", "zero", "charge"],
        "unit": 9,
        "if_changed": True,
    }
    limit = {"address": 50, "type": "u16"}
    said["setpoint"] |= {"write": [step], "charge_max": limit, "arm": {"write": [step], "timer": limit}}
    said["setpoint"]["read_back"]["held"].append({"mode": 2, "power": 0})
    said["setpoint"]["read_back"]["require"] = [{**limit, "equals": 3}]
    setpoint = ModbusProfile.model_validate(said).table().setpoint
    written = (
        tables.Written("power", Field("power", 40, "s32", True, Fraction(-10))),
        tables.Written(7, Field("7", 42, "u16")),  # a constant is written as it is
        tables.Written("timeout_s", Field("timeout_s", 43, "u16")),
    )
    laid = (tables.Step(40, written, ("discharge", "zero", "charge"), 9, False, True),)
    released = (tables.Written(0, Field("0", 40, "s16")),)
    assert setpoint == command.Setpoint(
        CommandClass.WATCHDOG,
        Field("charge_max", 50, "u16", down=True),
        1000,
        timeout_s=60,
        ends_s=0,
        refresh_s=20,
        settle_s=5,
        writes_per_day=0,
        arm=command.Arm(laid, Field("timer", 50, "u16")),
        write=laid,
        mode=Field("mode", 41, "u16"),
        held=(command.Held(1, Field("power0", 40, "s16")), command.Held(2, None)),
        require=(command.Required(Field("require0", 50, "u16"), 3),),
        release=(tables.Step(40, released, ("charge", "zero", "discharge")),),
    )


U16 = {"address": 12, "type": "u16"}


@pytest.mark.parametrize(
    ("path", "value", "where", "says"),
    [
        ("points/c_w", {"address": 11, "type": "u16"}, "points/c_w/address", "lies on a_w"),
        ("points/c_w", U16, "points/c_w/address", "lies on b_w"),
        ("points/power", U16, "points/power/[key]", "ends in its unit"),
        ("points/w", U16, "points/w/[key]", "ends in its unit"),
        ("points/A_w", U16, "points/A_w/[key]", "match"),
        ("points/c_w", {"address": 20, "type": "u16", "scale": 0}, "points/c_w/scale", "positive"),
        (
            "points/c_w",
            {"address": 20, "type": "u16", "absent": [1, 65536]},
            "points/c_w/absent/1",
            "does not fit",
        ),
        ("points/c_w", {"address": 20, "type": "u16", "min": 2, "max": 1}, "points/c_w/min", "above max"),
        (
            "points/charge_limit_w",
            {"address": 20, "type": "u16", "negate": True},
            "points/charge_limit_w/negate",
            "magnitudes",
        ),
        (
            "points/charge_limit_w",
            {"address": 20, "type": "u16", "poll": "slow"},
            "points/charge_limit_w/poll",
            "polled fast",
        ),
        ("identity", {"serial": {"address": 65530, "count": 7}}, "identity/serial/count", "ends past 65535"),
        (
            "identity",
            {"serial": {"address": 65535, "type": "u32"}},
            "identity/serial/count",
            "ends past 65535",
        ),
        ("identity", {"serial": {"address": 90}}, "identity/serial/count", "one of both"),
        (
            "identity",
            {"serial": {"address": 9, "count": 1, "type": "u16"}},
            "identity/serial/count",
            "one of",
        ),
        (
            "identity",
            {"serial": {"address": 90, "count": 2, "words": "little"}},
            "identity/serial/words",
            "only a number",
        ),
        ("points", {}, "points", "there is nothing to read"),
        ("forbidden", [{"first": 12, "last": 12}], "points/b_w/address", "forbidden"),
        ("forbidden", [{"first": 9, "last": 8}], "forbidden/0/last", "before first"),
        ("setpoint/refresh_s", 21, "setpoint/refresh_s", "third"),
        ("setpoint/class", "latching", "setpoint/timeout_s", "has none"),
        ("setpoint/class", "self-expiring", "setpoint/arm", "timer set and read"),
        ("setpoint/charge_max", -1, "setpoint/charge_max/number", "greater than 0"),
        ("setpoint/write/0/when", ["charge", "zero"], "setpoint/write", "power of a discharge"),
        (
            "setpoint/write/0/values/0/value",
            "watts",
            "setpoint/write/0/values/0/value",
            "whole number or one of",
        ),
        (
            "setpoint/write/0/values/0",
            {"type": "s16", "value": 40000},
            "setpoint/write/0/values/0/value",
            "does not fit",
        ),
        (
            "setpoint/write/0",
            {"address": 65535, "values": [{"type": "s32", "value": "power"}]},
            "setpoint/write/0/values",
            "fit one write",
        ),
        (
            "setpoint/write/0",
            {"address": 40, "single": True, "values": [{"type": "s32", "value": "power"}]},
            "setpoint/write/0/single",
            "one register",
        ),
        ("setpoint/release/0/values/0/value", "power", "setpoint/release/0", "constants"),
    ],
)
def test_each_mistake_is_found_where_it_is(path: str, value: object, where: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ModbusProfile.model_validate(changed(path, value))
    found = {"/".join(map(str, e["loc"])): e["msg"] for e in refused.value.errors()}
    assert list(found) == [where] and says in found[where], found


def test_wear_needs_a_budget() -> None:
    profile = changed("setpoint/class", "latching-eeprom")
    profile["setpoint"] |= {"timeout_s": 0, "refresh_s": 0}
    with pytest.raises(ValidationError, match="set a budget"):
        ModbusProfile.model_validate(profile)
    profile["setpoint"]["writes_per_day"] = 50
    assert ModbusProfile.model_validate(profile).setpoint


def test_bit_fields_may_share_a_register_and_nothing_else_may() -> None:
    profile = changed("points/c_code", {"address": 20, "type": "u16", "mask": 0x00FF})
    profile["points"]["d_code"] = {"address": 20, "type": "u16", "mask": 0xFF00}
    assert ModbusProfile.model_validate(profile)
    profile["points"]["d_code"]["mask"] = 0x0180
    with pytest.raises(ValidationError, match="lies on c_code"):
        ModbusProfile.model_validate(profile)


def test_all_mistakes_are_reported_at_once() -> None:
    profile = changed("points/c_w", {"address": 20, "type": "u16", "scale": 0})
    profile["setpoint"]["refresh_s"] = 50
    with pytest.raises(ValidationError) as refused:
        ModbusProfile.model_validate(profile)
    assert refused.value.error_count() == 2


def test_there_is_a_json_schema() -> None:
    schema = ModbusProfile.model_json_schema()
    assert "setpoint" in schema["properties"] and schema["additionalProperties"] is False
