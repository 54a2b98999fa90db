"""People's quantities to canonical integers: accepted, refused with a sentence, shown again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import units


@pytest.mark.parametrize(
    ("text", "scale", "value"),
    [
        ("10 kW", units.POWER_W, 10_000),
        ("-3 kW", units.POWER_W, -3000),
        ("2.5kW", units.POWER_W, 2500),
        ("2 kW/s", units.RAMP_W_PER_S, 2000),
        ("100 kW/min", units.RAMP_W_PER_S, 1666),
        ("15 min", units.DURATION_MS, 900_000),
        ("95 %", units.PERCENT_BP, 9500),
        ("-5 °C", units.TEMPERATURE_CC, -500),
        ("2 GiB", units.SIZE_BYTES, 2**31),
        ("30 TB", units.SIZE_BYTES, 3 * 10**13),
        ("0.01 ether", units.MONEY_WEI, 10**16),
    ],
)
def test_what_people_write_is_understood(text, scale, value):
    assert units.parse(text, scale) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10", "no unit"),
        (10, "no unit"),
        (True, "not a number"),
        ("10 kv", "unknown unit 'kv'"),
        ("ten kW", "not a number"),
        ("0.5 W", "finer"),
        ("1e3 W", "unknown unit 'e3 W'"),
        ("-1 kW", "at least 0 W"),
        ("2 MW", "at most 1 MW"),
    ],
)
def test_what_is_refused_says_why(text, said):
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        units.parse(text, units.POWER_W, least=0, most=1_000_000)


def test_each_unit_shows_as_people_read_it():
    assert [
        units.show(5000, "bp"),
        units.show(-3000, "w"),
        units.show(12_345, "w"),
        units.show(49_980, "mhz"),
        units.show(51_234, "mv"),
        units.show(7, "code"),
    ] == ["50.00 %", "-3000 W", "12.35 kW", "49.980 Hz", "51.234 V", "7"]


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (5400, "5.4 kB"), (310 * 10**6, "310 MB"), (3 * 10**13, "30 TB")],
)
def test_bytes_as_people_read_them(count, said):
    assert units.size(count) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 days"), (89, "89 days"), (90, "3 months"), (500, "1.4 years"), (30_000, "82 years"),
     (10**9, "more than 200 years")],
)  # fmt: skip
def test_spans_as_people_read_them(count, said):
    assert units.days(count) == said


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_sentence(text):
    try:
        assert isinstance(units.parse(text, units.POWER_W), int)
    except ValueError as error:
        assert "W" in str(error)
