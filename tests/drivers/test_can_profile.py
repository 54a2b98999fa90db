"""CAN profiles: the shipped pairs compile, and what could make a wrong reading is refused at its own line."""

import copy
import re

import pytest

from drivers.can import PLUGIN
from drivers.can.codec import decode
from gateway.errors import ConfigError
from gateway.model import QUANTITIES, Quality
from tests.drivers.can_bench import frame, own, profile, table

DBC = """\
VERSION ""
NS_ :
BS_:
BU_: BMS
BO_ 756 Status: 8 BMS
 SG_ Voltage : 0|16@1+ (0.1,0) [0|0] "V" BMS
 SG_ Current : 16|16@1+ (0.1,-400) [0|0] "A" BMS
 SG_ Soc : 32|8@1+ (1,0) [0|0] "%" BMS
 SG_ ChargeOn : 40|1@1+ (1,0) [0|0] "" BMS
 SG_ Level : 41|2@1+ (1,0) [0|0] "" BMS
 SG_ Limit : 48|16@1+ (0.1,0) [0|0] "A" BMS
BO_ 2147486352 Other: 8 BMS
 SG_ Voltage : 7|16@0+ (0.1,0) [0|0] "V" BMS
 SG_ Average : 23|16@0+ (0.25,0) [0|0] "mV" BMS
BO_ 773 Alive: 8 BMS
BO_ 774 Long: 64 BMS
 SG_ Late : 0|8@1+ (1,0) [0|0] "V" BMS
"""
POINTS = {
    "battery_voltage_mv": {"signal": "Status.Voltage", "plausible": [10000, 100000]},
    "battery_current_ma": {"signal": "Current", "sign": "battery", "plausible": [-400000, 400000]},
    "battery_soc_bp": {"signal": "Soc", "plausible": [0, 10000]},
    "charge_limit_ma": {"signal": "Limit", "gate": "ChargeOn", "plausible": [0, 400000]},
}
BASE = {
    "driver": "can",
    "role": "battery",
    "vendor": "V",
    "model": "M",
    "sources": ["s"],
    "proof": "simulated",
    "dbc": {"file": "own.dbc", "text": DBC},
    "anchors": ["Status"],
    "points": POINTS,
    "flags": {"battery_alarms_flags": {"over_volt_alarm": ["Level=2"], "over_volt_warning": ["Level"]}},
}


def edited(change) -> dict:
    data = copy.deepcopy(BASE)
    change(data)
    return data


def rewritten(old: str, new: str) -> dict:
    assert old in DBC
    return {**BASE, "dbc": {"file": "own.dbc", "text": DBC.replace(old, new)}}


def refusals(data) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        own(data)
    return [problem.message for problem in refused.value.problems]


def first(data):
    return data["points"]["battery_voltage_mv"]


@pytest.mark.parametrize("name", ["pylontech_can", "byd_hv_can"])
def test_the_shipped_profiles_give_what_control_needs(name):
    names = set(table(name).points)
    assert {"charge_limit_ma", "discharge_limit_ma", "battery_soc_bp", "battery_power_w"} <= names
    assert len(names & QUANTITIES.keys()) >= 8
    assert len(profile(name).sources) >= 2


def test_limits_of_the_pylontech_family_grow_old_sooner():
    slots = table().slots
    limits = [
        slot for slot in slots if table().points[slot.point] in ("charge_limit_ma", "discharge_limit_ma")
    ]
    assert len(limits) == 4 and {slot.stale_ms for slot in limits} == {3000}  # values and gates
    assert table().anchors == {(0x351, False), (0x355, False), (0x356, False)}


def test_a_pair_of_ones_own():
    of = own(BASE).table().codec
    assert of.points == (*POINTS, "battery_alarms_flags", "battery_power_w")
    assert of.anchors == {(0x2F4, False)} and set(of.frames) == {(0x2F4, False)}  # of Other nothing is taken
    found = decode(of, frame(0x2F4, "1301D71133056400")).slots
    assert [value for value, _ in found.values()] == [27_500, -56_700, 5_100, 10_000, 1 << 9, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["points"].update(voltage=first(d)), "'voltage' must end in one of the units _w, _var"),
        (lambda d: d["points"].update(_mv=first(d)), "'_mv' must end in one of the units"),
        (lambda d: first(d).update(signal="Status.Voltag"),
         "own.dbc has no signal 'Status.Voltag'; did you mean 'Status.Voltage'?"),
        (lambda d: first(d).update(signal="Zz"), "own.dbc has no signal 'Zz'"),
        (lambda d: first(d).update(signal="Voltage"),
         "Voltage is in 2 messages: write Status.Voltage or Other.Voltage"),
        (lambda d: first(d).update(signal="Limit", gate=None),
         "Limit (own.dbc:11) is in 'A', which makes no _mv (these do: V, mV, kV, uV, Volt, Volts)"),
        (lambda d: first(d).update(signal="Level", unit=""),
         "Level (own.dbc:10) has no unit, which makes no _mv (these do: V, mV,"),
        (lambda d: first(d).update(signal="Late"),
         "Late (own.dbc:17) is in a message of 64 bytes, more than the 8 of a CAN frame"),
        (lambda d: first(d).update(absent=[0x1_0000]),
         "Voltage (own.dbc:6) has 16 bits, which 0x10000 (absent) does not fit"),
        (lambda d: first(d).update(plausible=[100, 10]), "plausible is least and most, in this order"),
        (lambda d: d["points"]["battery_current_ma"].update(sign="plain"),
         "battery_current_ma: write sign: battery, and positive_current for the device"),
        (lambda d: first(d).update(gate="ChargeOn"),
         "battery_voltage_mv is no limit that could be 0: it has no gate"),
        (lambda d: d["points"]["charge_limit_ma"].update(gate="Level"),
         "Level (own.dbc:10) has 2 bits, an enable bit is one"),
        (lambda d: d["points"]["charge_limit_ma"].update(gate="No"), "own.dbc has no signal 'No'"),
        (lambda d: first(d).update(finer="Average"), "Average is in Other, Voltage in Status"),
        (lambda d: d.update(anchors=["Statu"]), "own.dbc has no message 'Statu'; did you mean 'Status'?"),
        (lambda d: d.update(anchors=[0x2F4]), "0x2f4: a message is called as in the DBC, not by its id"),
        (lambda d: d.update(anchors=["Other"]), "nothing is taken of Other: it cannot stand here"),
        (lambda d: d.update(messages={"Other": {}}), "nothing is taken of Other: it cannot stand here"),
        (lambda d: d.update(texts=[{"message": "No", "key": "serial"}]), "own.dbc has no message 'No'"),
        (lambda d: d.update(keep_alive={"message": "Status"}),
         "Status is sent as keep-alive and cannot be heard too"),
        (lambda d: d.update(keep_alive={"message": "Alive", "data": "00"}),
         "Alive has 8 bytes, which data is not"),
        (lambda d: d.update(keep_alive={"message": "Long"}), "Long has 64 bytes, which is no CAN frame"),
        (lambda d: d.update(messages={"Status": {"lengths": [3, 8]}}),
         "a Status of 3 bytes would cut Current"),
        (lambda d: d.update(messages={"Status": {"lengths": [6]}}),
         "Limit ends at byte 8, beyond the longest Status"),
        (lambda d: d["points"].update(battery_alarms_flags={"signal": "Level", "plausible": [0, 3]}),
         "battery_alarms_flags is a number and flags"),
        (lambda d: d["flags"]["battery_alarms_flags"].update(fire=["Level"]),
         "battery_alarms_flags has no flag 'fire'"),
        (lambda d: d["flags"]["battery_alarms_flags"].update(fan_error=["Level=4"]),
         "Level (own.dbc:10) has 2 bits and is never 4"),
        (lambda d: d["flags"].update(x_flags={}),
         "'x_flags' is no flags point; these are: battery_alarms_flags, battery_requests_flags"),
        (lambda d: d.update(speed=1), "unknown key 'speed'"),
        (lambda d: d.update(driver="modbus"), "driver: must be 'can'"),
        (lambda d: d.update(dbc="own.dbc"), "name a .dbc file that lies beside the profile"),
        (lambda d: d.pop("dbc"), "'dbc' is missing"),
        (lambda d: d.update(derating={"battery_cell_max_mv": {"charge": [[3400, 100], [3500, 0]]}}),
         "derating is over battery_cell_max_mv, which is none of the points"),
    ],
)  # fmt: skip
def test_a_profile_that_could_lie_is_refused(change, says):
    assert any(message.startswith(says) for message in refusals(edited(change)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("16|16@1+ (0.1,-400)", "8|16@1+ (0.1,-400)", "Current (own.dbc:7) overlaps Voltage (own.dbc:6)"),
        ("16|16@1+ (0.1,-400)", "16|33@1+ (0.1,-400)", "Current (own.dbc:7) has 33 bits, more than 32"),
        ("48|16@1+", "56|16@1+", "Limit (own.dbc:11) reaches beyond the 8 bytes of Status"),
        ("(0.1,-400)", "(0,-400)", "Current (own.dbc:7) has the factor 0 and the offset -400"),
        ("(0.1,-400)", "(1e15,0)", "Current (own.dbc:7) could be more than any battery_current_ma"),
        ('"A" BMS\n SG_ Soc', '"bananas" BMS\n SG_ Soc',
         "Current (own.dbc:7) is in 'bananas', which makes no _ma"),
        ("BO_ 773 Alive", "BO_ 756 Alive", "own.dbc:15: Alive has the id of Status"),
        ("BO_ 773 Alive", "BO_ 773 Status", "own.dbc:15: a second message Status"),
        ("BO_ 756 Status:", "BO_ 756 Status", "own.dbc:5:16: not what may stand here in a DBC file"),
    ],
)  # fmt: skip
def test_a_dbc_that_could_lie_is_refused(old, new, says):
    assert any(message.startswith(says) for message in refusals(rewritten(old, new)))


def test_all_that_is_wrong_is_said_at_once_each_at_its_own_line():
    data = edited(lambda d: (first(d).update(signal="X1"), d["points"]["battery_soc_bp"].update(signal="X2")))
    with pytest.raises(ConfigError) as refused:
        own(data)
    places = {re.search("X.", p.message)[0]: p.line for p in refused.value.problems}
    assert places.keys() == {"X1", "X2"} and len(set(places.values())) == 2


def test_a_unit_beside_the_dbc_where_it_has_none_of_ours():
    data = rewritten('"V" BMS\n SG_ Current', '"Unit_V" BMS\n SG_ Current')
    data["points"] = {**POINTS, "battery_voltage_mv": {**POINTS["battery_voltage_mv"], "unit": "V"}}
    of = own(data).table().codec
    assert decode(of, frame(0x2F4, "1301D71133006400")).slots[0] == (27_500, Quality.GOOD)


@pytest.mark.parametrize(("raw", "value"), [("0000", 0), ("0001", 0), ("0002", 1), ("0003", 1), ("0006", 2)])
def test_a_fraction_rounds_halves_up_in_a_big_endian_frame_with_a_long_id(raw, value):
    points = {"battery_cell_min_mv": {"signal": "Average", "plausible": [0, 5000]}}
    of = own({**BASE, "points": points, "anchors": ["Other"], "flags": {}}).table().codec
    assert of.anchors == {(0xA90, True)}
    found = decode(of, frame(0xA90, f"0000{raw}00000000", extended=True)).slots
    assert found == {0: (value, Quality.GOOD)}
    assert of.power is None and "battery_power_w" not in of.points


def test_a_power_the_device_sends_is_not_derived():
    sent = {"signal": "Soc", "unit": "W", "sign": "battery", "plausible": [0, 300]}
    of = own(edited(lambda d: d["points"].update(battery_power_w=sent))).table().codec
    assert of.power is None and of.points.count("battery_power_w") == 1


@pytest.mark.parametrize(("cycle", "stale"), [(0, 5000), (100, 5000), (10_000, 30_000)])
def test_what_is_seldom_sent_is_outdated_later(cycle, stale):
    said = f'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;\nBA_ "GenMsgCycleTime" BO_ 756 {cycle};\n'
    data = {**BASE, "dbc": {"file": "own.dbc", "text": DBC + said}}
    assert {slot.stale_ms for slot in own(data).table().codec.slots} == {stale}
    data["messages"] = {"Status": {"stale_ms": 700}}
    assert {slot.stale_ms for slot in own(data).table().codec.slots} == {700}


def test_a_keep_alive_is_a_message_of_the_dbc():
    alive = own({**BASE, "keep_alive": {"message": "Alive", "every_ms": 500}}).table().keep_alive
    assert (alive.id, alive.extended, alive.data, alive.every_ms) == (0x305, False, bytes(8), 500)
    long = rewritten("BO_ 773 Alive: 8", "BO_ 2147484421 Alive: 2")
    alive = own({**long, "keep_alive": {"message": "Alive", "data": "0AFF"}}).table().keep_alive
    assert (alive.id, alive.extended, alive.data) == (0x305, True, b"\x0a\xff")


def test_the_schema_describes_what_a_technician_writes():
    schema = PLUGIN.profile_model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert {"dbc", "points", "flags", "anchors", "keep_alive", "positive_current"} <= schema[
        "properties"
    ].keys()
    assert schema["properties"]["dbc"]["type"] == "string"
