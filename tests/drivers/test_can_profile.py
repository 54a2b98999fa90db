"""CAN profiles: the shipped one compiles, and what could make a wrong reading is refused in one line."""

import copy

import pytest
import yaml

from drivers.can import PLUGIN
from drivers.can.codec import decode
from drivers.can.profile import CanProfile, compile_table
from gateway import yamlfile
from gateway.errors import ConfigError
from gateway.model import QUANTITIES, Quality
from tests.drivers.can_bench import JK, frame, profile, table

BASE = JK["profile"]


def refusal(change) -> str:
    """What the profile loader says of BASE after `change(data)`."""
    data = copy.deepcopy(BASE)
    change(data)
    with pytest.raises(ConfigError) as refused:
        yamlfile.validate(yamlfile.parse(yaml.safe_dump(data), "own.yaml"), CanProfile)
    (problem,) = refused.value.problems
    return problem.message


def first(data):
    return data["frames"][0]["points"][0]


def test_the_shipped_profile_gives_what_control_needs():
    names = set(table().points)
    assert {"charge_limit_ma", "discharge_limit_ma", "battery_soc_bp", "battery_power_w"} <= names
    assert len(names & QUANTITIES.keys()) >= 14
    assert table().anchors == {(0x351, False), (0x355, False), (0x356, False)}
    assert all(f.stale_ms == 3000 for f in profile().frames if f.id in (0x351, 0x35C))
    assert len(profile().sources) >= 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: first(d).update(point="voltage"), "'voltage' must end in one of the units"),
        (lambda d: first(d).update(point="_mv"), "'_mv' must end in one of the units"),
        (lambda d: first(d).update(at=1), "battery_voltage_mv and battery_current_ma overlap in byte 2"),
        (lambda d: d["frames"][0].update(lengths=[3, 8]), "a frame of 3 bytes would cut battery_current_ma"),
        (lambda d: d["frames"][0].update(lengths=[4]), "battery_soc_bp ends at byte 5, beyond the longest"),
        (lambda d: d["frames"].append(d["frames"][0]), "frame 0x2f4 is written twice"),
        (lambda d: d.update(anchors=[0x351]), "anchor 0x351 is none of the frames"),
        (lambda d: d.update(keep_alive={"id": 0x2F4}), "0x2f4 is sent as keep-alive and cannot be a frame"),
        (lambda d: d["frames"][0].update(id=0x800), "0x800 is above 0x7ff"),
        (lambda d: d["frames"][0].update(gates={"charge_limit_ma": 1}), "which no frame gives"),
        (lambda d: d["frames"][0].update(gates={"battery_soc_bp": 1}), "no limit that could be 0"),
        (lambda d: first(d).update(absent=[0xFFFF, 0x1_0000]), "0x10000 does not fit u16"),
        (lambda d: first(d).update(plausible=[100, 10]), "plausible is least and most"),
        (lambda d: d["frames"][0]["points"][1].update(sign="plain"), "current_ma: write sign: battery"),
        (lambda d: d["frames"][0].update(
            points=[{"point": "battery_alarms_flags", "at": 0, "type": "u8", "plausible": [0, 255]}],
            flags=[{"point": "battery_alarms_flags", "form": "bits", "bits": {"fan_error": [8]}}]),
         "battery_alarms_flags is a number and flags"),
        (lambda d: d["frames"][0].update(id=0x7F0, extended="maybe"), "extended"),
        (lambda d: first(d).update(finer=True), "a finer copy must follow the point"),
        (lambda d: d["frames"][0]["points"][2].update(point="battery_voltage_mv"), "is given by 0x2f4"),
        (lambda d: d["frames"][0].update(flags=[{"point": "x_flags", "form": "bits", "bits": {}}]),
         "'x_flags' is no flags point"),
        (lambda d: d["frames"][0].update(flags=[{"point": "battery_alarms_flags", "form": "bits",
                                                 "bits": {"fire": [1]}}]), "has no flag 'fire'"),
        (lambda d: d.update(speed=1), "unknown key 'speed'"),
        (lambda d: d.update(driver="modbus"), "driver"),
    ],
)  # fmt: skip
def test_a_profile_that_could_lie_is_refused(change, says):
    assert says in refusal(change)


@pytest.mark.parametrize("scale", [0.1, 0, -1, "1/0", "0/5", "x", "-1/2"])
def test_scales_are_exact_and_positive(scale):
    data = copy.deepcopy(BASE)
    first(data)["scale"] = scale
    with pytest.raises(ConfigError):
        yamlfile.validate(yamlfile.parse(yaml.safe_dump(data), "own.yaml"), CanProfile)


@pytest.mark.parametrize(("raw", "value"), [("0100", 0), ("0500", 1), ("0F00", 2), ("1400", 2), ("1900", 3)])
def test_a_fraction_rounds_halves_up(raw, value):
    data = copy.deepcopy(BASE)
    first(data).update(point="battery_cell_min_mv", scale="1/10", plausible=[0, 5000])
    of = compile_table(CanProfile.model_validate(data))
    assert decode(of, frame(0x2F4, raw + "D71133006400")).slots[0] == (value, Quality.GOOD)
    assert of.power is None and "battery_power_w" not in of.points


def test_big_endian_frames():
    data = copy.deepcopy(BASE)
    data["frames"][0]["order"] = "big"
    of = compile_table(CanProfile.model_validate(data))
    found = decode(of, frame(0x2F4, "011311D733006400")).slots
    assert [v for v, _ in found.values()] == [27_500, 56_700, 5100]


def test_a_power_the_device_sends_is_not_derived():
    data = copy.deepcopy(BASE)
    data["frames"][0]["points"][2].update(point="battery_power_w", sign="battery", plausible=[0, 300])
    of = compile_table(CanProfile.model_validate({**data}))
    assert of.power is None and of.points.count("battery_power_w") == 1


def test_extended_ids_are_their_own():
    data = copy.deepcopy(BASE)
    data["frames"][0].update(id=0x4210, extended=True)
    data["anchors"] = [0x4210]
    of = compile_table(CanProfile.model_validate(data))
    assert of.anchors == {(0x4210, True)}
    assert decode(of, frame(0x4210, "1301D71133006400", extended=True)).slots


def test_the_schema_describes_the_shipped_profile():
    schema = PLUGIN.profile_model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert {"frames", "anchors", "keep_alive", "positive_current"} <= schema["properties"].keys()
