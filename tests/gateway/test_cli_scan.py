"""`gridseal scan` on loopback: the rig's devices, a silent server, ranges, a bus; asks first, reads only."""

import asyncio
import io
import json
import os
import socket

import pytest
import yaml

from drivers.modbus.profile import ModbusProfile
from gateway import cli
from gateway.cli import scan, scanning
from gateway.cli.scanning import ADDRESSES_MAX, Asker, addresses, open_hosts
from gateway.errors import ConfigError, DeviceRefused, LinkError
from gateway.recognising import Match, Sighting
from tests.drivers.bms_frames import cases
from tests.drivers.modbus_wire import registers, rtu
from tests.drivers.serial_bench import plugged
from tests.gateway.cli_bench import write
from tests.processes import rig


@pytest.fixture(scope="module", autouse=True)
def shipped():
    """The shipped profiles are read once for all these tests; it is most of what a scan of loopback takes."""
    read, kept = scan.known, {}

    def known(plugins, folder, how):
        if folder is not None:
            return read(plugins, folder, how)
        if how not in kept:
            kept[how] = read(plugins, None, how)
        return kept[how]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "known", known)
        yield


def found(capsys, *words):
    code = cli.main(["scan", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)["finds"]


def names(finds):
    return {f["unit"]: f["matches"][0]["profile"] for f in finds if f["matches"]}


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("sunspec", {1: "sunspec", 200: "sunspec_meter"}),
        ("victron_gx", {227: "victron_gx"}),
        ("victron_gx_3p", {227: "victron_gx_3p"}),
        ("goodwe_et", {247: "goodwe_et"}),
        ("sungrow_sh", {1: "sungrow_sh"}),
        ("huawei_luna2000", {1: "huawei_luna2000"}),
        ("solaredge_storedge", {1: "solaredge_storedge"}),
        ("sma_sunny_island", {3: "sma_sunny_island"}),
    ],
)
def test_each_device_is_known_for_what_it_is(tmp_path, capsys, device, expected):
    with rig(tmp_path, "--device", device, "--tcp", "0") as where:
        code, finds = found(capsys, "tcp", "127.0.0.1", "--port", str(where["tcp"]))
    assert code == 0 and {unit: names(finds).get(unit) for unit in expected} == expected


def test_the_bus_the_lines_to_paste_and_a_profile_of_ones_own(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0", "--slcan") as where:
        assert cli.main(["scan", "can", f"slcan://{where['slcan']}", "--seconds", "2.5"]) == 0
        said = capsys.readouterr().out
        assert "profile: pylontech_can" in said and "0x351" in said
        site = write(tmp_path, port=where["tcp"])
        (tmp_path / "mine.yaml").write_text(MINE)
        words = ["scan", "tcp", "localhost", "--port", str(where["tcp"]), "--site", str(site)]
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        assert "profile: mine" in said and "also fits sunspec" in said and 'serial: "RIG' in said


MINE = """\
driver: modbus
role: inverter
vendor: Mine
model: One
sources: [the page]
proof: simulated
recognise: {registers: [{address: 40000, count: 2, text: SunS}, {address: 40004, count: 16, text: Gridseal}]}
identity: {serial: {address: 40052, count: 16}}
points: {grid_power_w: {address: 40004, type: u16}}
"""


async def test_a_battery_on_a_serial_line_is_known_by_its_frames(capsys):
    case = next(case for case in cases() if case.name.startswith("four cells"))
    async with plugged({reply.request.data: reply.raw for reply in case.replies}) as (_, link):
        path = link.url.removeprefix("serial://")
        await link.close()
        words = ["scan", "serial", path, "--json"]
        code = await asyncio.to_thread(cli.main, words)
    (find,) = json.loads(capsys.readouterr().out)["finds"]
    assert code == 0 and find["link"] == f"serial://{path}"
    assert find["matches"][0]["profile"] == "jbd_serial"


async def test_a_meter_on_a_serial_line_is_found_beside_one_that_is_not_there(capsys, monkeypatch):
    profile = ModbusProfile.model_validate(yaml.safe_load(METER))
    monkeypatch.setattr(scan, "known", lambda *_: {"modbus": {"mine": profile}})
    asked, answer = rtu(7, bytes((3, 0, 10, 0, 1))), rtu(7, registers(3, 30))
    async with plugged({asked: answer}) as (_, link):
        path = link.url.removeprefix("serial://")
        await link.close()
        words = ["scan", "serial", path, "--baud", "19200", "--units", "6", "--json"]
        code = await asyncio.to_thread(cli.main, words)
    finds = json.loads(capsys.readouterr().out)["finds"]
    assert code == 0 and (finds[0]["link"], finds[0]["unit"]) == (f"rtu://{path}?baud=19200", 7)
    assert finds[0]["matches"][0]["profile"] == "mine"


METER = """\
driver: modbus
role: meter
vendor: Mine
model: Meter
sources: [the page]
proof: simulated
recognise: {units: [7], registers: [{address: 10, equals: [30]}]}
points: {grid_power_w: {address: 1, type: u16}}
"""


def test_batteries_by_bluetooth(capsys, monkeypatch):
    match = Match("jbd_ble", "battery", 1, {"vendor": "JBD"})
    seen = [Sighting("ble://A4:C1:38:00:11:22", "xiaoxiang", -61, [match]), Sighting("ble://B", "watch", -40)]

    class Plugin:
        kind, schemes = "ble", frozenset({"ble"})

        async def nearby(self, adapter, seconds, profiles):
            assert (adapter, seconds) == ("hci1", 2.0)
            return seen

    monkeypatch.setattr(scan, "find_plugins", lambda: {"ble": Plugin()})
    monkeypatch.setattr(scan, "known", lambda *_: {"ble": {}})
    assert cli.main(["scan", "ble", "hci1", "--seconds", "2"]) == 0
    said = capsys.readouterr()
    assert 'bms: {profile: jbd_ble, link: "ble://A4:C1:38:00:11:22"}' in said.out
    assert "calls itself xiaoxiang, -61 dBm" in said.out and "1 others advertise" in said.err
    assert cli.main(["scan", "tcp"]) == 1
    assert "where? gridseal scan tcp WHERE" in capsys.readouterr().err


def test_a_server_that_says_nothing_is_given_up_and_told(capsys, monkeypatch):
    for package in ("modbus", "sunspec"):
        monkeypatch.setattr(f"drivers.{package}.recognise.ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, finds = found(
            capsys, "tcp", "127.0.0.1", "--port", str(silent.getsockname()[1]), "--units", "1"
        )
    assert code == 0 and finds[0]["matches"] == [] and not finds[0]["answers"]


def test_what_lies_beside_a_site_and_is_no_file_is_passed_over(tmp_path, capsys):
    site = write(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "noise.yaml").write_bytes(b"\xff")
    assert cli.main(["scan", "tcp", "nobody.invalid", "--site", str(site)]) == 1
    said = capsys.readouterr()
    assert "nothing answers" in said.out and "passed over: " in said.err and "noise.yaml" in said.err


def test_nothing_there(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert found(capsys, "tcp", "127.0.0.1", "--port", str(port)) == (1, [])
    assert cli.main(["scan", "tcp", "127.0.0.1", "--port", str(port)]) == 1
    said = f"nothing answers at 127.0.0.1: port {port}: Connection refused\n"
    assert capsys.readouterr().out == said
    assert cli.main(["scan", "serial", "/dev/nothing"]) == 1
    assert "there is no /dev/nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tcp", "nobody.invalid"], "nothing answers at nobody.invalid: "),
        (["tcp", "a" * 70], "no name of a host"),
        (["serial", "/tmp"], "cannot open"),
        (["tcp", "tcp://127.0.0.1"], "write the address alone, and a port that is not 502 as --port"),
        (["tcp", "127.0.0.1:1502"], "write the address alone"),
        (["tcp", "127.0.0.1", "--site", "/nowhere/site.yaml"], "there is no /nowhere/site.yaml"),
        (["can", "foo://x"], "'foo://x' is no link that an installed driver opens"),
        (["can", "tcp://127.0.0.1"], "no frames are heard at 'tcp://127.0.0.1'"),
    ],
)
def test_what_is_not_there_is_told_why(capsys, words, said):
    assert cli.main(["scan", *words]) == 1
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_a_range_is_asked_about_first(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    monkeypatch.setattr(scan, "_scan", lambda *_: pytest.fail("it began"))
    assert cli.main(["scan", "tcp", "127.0.0.0/28"]) == 1
    said = capsys.readouterr()
    assert "14 addresses" in said.out and "nothing was done" in said.err


def test_ctrl_c_shows_what_was_found(capsys, monkeypatch):
    def interrupted(main):
        main.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.scan.asyncio.run", interrupted)
    assert cli.main(["scan", "tcp", "127.0.0.1"]) == 1
    assert "ended early" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "count", "last"),
    [
        ("10.0.0.4", 1, "10.0.0.4"),
        ("inverter.lan", 1, "inverter.lan"),
        ("my-inverter", 1, "my-inverter"),
        ("10.0.0.0/30", 2, "10.0.0.2"),
        ("10.0.0.7/32", 1, "10.0.0.7"),
        ("10.0.0.4-9", 6, "10.0.0.9"),
        ("fe80::1", 1, "fe80::1"),
    ],
)
def test_what_a_range_may_look_like(text, count, last):
    found = addresses(text)
    assert (len(found), found[-1]) == (count, last)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.9-4", "10.0.0.1-300", "10.0.0/24x", "10.0.0.999/24"])
def test_what_no_range_is(text):
    with pytest.raises(ConfigError):
        addresses(text)
    assert ADDRESSES_MAX < 2**24


async def test_few_connections_at_once(monkeypatch):
    now = most = 0

    async def connect(host, port):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        raise OSError

    monkeypatch.setattr(scanning.asyncio, "open_connection", connect)
    monkeypatch.setattr(scanning, "PAUSE_S", 0)
    steps = []
    found = await open_hosts([f"10.0.0.{n}" for n in range(60)], 502, lambda *s: steps.append(s))
    assert len(found) == 60 and all(found.values())
    assert most <= scanning.AT_ONCE and len(steps) == 60 and steps[-1][:2] == (60, 60)


async def test_an_asker_asks_once_and_never_again_who_was_silent():
    class Link:
        asked, closed = [], 0

        async def read(self, *key, timeout_s):
            self.asked.append(key)
            if key[0] == 9:
                raise LinkError("silence")
            if key[2] == 5:
                raise DeviceRefused("no", 2)
            return b"\0\1"

        async def close(self):
            Link.closed += 1

    asker = Asker(Link)
    for _ in range(2):
        assert await asker.read(1, "holding", 0, 1, timeout_s=1) == b"\0\1"
        with pytest.raises(DeviceRefused):
            await asker.read(1, "holding", 5, 1, timeout_s=1)
        with pytest.raises(LinkError):
            await asker.read(9, "holding", 0, 1, timeout_s=1)
        with pytest.raises(LinkError):
            await asker.read(9, "holding", 1, 1, timeout_s=1)
    assert len(Link.asked) == 3 and Link.closed == 1 and asker.answers == 2
    await asker.close()


@pytest.mark.parametrize(
    "words",
    [
        ["tcp", "h", "--units", "300"],
        ["tcp", "h", "--units", "a"],
        ["tcp", "h", "--units", "5-2"],
        ["tcp", "h", "--port", "0"],
        ["tcp", "h", "--port", "65536"],
        ["tcp", "h", "--port", "-1"],
        ["can", "h", "--seconds", "-1"],
        ["can", "h", "--seconds", "nan"],
        ["can", "h", "--seconds", "soon"],
        ["air", "h"],
    ],
)
def test_usage(words):
    with pytest.raises(SystemExit):
        cli.main(["scan", *words])
