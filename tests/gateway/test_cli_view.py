"""The picture of a site: any status can be drawn, on any terminal, with signs in words."""

import io
import re
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from gateway.cli.view import render, words
from gateway.model import Cause, ClockTrust
from gateway.report import FIGURES
from gateway.uplink.http.metrics import MODES
from tests.gateway.performances import performance

STATUS = {
    "site": "meadow",
    "clock": "TRUSTED",
    "site_figures": {
        "battery_power_w": -3000,
        "grid_power_w": 4000,
        "pv_power_w": 0,
        "load_power_w": 1000,
        "battery_soc_bp": 5125,
        "grid_frequency_mhz": 49_980,
    },
    "control": {
        "mode": "running",
        "command": {"kind": "fixed-power", "origin": "", "source": "operator"},
        "remaining_ms": 59_600,
        "target_w": -3000,
        "commanded_w": -2500,
        "measured_w": 12_500,
        "causes": ["ramp", "bms limit"],
        "fault": "",
        "beside": [{"kind": "reserve", "origin": "contract 0x12", "source": "chain"}],
        "shed": ["boiler"],
        "doubts": [],
        "reactive_var": -1500,
        "grid": "",
    },
    "store": {
        "readings": 12_345,
        "card": {
            "total_bytes": 10**9,
            "day_bytes": 310_000_000,
            "measured": True,
            "life_days": 30_000,
            "note": "",
        },
    },
    "records": {"signed": 1234, "sequence": 1235},
    "chain": {"confirmed": 1200, "last_transaction": "0xfeed", "commands": 3},
    "devices": {"inverter": {"online": True, "identity": "Acme One", "error": "", "found_at": ""}},
    "commissioned": {},
    "performance": {
        "day": asdict(performance(charged_wh=12_300)),
        "alerts": [{"code": "fan", "severity": "notice", "since_ms": 0, "text": "a fan fails"}],
    },
    "troubles": {"mqtt": "refused"},
}

SHOWN = ("charged_wh", "discharged_wh", "efficiency_bp", "soh_bp", "availability_bp")
watts = st.integers(-(2**63), 2**63 - 1)
powers = st.one_of(st.none(), watts)
texts = st.text(max_size=60)
amounts = st.integers(0, 10**18)
cards = st.fixed_dictionaries(
    {
        "total_bytes": amounts,
        "day_bytes": st.none() | amounts,
        "measured": st.booleans(),
        "life_days": st.none() | amounts,
        "note": texts,
    }
)
statuses = st.fixed_dictionaries(
    {
        "site": texts,
        "clock": st.sampled_from([trust.name for trust in ClockTrust]),
        "site_figures": st.fixed_dictionaries({figure.value: powers for figure in FIGURES}),
        "control": st.fixed_dictionaries(
            {
                "mode": st.sampled_from(MODES),
                "command": st.none()
                | st.fixed_dictionaries({"kind": texts, "origin": texts, "source": texts}),
                "remaining_ms": st.integers(-(10**6), 10**9),
                "target_w": watts,
                "commanded_w": watts,
                "measured_w": powers,
                "causes": st.lists(st.sampled_from([cause.value for cause in Cause]), max_size=5),
                "fault": texts,
                "beside": st.lists(
                    st.fixed_dictionaries({"kind": texts, "origin": texts, "source": texts}), max_size=2
                ),
                "shed": st.lists(texts, max_size=2),
                "doubts": st.lists(texts, max_size=2),
                "reactive_var": watts,
                "grid": st.sampled_from(["", "lost", "returning"]),
            }
        ),
        "store": st.fixed_dictionaries({"readings": st.integers(0, 10**12), "card": cards}),
        "records": st.fixed_dictionaries(
            {"signed": st.integers(0, 10**9), "sequence": st.integers(0, 10**9)}
        ),
        "chain": st.none()
        | st.fixed_dictionaries(
            {"confirmed": st.integers(0, 10**9), "last_transaction": texts, "commands": st.integers(0, 10**9)}
        ),
        "devices": st.dictionaries(
            texts,
            st.fixed_dictionaries(
                {"online": st.booleans(), "identity": texts, "error": texts, "found_at": texts}
            ),
            max_size=4,
        ),
        "commissioned": st.dictionaries(texts, st.sampled_from(["", "2026-11-27"]), max_size=4),
        "performance": st.none()
        | st.fixed_dictionaries(
            {
                "day": st.none() | st.fixed_dictionaries(dict.fromkeys(SHOWN, watts)),
                "alerts": st.lists(st.fixed_dictionaries({"severity": texts, "text": texts}), max_size=2),
            }
        ),
        "troubles": st.dictionaries(texts, texts, max_size=3),
    }
)


def draw(status: dict[str, Any], width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(render(status))
    return console.file.getvalue()


def changed(part: str, **changes: Any) -> dict[str, Any]:
    return {**STATUS, part: {**STATUS[part], **changes}}


def line(picture: str, first: str) -> str:
    """The line that `first` opens, as its words, without the frame and what stands beside it."""
    found = next(row for row in picture.splitlines() if row.startswith(f"│ {first}"))
    return " ".join(found.split("│")[1].split())


@settings(deadline=None, max_examples=60)
@given(statuses, st.sampled_from([80, 120]))
def test_any_status_fits_any_terminal_and_says_nothing_to_it(status: dict[str, Any], width: int) -> None:
    picture = draw(status, width)
    assert all(c.isprintable() or c == "\n" for c in picture)
    assert max(cell_len(row) for row in picture.splitlines()) <= width
    for title in ("service", "evidence", "devices"):
        assert f"─ {title}" in picture
    if status["control"]["fault"].strip():
        assert ("STOPPED" if status["control"]["mode"] == "stopped" else "FAULT") in picture
        assert ("--release ends it" in picture) == ("gridseal" not in status["control"]["fault"])
    if status["control"]["command"] is None:
        assert "the device's own control" in picture


@pytest.mark.parametrize(
    ("name", "plus", "minus"),
    [
        ("battery", "discharging", "charging"),
        ("grid", "importing", "exporting"),
        ("pv", "producing", "consuming"),
        ("load", "consuming", "feeding"),
    ],
)
def test_signs_are_words(name: str, plus: str, minus: str) -> None:
    assert [words(name, w) for w in (1, -1, 0, None)] == [plus, minus, "at rest", "unknown"]
    for power_w, said in ((2500, plus), (-2500, minus)):
        row = line(draw(changed("site_figures", **{f"{name}_power_w": power_w})), name)
        assert row.endswith(f"2500 W {said}")


@given(st.integers(-(10**6), 10**6))
@settings(deadline=None, max_examples=20)
def test_no_power_is_shown_with_a_minus(power_w: int) -> None:
    figures = {f"{name}_power_w": power_w for name in ("battery", "grid", "pv", "load")}
    status = {
        **changed("site_figures", **figures),
        "control": {**STATUS["control"], "target_w": power_w, "commanded_w": power_w, "measured_w": power_w},
    }
    assert "-" not in draw(status).replace("fixed-power", "")


def test_the_figures_of_a_site() -> None:
    picture = draw(STATUS, 80)
    for first, row in (
        ("battery", "battery ███████················· 3000 W charging"),
        ("SoC", "SoC ▰▰▰▰▰▰▰▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱▱▱ 51.25 %"),
        ("frequency", "frequency 49.980 Hz"),
        ("ordered by", "ordered by operator"),
        ("ends in", "ends in 60 s"),
        ("beside it", "beside it reserve (contract 0x12)"),
        ("loads off", "loads off boiler"),
        ("target", "target 3000 W charging"),
        ("commanded", "commanded 2500 W charging"),
        ("measured", "measured 12.50 kW discharging"),
        ("curtailed by", "curtailed by ramp, bms limit"),
        ("readings stored", "readings stored 12,345"),
        ("records signed", "records signed 1,234 (last sequence 1235)"),
        ("confirmed", "confirmed on chain 1,200"),
        ("last transaction", "last transaction 0xfeed"),
        ("commands from", "commands from chain 3"),
        ("inverter", "inverter online Acme One"),
        ("mqtt", "mqtt waiting refused"),
    ):
        assert line(picture, first) == row
    assert "FAULT" not in picture and "STOPPED" not in picture


def test_whether_a_device_was_commissioned_is_in_its_row() -> None:
    for day, shown in (("2026-11-27", "commissioned 2026-11-27"), ("", "not commissioned")):
        drawn = draw(STATUS | {"commissioned": {"inverter": day}})
        assert re.search(rf"inverter +online +Acme One, {shown}", drawn)
    assert "commissioned" not in draw(STATUS), "nothing that could be"


def test_names_stay_whole_beside_long_troubles_on_a_terminal_of_80() -> None:
    trouble = "tcp://192.168.1.40:502: cannot connect; is the device on and the address right?"
    offline = {"online": False, "identity": "", "error": trouble, "found_at": ""}
    names = [f"battery-with-a-long-name-{n:02}" for n in range(20)]
    picture = draw({**STATUS, "devices": dict.fromkeys(names, offline)}, 80)
    assert all(name in picture for name in names)
    assert picture.count("\n") < draw({**STATUS, "devices": {}}, 80).count("\n") + 20 * 4


def test_what_is_not_known_is_said_so() -> None:
    nothing = changed("site_figures", **dict.fromkeys(STATUS["site_figures"]))
    assert line(draw(nothing), "grid") == "grid " + "·" * 24 + " - unknown"
    assert line(draw(nothing), "frequency") == "frequency -"
    assert line(draw(changed("control", measured_w=None), 80), "measured") == "measured -"
    assert line(draw(changed("control", causes=[]), 80), "curtailed by") == "curtailed by nothing"
    assert "confirmed on chain" not in draw({**STATUS, "chain": None})


def test_a_soc_that_cannot_be_does_not_break_the_bar() -> None:
    for soc, filled in ((65_535, 24), (-(2**63), 0)):
        row = line(draw(changed("site_figures", battery_soc_bp=soc)), "SoC")
        assert (row.count("▰"), row.count("▱")) == (filled, 24 - filled)


def test_what_others_call_themselves_is_neither_markup_nor_a_terminal_command() -> None:
    hostile = "[/x] [red]y\x1b[2J\r"
    status = changed("control", command={"kind": "stop", "origin": hostile, "source": "remote"})
    status["devices"] = {"inverter": {"online": False, "identity": hostile, "error": hostile, "found_at": ""}}
    picture = draw(status)
    assert picture.count("[/x] [red]y [2J") == 3
    assert "\x1b" not in picture


def test_a_device_that_was_found_elsewhere_says_so_in_its_row() -> None:
    status = {
        **STATUS,
        "devices": {"inverter": {**STATUS["devices"]["inverter"], "found_at": "tcp://10.0.0.7"}},
    }
    assert "found at tcp://10.0.0.7: site.yaml says another" in draw(status, 120)


def test_the_day_and_what_to_see_to_are_shown_once_something_is_sealed():
    picture = draw(STATUS)
    assert "12.30 kWh, 7200 Wh" in picture
    assert "90.00 %" in picture
    assert "a fan fails" in picture
    for nothing in (None, {"day": None, "alerts": []}):
        assert "today" not in draw({**STATUS, "performance": nothing})


def test_the_card_and_how_long_it_bears_it() -> None:
    def told(**changes: Any) -> str:
        card = {**STATUS["store"]["card"], **changes}
        return line(draw(changed("store", card=card)), "written to the card")

    assert told() == "written to the card 310 MB a day: it lasts 82 years"
    assert told(life_days=None, measured=False) == "written to the card 310 MB a day, reckoned"
    assert told(day_bytes=None, life_days=None).endswith("1.0 GB; a day's worth is known in an hour")
    short = {**STATUS["store"]["card"], "note": "plan its replacement"}
    assert "maintenance plan its replacement" in line(draw(changed("store", card=short)), "maintenance")
