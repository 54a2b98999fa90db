"""The plan of a serial BMS, its profile, and what of both is refused before anything is opened."""

from importlib.resources import files

import pytest
from pydantic import ValidationError

from drivers.bms.families import FAMILIES
from drivers.bms.values import names
from drivers.serial import PLUGIN
from drivers.serial.profile import SerialProfile
from gateway.errors import ConfigError
from tests.drivers.serial_bench import device, shipped

SHIPPED = sorted(
    path.name.removesuffix(".yaml")
    for path in files("drivers.profiles").iterdir()
    if path.name.endswith(".yaml") and "driver: serial\n" in path.read_text()
)


def table(**changes):
    return SerialProfile(**(shipped("jbd_serial") | changes)).table()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_makes_a_plan(name):
    profile = SerialProfile(**shipped(name))
    family = FAMILIES[profile.family]
    one = device("/dev/serial/by-id/x", unit=family.addresses[-1], profile=name)
    plan = PLUGIN.plan(one, profile.table())
    assert [point.name for point in plan.points] == list(names(family))
    (line,) = plan.lines
    assert line.points == len(plan.points)
    assert all(request.name in line.text for request in family.requests(family.addresses[-1]))
    assert 0 < plan.bus_ms < 2_000
    assert (profile.allowance is None) is family.tells_limits
    assert any("states no limits" in note for note in plan.notes) is not family.tells_limits
    assert profile.recorded or profile.proof != "recorded"


def test_every_family_of_the_wire_ships():
    on_a_wire = {name for name in FAMILIES if not name.endswith("_ble")}
    assert {SerialProfile(**shipped(name)).family for name in SHIPPED} == on_a_wire


def test_the_wrong_rate_is_refused_with_what_to_write():
    with pytest.raises(ConfigError, match="runs at 9600 baud, but jbd_serial has 19200: write baud=19200"):
        PLUGIN.plan(device("/dev/ttyAMA0?baud=9600"), table(bauds=[19200]))
    usual, slow = (PLUGIN.plan(device(f"/dev/x{rate}"), table()).bus_ms for rate in ("", "?baud=9600"))
    assert usual == slow


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": "jdb"}, "'jdb' is no family; these are: "),
        ({"allowance": None}, "jbd states no limits"),
        ({"allowance": {"charge_ma": -1, "discharge_ma": 1}}, "charge_ma"),
        ({"bauds": []}, "bauds"),
        ({"bauds": [100]}, "bauds"),
        ({"gap_ms": 2001}, "gap_ms"),
        ({"frames": []}, "frames"),
        ({"derating": {"battery_cell_max_mv": {"charge": [[3400, 100], [3500, 0]]}}}, None),
    ],
)
def test_what_a_profile_may_not_say(changes, said):
    if said is None:
        assert table(**changes)
        return
    with pytest.raises(ValidationError) as error:
        table(**changes)
    assert said in str(error.value)
