"""The measured series: as the files say, held or interpolated, and round again at the end."""

import csv

import pytest
from rig.series import DATA, FREQUENCY, HOUSEHOLD, Series, read_columns, spacing, surroundings


def test_the_household_is_the_file_minute_by_minute():
    load = surroundings().load_w
    with (DATA / HOUSEHOLD).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2879
    for row in rows[:: len(rows) // 50]:
        minute = int(row["minute"])
        assert load.held(minute * 60) == load.held(minute * 60 + 59.9) == int(row["active_w"])


def test_the_frequency_is_linear_between_rows():
    frequency = surroundings().frequency_uhz
    first, second = read_columns(DATA / FREQUENCY)["deviation_uhz"][:2]
    assert frequency.between(0) == first
    assert frequency.between(5) == (first + second) / 2
    assert frequency.held(9.9) == first


def test_both_go_round_at_the_end():
    series = Series(10, (0, 100, 50), start_s=20)
    assert [series.held(at) for at in (20, 35, 49, 50, 19)] == [0, 100, 50, 0, 50]
    assert series.between(45) == 25  # half way from the last row to the first


@pytest.mark.parametrize(
    ("text", "message"), [("a,b\n1\n", ":2: expected 2 fields"), ("a\nx\n", "invalid literal")]
)
def test_a_broken_file_is_named(tmp_path, text, message):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_columns(path)


def test_missing_rows_are_noticed():
    with pytest.raises(ValueError, match="not evenly spaced"):
        spacing((0, 10, 30))
