"""The real daemon as a process against the rig: how it starts, obeys, loses things and ends."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ServiceRefused
from tests import processes
from tests.processes import gridseal
from tests.system import stage
from tests.system.stage import Daemon, Rig, daemon, until

NOT_THERE = "127.0.0.1:1"  # nobody listens on the first port
SILENCE_MS_MAX = 8_000  # a limit's 5 s, the BMS's own second, a cycle, and room for a busy machine


@pytest.fixture
def where(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with processes.rig(tmp_path, "--tcp", "0", "--slcan") as ready:
        (tmp_path / "site.yaml").write_text(stage.site(ready))
        yield ready


def in_own_control(rig: Rig) -> bool:
    """The device has no order, as of its last step: it does what it would without us."""
    return rig.state()["order"] == "self"


def commanded(rig: Rig, power_w: int) -> bool:
    last = rig.journal()[-1:]
    return bool(last) and last[0]["demand_w"] == power_w


def order(daemon: Daemon, power_w: int, seconds: int, name: str = "a") -> dict[str, Any]:
    return daemon.asked(
        "submit",
        id=name * 64,
        kind="fixed-power",
        duration_ms=seconds * 1000,
        parameters={"power_w": power_w},
        who="a test",
    )


def test_sigterm_leaves_the_fallback_and_a_clean_store(tmp_path, where):
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        assert order(site, 2000, 60)["admitted"]
        until(lambda: commanded(rig, 2000), "2 kW at the rig")
        assert site.end(signal.SIGTERM) == 0
        assert site.said[-1] == "the battery is in its fallback"
        assert not [line for line in site.said if "gridseal:" in line or "Traceback" in line]
    until(lambda: in_own_control(rig), "the fallback")
    store = tmp_path / "store.db"
    assert stage.rows(store, "SELECT value FROM meta WHERE name = 'closed'") == [("yes",)]
    ((state, reason),) = stage.rows(store, "SELECT state, reason FROM command")
    assert (state, reason) == ("cut-short", "the gateway was stopped")
    assert not (tmp_path / "control.sock").exists()
    assert rig.state()["writes_outside_envelope"] == 0


def test_impatience_does_not_cut_the_fallback_short(tmp_path, where):
    """Ctrl-C again, then a kill, while the device does not answer: the fallback still waits for it."""
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        assert order(site, 2000, 60)["admitted"]
        until(lambda: commanded(rig, 2000), "2 kW at the rig")
        rig.do("fault", kind="silence", unit=1)
        assert site.child
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            site.child.send_signal(number)
            time.sleep(0.5)
        assert site.running
        rig.do("clear")
        assert site.child.wait(stage.LONG_S) == 0
        assert site.said[-1] == "the battery is in its fallback"
    until(lambda: in_own_control(rig), "the fallback")
    assert stage.rows(tmp_path / "store.db", "SELECT value FROM meta WHERE name = 'closed'") == [("yes",)]


def test_a_closed_terminal_stops_it_in_order_unless_it_was_to_outlive_it(tmp_path, where):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever runs these tests may itself outlive it
    try:
        with daemon(tmp_path) as site:
            site.ready()
            assert site.end(signal.SIGHUP) == 0
            assert site.said[-1] == "the battery is in its fallback"
            _outlives(site)
    finally:
        signal.signal(signal.SIGHUP, before)


def _outlives(site) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    site.start()
    site.ready()
    assert site.child
    site.child.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert site.running and site.status()["devices"]["inverter"]["online"]


def test_a_journal_that_is_gone_stops_nothing(tmp_path, where):
    """The reader of its standard error has left (`2>&1 | head`); devices go and come, and it says so."""
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        assert site.end() == 0
        reader, writer = os.pipe()
        os.close(reader)
        site.start(stderr=writer)
        os.close(writer)
        site.ready()
        assert order(site, 1000, 60)["admitted"]
        until(lambda: commanded(rig, 1000), "1 kW at the rig")
        assert site.end() == 0
    until(lambda: in_own_control(rig), "the fallback")


def test_a_setpoint_from_the_command_line_stop_and_release(tmp_path, where):
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        done = gridseal(tmp_path, "setpoint", "site.yaml", "--power", "-1.5 kW", "--for", "1 min")
        assert done.returncode == 0, done.stderr
        until(lambda: commanded(rig, -1500), "charging at the rig")
        until(lambda: abs(rig.state()["battery_ac_w"] + 1500) < 50, "the battery follows")
        assert gridseal(tmp_path, "setpoint", "site.yaml", "--stop").returncode == 0
        until(lambda: in_own_control(rig), "stopped")
        done = gridseal(tmp_path, "status", "site.yaml")
        assert done.returncode == 1, "a latched stop is something wrong"
        assert order(site, 1000, 30)["admitted"], "it waits behind the stop"
        assert site.status()["control"]["mode"] == "stopped"
        assert gridseal(tmp_path, "setpoint", "site.yaml", "--release").returncode == 0
        until(lambda: commanded(rig, 1000), "the order that waited")
        refused = gridseal(tmp_path, "setpoint", "site.yaml", "--power", "6 kW", "--for", "1 min")
        assert refused.returncode == 1
        assert "above the site's limit of 5000 W" in refused.stdout
    assert rig.state()["writes_outside_envelope"] == 0


def test_an_order_ends_by_itself(tmp_path, where):
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        strange = {
            "id": "b" * 64,
            "kind": "fixed-power",
            "duration_ms": 1000,
            "parameters": [7],
            "who": "a test",
        }
        with pytest.raises(ServiceRefused, match="submit: bad request"):
            site.asked("submit", **strange)
        assert order(site, 800, 6)["admitted"]
        until(lambda: commanded(rig, 800), "800 W at the rig")
        until(lambda: in_own_control(rig), "its end")
        assert order(site, 800, 6)["admitted"], "the same id again: the same answer"
        until(lambda: site.status()["control"]["executed"] == 1, "accounted")
        powers = [e["at_ms"] for e in rig.journal() if e["demand_w"] == 800]
    assert powers[-1] - powers[0] < 6_000, "never refreshed past its end, never carried out again"


def test_without_a_bms_nothing_flows(tmp_path, where):
    (tmp_path / "site.yaml").write_text(stage.site(where | {"slcan": "/dev/pts/there-is-none"}))
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        until((tmp_path / "control.sock").exists, "up")
        until(lambda: site.status()["devices"]["inverter"]["online"], "the inverter")
        bms = site.status()["devices"]["bms"]
        assert not bms["online"] and "there-is-none" in bms["error"]
        order(site, 2000, 3)
        until(lambda: site.status()["control"]["causes"] == ["limit unknown"], "curtailed to nothing")
        until(lambda: site.status()["control"]["command"] is None, "over")
    assert not [e for e in rig.journal() if e["demand_w"]]


def test_without_an_inverter_nothing_is_admitted(tmp_path, where):
    text = stage.site(where).replace(
        f'127.0.0.1:{where["tcp"]}", poll: 200 ms', f'{NOT_THERE}", poll: 200 ms'
    )
    (tmp_path / "site.yaml").write_text(text)
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        until((tmp_path / "control.sock").exists, "up")
        until(lambda: site.status()["devices"]["meter"]["samples"] > 2, "the others are read")
        inverter = site.status()["devices"]["inverter"]
        assert not inverter["online"] and NOT_THERE in inverter["error"]
        answer = order(site, 2000, 10)
        assert not answer["admitted"]
        assert "no inverter that can be controlled has been reached yet" in answer["reason"]
        assert site.end() == 0
    assert rig.journal() == []


def test_a_silent_bms_ends_a_running_order(tmp_path, where):
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        assert order(site, 2000, 60)["admitted"]
        until(lambda: commanded(rig, 2000), "2 kW at the rig")
        rig.do("bms", kind="silent")
        silent_ms = rig.journal()[-1]["at_ms"]
        until(lambda: in_own_control(rig), "the fallback")
        released_ms = rig.journal()[-1]["at_ms"]
        status = site.status()
        assert status["control"]["causes"] == ["limit unknown"]
        assert status["control"]["commanded_w"] == 0
        rig.do("clear")
        until(lambda: commanded(rig, 2000), "it goes on: its time is not over")
    assert 0 < released_ms - silent_ms < SILENCE_MS_MAX
    assert rig.state()["writes_outside_envelope"] == 0


def test_systemd_hears_ready_and_a_watchdog(tmp_path, where):
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify.sock"))
        notify.settimeout(stage.START_S)
        with daemon(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify.sock")) as site:
            while sum(text == "WATCHDOG=1" for text in heard) < 5:
                heard.append(notify.recv(4096).decode())
            assert site.end() == 0
        notify.settimeout(0.1)
        while "STOPPING=1" not in heard[-1]:
            heard.append(notify.recv(4096).decode())
    assert heard[0].startswith("READY=1\nSTATUS=3 devices") or heard[1].startswith("READY=1")


def test_a_second_daemon_is_turned_away(tmp_path, where):
    with daemon(tmp_path) as site:
        site.ready()
        second = gridseal(tmp_path, "run", "site.yaml")
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1 and "stop that one first" in second.stderr
        assert site.running and site.status()["devices"]["inverter"]["online"]


def test_killed_with_a_power_set_the_next_start_begins_with_the_fallback(tmp_path, where):
    rig = Rig(tmp_path)
    with daemon(tmp_path) as site:
        site.ready()
        assert order(site, 2000, 60)["admitted"]
        until(lambda: commanded(rig, 2000), "2 kW at the rig")
        assert site.end(signal.SIGKILL) == -signal.SIGKILL
        before = len(rig.journal())
        assert os.path.exists(tmp_path / "control.sock"), "the dead daemon's socket is in the way"
        site.start()
        until(lambda: in_own_control(rig), "the fallback")
        site.ready()
        until(lambda: site.status()["control"]["command"] is None, "not taken up again")
        assert site.end() == 0
    assert [e["demand_w"] or 0 for e in rig.journal()[before:]] == [0] * (len(rig.journal()) - before)
    ((state, reason),) = stage.rows(tmp_path / "store.db", "SELECT state, reason FROM command")
    assert (state, reason) == ("cut-short", "the gateway was restarted")
