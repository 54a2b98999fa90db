"""Units of DBC files to the canonical ones: exact, and nothing is guessed."""

from fractions import Fraction

import pytest

from drivers.can.scaling import ACCEPTED, to_canonical
from gateway.model import UNITS


@pytest.mark.parametrize(
    ("value", "unit", "point", "canonical"),
    [
        ("51.2", "V", "battery_voltage_mv", 51_200),
        ("3.297", "V", "battery_cell_min_mv", 3_297),
        ("800", "kV", "line_mv", 800_000_000),
        ("-1.5", "A", "battery_current_ma", -1_500),
        ("280", "Ah", "battery_installed_mah", 280_000),
        ("99.5", "%", "battery_soc_bp", 9_950),
        ("995", "‰", "battery_soc_bp", 9_950),
        ("25", "°C", "battery_temperature_cc", 2_500),
        ("25", "degC", "battery_temperature_cc", 2_500),
        ("273.15", "K", "battery_temperature_cc", 0),
        ("-40", "degF", "battery_temperature_cc", -4_000),
        ("212", "°F", "battery_temperature_cc", 10_000),
        ("1.2", "kWh", "battery_charged_wh", 1_200),
        ("3", "kW", "charge_limit_w", 3_000),
        ("50.01", "Hz", "grid_frequency_mhz", 50_010),
        ("2", "h", "uptime_s", 7_200),
        ("7", "", "battery_cycles_count", 7),
        ("0.5", "kvar", "grid_reactive_var", 500),
    ],
)
def test_units_convert_exactly(value, unit, point, canonical):
    size, zero = to_canonical(unit, point)
    assert Fraction(value) * size + zero == canonical


@pytest.mark.parametrize(
    ("unit", "point", "says"),
    [
        ("A", "battery_voltage_mv", "is in 'A', which makes no _mv (these do: V, mV, kV, uV, Volt, Volts)"),
        ("", "battery_voltage_mv", "has no unit, which makes no _mv (these do: V,"),
        ("v", "battery_voltage_mv", "is in 'v', which makes no _mv"),
        ("Wh", "battery_installed_mah", "is in 'Wh', which makes no _mah"),
        ("V", "cells_count", """is in 'V', which makes no _count (these do: "", 1, -)"""),
    ],
)
def test_what_does_not_convert_is_said_with_what_does(unit, point, says):
    with pytest.raises(ValueError) as refused:
        to_canonical(unit, point)
    assert str(refused.value).startswith(says)


def test_every_canonical_unit_can_be_written_in_a_dbc():
    assert ACCEPTED.keys() == UNITS.keys()
    for suffix, (shown, decimals) in UNITS.items():
        assert ACCEPTED[suffix][shown] == (10**decimals, 0)
