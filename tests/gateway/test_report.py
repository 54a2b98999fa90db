"""The status object: every part as it says of itself, JSON all through, null for what is not known."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway import report
from gateway.control import Status
from gateway.device import Health
from gateway.model import Cause, ClockTrust, Command, Point, Quality, Quantity, Sample, ServiceKind, Source
from gateway.site import StoreSettings
from gateway.state import SiteState
from gateway.store import Store
from gateway.store.recorder import Recorder
from gateway.store.summary import Summary
from gateway.store.wear import Meter
from gateway.supervisor import Trouble
from tests.gateway.stores import HandClock
from tests.sim.mocks import site

SUMMARY = Summary(9, 8, 7, 6, 5, 4, "0xfeed", 43_210)
COMMAND = Command(
    "ab" * 32, Source.CHAIN, ServiceKind.FREQUENCY, 0, 1, {"power_w": 5, "full_mhz": 2}, "contract 0x12"
)


def test_figures_are_the_best_good_values_and_null_otherwise():
    clock = HandClock(1000)
    state = SiteState(site(), clock)
    found = (Quantity.BATTERY_POWER, Quantity.GRID_POWER, Quantity.BATTERY_SOC, Quantity.GRID_VOLTAGE)
    points = tuple(Point("inverter", quantity.value) for quantity in found)
    state.declare("inverter", points, 1000)
    qualities = bytes((Quality.GOOD, Quality.GOOD, Quality.INVALID, Quality.ABSENT))
    state.put(Sample("inverter", clock.now(), points, (-3000, 4000, 70_000, 0), qualities))
    assert report.figures(state.view()) == {
        "battery_power_w": -3000,
        "grid_power_w": 4000,
        "pv_power_w": None,
        "load_power_w": 1000,  # by its sum
        "battery_soc_bp": None,
        "battery_temperature_cc": None,
        "grid_frequency_mhz": None,
        "grid_voltage_mv": None,
    }
    clock.mono += 60_000
    assert set(report.figures(state.view()).values()) == {None}


def test_control_says_the_order_its_powers_and_what_curtailed():
    status = Status(
        "running",
        COMMAND,
        (),
        5000,
        -3000,
        -2500,
        -2400,
        (Cause.RAMP, Cause.BMS),
        doubts=("the charge leaps",),
    )
    assert report.control(status, 4) == {
        "mode": "running",
        "command": {
            "id": "ab" * 32,
            "kind": "frequency",
            "source": "chain",
            "origin": "contract 0x12",
            "parameters": {"power_w": 5, "full_mhz": 2},
        },
        "beside": [],
        "remaining_ms": 5000,
        "target_w": -3000,
        "commanded_w": -2500,
        "measured_w": -2400,
        "causes": ["ramp", "bms limit"],
        "fault": "",
        "doubts": ["the charge leaps"],
        "shed": [],
        "reactive_var": 0,
        "grid": "",
        "executed": 4,
    }


def test_a_fault_comes_before_a_stop_and_a_stop_is_told_too():
    def fault(**changes):
        return report.control(Status(**changes), 0)["fault"]

    assert fault(fault="does not follow", stop="by ada") == "does not follow"
    assert fault(stop="by ada") == "by ada"
    assert report.control(Status(), 0)["command"] is None


def test_a_device_says_who_it_is_and_its_error_only_while_it_is_away():
    identity = {"vendor": "Acme", "model": "One", "serial": "", "firmware": "9"}
    away = Health("inv", online=False, samples=5, misses=3, last_error="no answer", identity=identity)
    assert report.device(away) == {
        "online": False,
        "identity": "Acme One",
        "samples": 5,
        "misses": 3,
        "error": "no answer",
        "found_at": "",
    }
    assert report.device(Health("inv", found_at="tcp://10.0.0.23"))["found_at"] == "tcp://10.0.0.23"
    here = report.device(Health("inv", online=True, last_error="no answer"))
    assert (here["online"], here["identity"], here["error"]) == (True, "", "")


def test_records_and_chain_share_the_stores_counts():
    assert report.records(SUMMARY, "0xkey") == {"signed": 8, "intervals": 7, "sequence": 9, "key": "0xkey"}
    assert report.chain({"block": 12, "confirmed": "overruled"}, SUMMARY) == {
        "block": 12,
        "confirmed": 6,
        "intervals_confirmed": 5,
        "last_transaction": "0xfeed",
        "gas_per_interval": 43_210,
    }


def test_troubles_and_clock_are_words():
    assert report.troubles({"mqtt": Trouble("refused", 5, 2)}) == {"mqtt": "refused"}
    assert [report.clock(trust) for trust in ClockTrust] == ["UNTRUSTED", "TRUSTED", "BACKDATED"]


@given(
    st.builds(
        Status,
        mode=st.text(max_size=5),
        command=st.none() | st.just(COMMAND),
        measured_w=st.none() | st.integers(),
        causes=st.lists(st.sampled_from(Cause)).map(tuple),
        fault=st.text(max_size=5),
    ),
    st.builds(Health, st.just("a"), identity=st.dictionaries(st.just("model"), st.text(max_size=5))),
)
def test_whatever_the_parts_say_it_goes_through_json_unchanged(status, health):
    said = {"control": report.control(status, 0), "device": report.device(health)}
    assert json.loads(json.dumps(said)) == said


def test_the_store_tells_of_the_card_under_it(tmp_path):
    settings = StoreSettings(tmp_path / "g.db")
    store = Store(settings, HandClock(), threaded=False)
    recorder = Recorder(store, 1000)
    meter = Meter(store, recorder, settings, HandClock(), lambda line: None, lambda: None)
    unknown = {"total_bytes": 0, "day_bytes": None, "measured": False, "life_days": None, "note": ""}
    assert report.store(recorder, meter) == {"readings": 0, "lost": 0, "card": unknown}
