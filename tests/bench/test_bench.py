"""Each bench at its smallest prints the figures it promises, as one JSON object; no time is asserted."""

import json

import pytest
from bench import run

from tests.tools import missing

PROMISED = {
    "poll": {"cpu_us_a_poll", "ratio_to_pymodbus", "ratio_to_by_hand"},
    "decode": {"cpu_us", "ratio_to_pymodbus", "ratio_checked_to_pymodbus"},
    "slcan": {"cpu_us_a_frame", "ratio_to_python_can", "ratio_to_by_hand", "loop_late_ms"},
    "sign": {"cpu_us", "ratio_to_coincurve"},
    "store": {"bulk", "steady", "points_a_sample"},
    "start": {"modbus_only", "bare_script", "full", "ratio_rss_to_bare"},
    "site500": {
        "gridseal",
        "bare_json",
        "bare_each",
        "ratio_cpu_to_bare_json",
        "messages",
        "readings_a_second",
    },
    "outage": {"stored", "received", "lost", "unknown", "repeated", "dark_s"},
    "setpoint": {"orders", "accepted_ms", "to_bus_ms"},
    "soak": {"alive", "part_of_readings", "faults", "rss_mib", "uss_mib", "handles", "threads"},
    "response": {"steps", "to_bus_ms", "beyond_poll_ms", "outside"},
}


def result(name: str, capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run.main([name, "--quick"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 1
    found: dict[str, object] = json.loads(lines[0])
    if "skipped" in found:
        missing(str(found["skipped"]).removeprefix("needs "))
    return found


def test_every_bench_is_promised_something() -> None:
    assert set(PROMISED) == set(run.BENCHES)


@pytest.mark.parametrize("name", run.BENCHES)
def test_it_prints_what_it_promises(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = result(name, capfd)
    assert found["bench"] == name and found["quick"] is True
    assert PROMISED[name] <= found.keys()
    if name == "outage":
        assert (found["lost"], found["unknown"]) == (0, 0) and found["stored"]
    if name == "soak":
        assert found["alive"] is True and found["readings"]
    if name == "site500":
        assert found["messages"]


def test_an_unknown_bench_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err
