"""What a node-table profile may say, and how what is wrong is told: value, setpoint, the whole."""

import pickle
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from drivers.opcua.node import Node, parse
from drivers.opcua.profile import OpcUaProfile
from gateway import yamlfile
from gateway.errors import ConfigError
from gateway.model import CommandClass
from tests.drivers.opcua_bench import NAMESPACE, PROFILE


def model(text=PROFILE):
    return yamlfile.validate(yamlfile.parse(text, "ess.yaml"), OpcUaProfile)


def changed(**changes):
    """The profile of the bench with some keys replaced; None: left out."""
    data = yaml.safe_load(PROFILE) | changes
    return yaml.safe_dump({k: v for k, v in data.items() if v is not None}, sort_keys=False)


def point(**changes):
    return changed(points={"battery_soc_bp": {"node": "s=SoC", "type": "Double"} | changes}, setpoint=None)


def setpoint(**changes):
    return changed(setpoint=yaml.safe_load(PROFILE)["setpoint"] | changes)


def test_the_table_is_plain_and_can_be_pickled():
    table = model().table()
    assert pickle.loads(pickle.dumps(table)) == table
    assert [field.name for field in table.fast] == [
        "battery_soc_bp",
        "battery_power_w",
        "battery_voltage_mv",
        "grid_power_w",
    ]
    assert [field.name for field in table.slow] == ["battery_temperature_cc"]
    soc, power = table.fast[:2]
    assert (soc.scale, soc.low, soc.high) == (100, 0, 10000)
    assert power.scale == -1000
    assert table.identity == {"serial": Node(NAMESPACE, "s", "Info.Serial")}
    assert not table.subscribed


def test_the_setpoint_is_plain_too():
    block = model().table().setpoint
    assert block.command_class is CommandClass.WATCHDOG
    assert block.charge_max.node == parse("b=bm9kZQ==", NAMESPACE) and block.charge_max.down
    assert (block.discharge_max, block.timeout_s, block.refresh_s) == (5000, 4, 1)
    assert [step.value for step in block.write] == ["power", "count", 2]
    assert [step.field.scale for step in block.write] == [Fraction(-1000), 1, 1]
    assert [step.value for step in block.release] == [0, 0]
    assert block.held[0].mode == 2 and block.require[0].equals == 1


def test_source_times_and_limits_are_of_the_whole_file():
    points = {"charge_limit_w": {"node": "s=x", "type": "Double", "scale": 1000}}
    field = model(changed(points=points, source_age_s=30, setpoint=None)).table().fast[0]
    assert field.aged_ms == 30_000 and field.down


def test_true_and_false_are_written_as_they_are():
    steps = [{"node": "s=On", "type": "Boolean", "value": False}]
    assert model(setpoint(release=steps)).table().setpoint.release[0].value == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (point(node="ns=2;s=SoC"), "name the namespace"),
        (point(node="SoC"), "is no node"),
        (point(type="Real"), "Boolean"),
        (point(scale=0), "must be above 0"),
        (point(min=5, max=4), "min is above max"),
        (point(uncertain="maybe"), "uncertain"),
        (changed(points={"battery_soc": {"node": "s=x", "type": "Double"}}), "ends in its unit"),
        (changed(points={}), "at least 1"),
        (changed(namespace=None), "has no namespace"),
        (changed(role="relay"), "role"),
        (changed(updates="sometimes"), "asked"),
        (point(poll="slow"), "all of them slow"),
        (changed(derating={"battery_cell_min_mv": {"charge": [[1, 0], [2, 100]]}}), "none of the points"),
        (
            changed(points={"charge_limit_w": {"node": "s=x", "type": "Double", "negate": True}}),
            "limits are magnitudes",
        ),
        (
            changed(points={"charge_limit_w": {"node": "s=x", "type": "Double", "poll": "slow"}}),
            "it is polled fast",
        ),
        (setpoint(refresh_s=2), "at most a third of timeout_s"),
        (setpoint(**{"class": "self-expiring"}), "needs its timer set and read"),
        (setpoint(**{"class": "latching"}), "a latching device has none"),
        (setpoint(**{"class": "latching-eeprom", "timeout_s": 0}), "set a budget"),
        (setpoint(ends_s=2), "as long as timeout_s"),
        (setpoint(write=[]), "at least one is needed"),
        (
            setpoint(write=[{"node": "s=P", "type": "Double", "value": "power", "when": ["charge", "zero"]}]),
            "writes the power of a discharge",
        ),
        (
            setpoint(release=[{"node": "s=P", "type": "Double", "value": "power"}]),
            "handing back writes constants",
        ),
        (setpoint(release=[{"node": "s=P", "type": "Byte", "value": 256}]), "does not fit Byte"),
        (setpoint(release=[{"node": "s=P", "type": "Byte", "value": 1.5}]), "must be a whole number"),
        (setpoint(write=[{"node": "s=P", "type": "Double", "value": "count"}]), "a heartbeat is"),
        (setpoint(write=[{"node": "s=P", "type": "Boolean", "value": "power"}]), "a Boolean holds no power"),
        (setpoint(read_back={"held": [{"mode": 1, "power": 0}]}), "no mode node"),
        (
            setpoint(read_back={"mode": {"node": "s=M", "type": "Byte"}, "held": [{"power": 0}]}),
            "say which mode",
        ),
        (
            setpoint(read_back={"held": [{"power": 0}, {"power": 0}]}),
            "without a mode node there is one power",
        ),
        (setpoint(discharge_max=0), "greater than 0"),
        (setpoint(arm={"write": []}), "timer"),
        (PROFILE + "extra: 1\n", "extra"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        model(text)
    assert all(problem.line > 0 and problem.file == "ess.yaml" for problem in caught.value.problems)


def test_a_self_expiring_device_has_its_timer_armed():
    step = {"node": "s=T", "type": "UInt16", "value": "timeout_s"}
    text = setpoint(
        **{"class": "self-expiring", "arm": {"write": [step], "timer": {"node": "s=T", "type": "UInt16"}}}
    )
    arm = model(text).table().setpoint.arm
    assert arm.write[0].value == "timeout_s" and arm.timer.node.identifier == "T"


def test_the_profile_in_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "opcua.md").read_text()
    blocks = page.split("```yaml\n")[1:]
    table = model("".join(block.partition("```")[0] for block in blocks)).table()
    assert table.subscribed and table.setpoint and table.slow
