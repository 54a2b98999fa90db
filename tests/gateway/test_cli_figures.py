"""`gridseal figures`: a row a day on any terminal, all as JSON, an exit code for what is critical."""

import json
from dataclasses import replace

import pytest

from gateway import cli
from gateway.analytics.tally import Tally
from gateway.store import performance
from tests.gateway.stores import opened
from tests.gateway.tallies import DAY_MS, QUARTER_MS, Battery

FIRST = 20_000  # 2024-10-04
GROUND_FAULT = 1 << 22


def moved(one, **changes):
    ms = FIRST * DAY_MS
    return replace(one, start_ms=one.start_ms + ms, end_ms=one.end_ms + ms, **changes)


async def database(path, tallies):
    async with opened(path) as (store, _):

        def fill(conn):
            for one in tallies:
                performance.put(conn, one)

        await store.call(fill)
    return str(path)


@pytest.fixture
async def five_days(tmp_path):
    intervals = [moved(t, spread_mv=31, temperature_min_cc=-250, temperature_max_cc=2600)
                 for t in Battery().days(5)]  # fmt: skip
    return await database(tmp_path / "g.db", intervals)


def test_a_row_a_day_and_one_of_all_fit_a_terminal(five_days, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["figures", five_days, "--days", "3"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if len(line) >= 12 and (line[0].startswith("2024-") or line[1] == "days")]
    assert [row[0] for row in rows] == ["2024-10-06", "2024-10-07", "2024-10-08", "3"]
    assert all("31" in row and "-2…26" in row and "100.0" in row for row in rows)
    assert not any("…" in word.strip("0123456789-…") for row in rows for word in row)


def test_what_falls_cold_is_said_below_the_table(five_days, capsys):
    assert cli.main(["figures", five_days]) == 0
    assert "notice: the battery fell to -2.5 °C" in capsys.readouterr().out


def test_json_has_every_day_the_whole_and_the_alerts(five_days, capsys):
    assert cli.main(["figures", five_days, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [day["start_ms"] // DAY_MS for day in found["days"]] == [FIRST + n for n in range(5)]
    assert found["whole"]["charged_wh"] == sum(day["charged_wh"] for day in found["days"])
    assert [alert["code"] for alert in found["alerts"]] == ["temperature-low"]


async def test_something_critical_is_exit_code_1(tmp_path, capsys):
    bad = moved(Tally(0, QUARTER_MS, battery_alarms_flags=GROUND_FAULT))
    assert cli.main(["figures", await database(tmp_path / "g.db", [bad])]) == 1
    assert "critical: a device reports a ground fault" in capsys.readouterr().out


async def test_days_before_those_shown_lend_their_capacity_to_the_whole(tmp_path, capsys):
    measured = Tally(0, QUARTER_MS, swings=1, swing_wh=4000, swing_bp=5000)
    later = Tally(DAY_MS, DAY_MS + QUARTER_MS, charged_wh=800, discharged_wh=800)
    path = await database(tmp_path / "g.db", [moved(measured), moved(later)])
    cli.main(["figures", path, "--days", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["whole"]["cycles_milli"] == 100


async def test_without_anything_sealed_it_says_what_is_missing(tmp_path, capsys):
    path = await database(tmp_path / "g.db", [])
    assert cli.main(["figures", path]) == 0
    assert "nothing is sealed yet" in capsys.readouterr().out
    assert cli.main(["figures", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"days": [], "whole": None, "alerts": []}


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999999999", "1.5", "²"])
def test_days_that_are_no_number_of_days_are_wrong_usage(days, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["figures", "x.db", f"--days={days}"])
    assert ended.value.code == 2
    assert "is not a number of days" in capsys.readouterr().err
