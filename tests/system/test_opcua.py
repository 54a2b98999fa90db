"""A site whose inverter is an OPC UA server (node-opcua): checked, read, commanded by the daemon, let go."""

import json
import signal

import pytest

from tests.drivers import opcua_bench
from tests.processes import gridseal
from tests.system import stage
from tests.system.stage import daemon, until

SITE = """\
site:
  id: meadow
  limits: {{charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 10 kW, ramp: 100 kW/s}}
  control: 200 ms
  dwell: 200 ms
devices:
  inverter: {{profile: ess5, link: "{link}", poll: 500 ms, timeout: 2 s}}
store: {{path: store.db, commit: 100 ms}}
clock: {{trust: host}}
socket: control.sock
"""


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """A folder with a profile beside site.yaml, and the server."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "password").write_text("secret\n")
    (folder / "ess5.yaml").write_text(
        opcua_bench.PROFILE.replace("points:\n", "updates: subscribed\npoints:\n")
    )
    with opcua_bench.server(folder, users={"gridseal": "secret"}) as peer:
        link = peer.secure(folder / "client", user="gridseal", password=folder / "password")
        (folder / "site.yaml").write_text(SITE.format(link=link))
        (folder / "open.yaml").write_text(SITE.format(link=peer.url))
        yield folder, peer


def test_check_shows_the_plan_and_refuses_an_open_link(where):
    folder, _ = where
    checked = gridseal(folder, "check", "--json", "site.yaml")
    assert checked.returncode == 0, checked.stderr
    device = json.loads(checked.stdout)["devices"]["inverter"]
    assert device["commanded"] and device["requests"][0].startswith("hear 4 nodes")
    refused = gridseal(folder, "check", "open.yaml")
    assert refused.returncode != 0
    assert "open.yaml:7:" in refused.stderr and "ess5 takes setpoints" in refused.stderr
    assert "secret" not in checked.stdout + refused.stderr


def test_read_shows_what_it_says(where):
    folder, _ = where
    said = gridseal(folder, "read", "--json", "site.yaml", "inverter")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["identity"]["serial"] == "SN-0042"
    assert found["points"]["grid_power_w"]["quality"] == "GOOD"
    assert found["points"]["battery_temperature_cc"] == {"value": 2150, "quality": "GOOD"}


def test_the_daemon_carries_an_order_out_and_lets_go(where):
    folder, peer = where
    peer.tell("state")
    with daemon(folder) as site:
        site.ready()
        asked = site.asked(
            "submit",
            id="a" * 64,
            kind="fixed-power",
            duration_ms=60_000,
            parameters={"power_w": -1500},
            who="a test",
        )
        assert asked["admitted"], asked
        state = until(lambda: _at(peer, 1.5), "1.5 kW into the battery")
        assert state["mode"] == 2
        written = state["beat"]
        until(lambda: peer.tell("state")["beat"] > written, "the heartbeat goes on")
        shown = site.status()
        assert shown["devices"]["inverter"]["online"]
        assert site.end(signal.SIGTERM) == 0
    state = peer.tell("state")
    assert state["mode"] == 0 and state["writes"][-2:] == [["Order", 0], ["Mode", 0]]
    ((state, _),) = stage.rows(folder / "store.db", "SELECT state, reason FROM command")
    assert state == "cut-short"


def test_a_capture_through_the_daemon_is_played_without_it_and_keeps_secrets(where):
    folder, peer = where
    with daemon(folder) as site:
        site.ready()
        words = ("capture", "site.yaml", "inverter", "--for", "3 s", "--mask", "-o", "ess.jsonl")
        captured = gridseal(folder, *words)
        assert captured.returncode == 0, captured.stderr
        assert site.end(signal.SIGTERM) == 0
    text = (folder / "ess.jsonl").read_text()
    for word in ("secret", "127.0.0.1", "SN-0042", peer.identity.fingerprint, str(folder)):
        assert word not in text
    played = gridseal(folder, "replay", "ess.jsonl")
    assert played.returncode == 0 and "readings are as recorded" in played.stdout, played.stdout
    other = (folder / "ess5.yaml").read_text().replace("type: Int32}", "type: Int32, negate: true}", 1)
    (folder / "other.yaml").write_text(other)
    told = gridseal(folder, "replay", "ess.jsonl", "--profile", "other")
    assert told.returncode == 1 and "DIFFERENT: grid_power_w" in told.stdout
    (folder / "cut.jsonl").write_text(text[: len(text) // 2])
    cut = gridseal(folder, "replay", "cut.jsonl")
    assert cut.returncode == 1 and cut.stderr.count("\n") == 1


def _at(peer, power_kw):
    state = peer.tell("state")
    return state if abs(state["power"] - power_kw) < 0.01 else None


def test_a_server_that_goes_and_comes_back_is_used_again_from_its_fallback(where):
    folder, peer = where
    with daemon(folder) as site:
        site.ready()
        peer.signal(signal.SIGSTOP)
        try:
            until(lambda: not site.status()["devices"]["inverter"]["online"], "it is missed")
        finally:
            peer.signal(signal.SIGCONT)
        peer.tell("state")
        site.ready()
        until(lambda: ["Mode", 0] in peer.tell("state")["writes"], "the fallback first")
        assert site.end(signal.SIGTERM) == 0
