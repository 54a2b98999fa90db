"""`gridseal read`: one poll of one device, and one line when it does not answer."""

import asyncio
import json
from contextlib import suppress

import pytest
from rich.console import Console

from gateway import cli
from gateway.cli import read
from gateway.errors import LinkError, ServiceRefused
from gateway.model import ClockTrust, Point, Quality, Sample, Stamp
from gateway.site import Device
from gateway.uplink.local import LocalServer, NoDaemon, ask
from tests.gateway.cli_bench import write
from tests.processes import rig
from tests.sim import mocks

POINTS = tuple(Point("bms", name) for name in ("battery_soc_bp", "battery_power_w", "cell_mv"))
SAMPLE = Sample(
    "bms",
    Stamp(1, 1_790_000_000_000, ClockTrust.UNTRUSTED),
    POINTS,
    (5125, -12_500, 0),
    bytes((Quality.GOOD, Quality.INVALID, Quality.ABSENT)),
)
DEVICE = Device("bms", "mock", "mock", "battery", "tcp://[fe80::1]:502", None)


def test_read_shows_one_poll_of_the_rig(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0") as where:
        path = str(write(tmp_path, port=where["tcp"]))
        assert cli.main(["read", path, "inverter"]) == 0
        said = capsys.readouterr().out
        assert "battery_soc_bp" in said
        assert "GOOD" in said
        assert cli.main(["read", "--json", path, "inverter"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert 4000 < found["points"]["battery_soc_bp"]["value"] < 6000
        assert cli.main(["read", path, "invertor"]) == 1
        assert "has no device 'invertor'; it has: inverter" in capsys.readouterr().err


def test_points_that_are_seldom_read_are_shown_too(tmp_path, capsys):
    with rig(tmp_path, "--device", "sungrow_sh", "--tcp", "0") as where:
        path = write(tmp_path, port=where["tcp"], profile="sungrow_sh")
        assert cli.main(["check", "--json", str(path)]) == 0
        planned = json.loads(capsys.readouterr().out)["devices"]["inverter"]["points"]
        assert cli.main(["read", "--json", str(path), "inverter"]) == 0
        assert json.loads(capsys.readouterr().out)["points"].keys() == set(planned)


def test_read_of_a_device_that_is_not_there_is_one_line(tmp_path, capsys):
    assert cli.main(["read", str(write(tmp_path)), "inverter"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gridseal: ")
    assert said.count("\n") == 1


def test_a_device_that_never_answers_is_given_up_with_its_name(monkeypatch):
    ended = []

    class Silent:
        def __init__(self, *_):
            pass

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            ended.append(True)

        def driver(self, _):
            return self

        async def connect(self):
            await asyncio.Event().wait()

    monkeypatch.setattr(read, "Wiring", Silent)
    monkeypatch.setattr(read, "ANSWER_S", 0.01)
    with pytest.raises(LinkError, match=r"bms at tcp://\[fe80::1\]:502 did not answer within 0.01 s"):
        asyncio.run(read.poll_once(mocks.site(), DEVICE))
    assert ended == [True]  # its link was closed


def shown(capsys, identity):
    told = read.sampled(identity, SAMPLE, SAMPLE.stamp.mono_ms + 1500)
    read.show(Console(width=100, highlight=False), DEVICE, told)
    return capsys.readouterr().out.splitlines()


def test_the_table_says_value_unit_quality_and_age(capsys):
    head, columns, *rows = shown(capsys, {"vendor": "Acme", "serial": ""})
    assert head == "bms at tcp://[fe80::1]:502: vendor Acme"
    assert columns.split() == ["point", "value", "quality", "age"]
    assert [row.split() for row in rows] == [
        ["battery_soc_bp", "51.25", "%", "GOOD", "1.5", "s"],
        ["battery_power_w", "-12.50", "kW", "INVALID", "1.5", "s"],
        ["cell_mv", "-", "ABSENT", "1.5", "s"],
    ]


def test_what_a_device_calls_itself_is_no_markup(capsys):
    assert shown(capsys, {"model": "[/x] [bold]y"})[0].endswith(": model [/x] [bold]y")


def test_the_json_has_null_for_what_is_absent():
    assert read.as_json(DEVICE, read.sampled({"model": "x"}, SAMPLE, 1500)) == {
        "device": "bms",
        "identity": {"model": "x"},
        "at_ms": 1_790_000_000_000,
        "clock": "UNTRUSTED",
        "points": {
            "battery_soc_bp": {"value": 5125, "quality": "GOOD"},
            "battery_power_w": {"value": -12_500, "quality": "INVALID"},
            "cell_mv": {"value": None, "quality": "ABSENT"},
        },
    }


class Daemon(LocalServer):
    """Answers `points` as it was told."""

    def __init__(self, path, said):
        async def points(_):
            if isinstance(said, Exception):
                raise said
            return said

        super().__init__(path, {"points": points})


async def beside_daemon(site, said, *words):
    path = site.parent / "control.sock"
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(Daemon(path, said).run())
        with suppress(ServiceRefused):  # it is there, and does not know that word
            while True:
                with suppress(NoDaemon):
                    await ask(path, {"do": "nothing"})
                await asyncio.sleep(0.01)
        code = await asyncio.to_thread(cli.main, ["read", str(site), "inverter", *words])
        serving.cancel()
    return code


async def test_beside_a_daemon_nobody_opens_a_second_connection(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(read, "Wiring", lambda *_: pytest.fail("it opened one"))
    points = {"battery_soc_bp": [5125, "GOOD", 700], "grid_power_w": [0, "ABSENT", 900]}
    said = {"identity": {"model": "One"}, "trouble": "", "points": points}
    site = write(tmp_path)
    assert await beside_daemon(site, said) == 0
    shown = capsys.readouterr().out
    assert "model One" in shown and "51.25 %" in shown and "0.7 s" in shown
    assert await beside_daemon(site, said, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["points"]["grid_power_w"] == {"value": None, "quality": "ABSENT"}
    assert await beside_daemon(site, {**said, "trouble": "no answer within 1 s"}) == 1
    assert "the daemon does not reach inverter: no answer within 1 s" in capsys.readouterr().err


async def test_a_device_that_the_daemon_does_not_know_yet_is_polled(tmp_path, capsys):
    assert await beside_daemon(write(tmp_path), ServiceRefused("the daemon has no device")) == 1
    assert "cannot connect" in capsys.readouterr().err
