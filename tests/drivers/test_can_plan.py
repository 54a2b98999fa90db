"""The plan of a CAN device: frames, points and bus time."""

from dataclasses import replace

import pytest

from drivers.can import PLUGIN
from drivers.can.plan import frame_bits
from gateway.driver import seated_twice
from gateway.errors import ConfigError
from tests.drivers.can_bench import device, profile, table


@pytest.mark.parametrize(
    ("length", "extended", "bits"), [(8, False, 135), (0, False, 55), (8, True, 160), (4, False, 95)]
)  # the known worst cases of classic CAN
def test_frame_bits(length, extended, bits):
    assert frame_bits(length, extended=extended) == bits


def test_plan_lists_every_frame_and_all_points():
    plan = PLUGIN.plan(device("can://can0"), profile().table())
    assert len(plan.lines) == len(table().frames) + 1
    assert plan.lines[0].text.startswith("hear 0x351: charge_voltage_limit_mv, charge_limit_ma")
    assert plan.lines[0].bus_ms == pytest.approx(0.27)
    assert plan.lines[-1].text.startswith("send 0x305: keep-alive each 1000 ms")
    assert tuple(p.name for p in plan.points) == table().points
    assert plan.setpoint is None
    assert 4 < plan.bus_ms < 5


@pytest.mark.parametrize(
    ("query", "own", "said"),
    [
        ("", 500_000, ""),
        ("?bitrate=250000", 250_000, ""),
        ("", 250_000, "it runs at 500000 bit/s, but .* says 250000: write bitrate=250000"),
        ("?bitrate=250000", 500_000, "it runs at 250000 bit/s, but .* says 500000: write bitrate=500000"),
    ],
)
def test_the_adapter_runs_at_the_profiles_bit_rate_or_is_refused(query, own, said):
    spoken = replace(profile().table(), bitrate=own)
    where = device(f"slcan:///dev/x{query}")
    if said:
        with pytest.raises(ConfigError, match=said):
            PLUGIN.plan(where, spoken)
    else:
        assert PLUGIN.plan(where, spoken).lines[0].bus_ms == pytest.approx(135_000 / own)


def test_without_keep_alive_nothing_is_sent():
    silent = replace(profile().table(), keep_alive=None)
    assert not [x for x in PLUGIN.plan(device(spoken=silent), silent).lines if x.text.startswith("send")]


def test_a_bus_has_one_battery_of_a_kind_whatever_its_units_say():
    first = device("can://can0")
    second = replace(first, name="other", unit=7)
    plans = [(each, PLUGIN.plan(each, profile().table())) for each in (first, second)]
    assert [name for name, _ in seated_twice(plans)] == ["other"]


def test_a_bad_link_is_found_offline():
    with pytest.raises(ConfigError):
        PLUGIN.plan(device("can://"), profile().table())
