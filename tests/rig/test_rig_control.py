"""The control channel: each verb does it, each bad line is answered, on the socket too."""

import asyncio
import json

import pytest
from rig.control import LINE_MAX

from tests.rig.raw import ask, connected, read_pdu, running


def say(rig, **asked):
    return rig.control.answer(json.dumps(asked).encode())


async def test_state_and_journal_tell_what_happened():
    async with running(device="huawei_luna2000", soc_bp=6_000, seed=7) as rig:
        rig.bank.write(1, 47083, (2,), int(asyncio.get_running_loop().time() * 1000))
        state = say(rig, do="state")
        assert state["battery_soc_bp"] == 6_000 and state["writes"] == 1
        assert state["writes_by_address"] == {"1/47083": 1} and state["writes_outside_envelope"] == 0
        (entry,) = say(rig, do="journal", last=5)["entries"]
        assert (entry["unit"], entry["address"], entry["values"]) == (1, 47083, (2,))
        assert json.dumps(state)


async def test_faults_are_set_met_and_cleared():
    async with running() as rig, connected(rig) as (reader, writer):
        assert say(rig, do="fault", kind="busy", unit=1) == {"ok": True}
        assert (await ask(reader, writer, 1, 1, read_pdu(40000, 2)))[7:] == b"\x83\x06"
        assert say(rig, do="state")["faults_met"] == {"busy": 1}
        assert say(rig, do="bms", kind="zero") == {"ok": True}
        assert say(rig, do="state")["bms"]["faults"] == ["zero"]
        assert say(rig, do="clear") == {"ok": True}
        assert (await ask(reader, writer, 2, 1, read_pdu(40000, 2)))[7:] == b"\x03\x04SunS"
        assert say(rig, do="state")["bms"]["faults"] == []


async def test_the_grid_can_be_cut_and_given_back():
    async with running() as rig:
        assert say(rig, do="grid", connected=False) == {"ok": True}
        assert say(rig, do="state")["grid_connected"] is False
        async with asyncio.timeout(10):
            while say(rig, do="state")["grid_power_w"]:
                await asyncio.sleep(0.05)
        state = say(rig, do="state")
        assert state["load_power_w"] == state["pv_power_w"] + state["battery_ac_w"]
        assert say(rig, do="grid", connected=True) == {"ok": True}
        assert say(rig, do="state")["grid_connected"] is True
        assert "KeyError" in say(rig, do="grid")["error"]


async def test_the_state_of_charge_can_be_set_and_the_rig_stopped():
    async with running() as rig:
        assert say(rig, do="soc", bp=9_900) == {"ok": True}
        assert say(rig, do="state")["battery_soc_bp"] in (9_899, 9_900, 9_901)
        assert say(rig, do="stop") == {"ok": True}
        assert rig.stopping.is_set()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"", "JSONDecodeError"),
        (b"\xff", "UnicodeDecodeError"),
        (b"[]", "with one of: state, journal, fault"),
        (b'{"do":"dance"}', "with one of"),
        (b'{"do":["state"]}', "TypeError"),
        (b'{"do":"fault","kind":"x"}', "unknown fault 'x'"),
        (b'{"do":"fault"}', "TypeError"),
        (b'{"do":"fault","kind":["x"]}', "TypeError"),
        (b'{"do":"bms"}', "KeyError"),
        (b'{"do":"soc","bp":20000}', "share between 0 and 1"),
        (b'{"do":"soc","bp":"full"}', "TypeError"),
        (b'{"do":"frequency","mhz":"fast"}', "ValueError"),
        (b'{"do":"journal","last":"all"}', "ValueError"),
    ],
)
async def test_a_bad_line_is_answered_with_what_is_wrong(line, part):
    async with running() as rig:
        answer = rig.control.answer(line)
        assert set(answer) == {"error"} and part in answer["error"]


async def test_the_grid_can_be_held_at_a_frequency_and_let_go():
    async with running() as rig:
        measured = say(rig, do="state")["grid_frequency_mhz"]
        assert say(rig, do="frequency", mhz=49_123) == {"ok": True}
        assert say(rig, do="state")["grid_frequency_mhz"] == 49_123
        await asyncio.sleep(0.25)  # a few of its steps
        assert say(rig, do="state")["grid_frequency_mhz"] == 49_123
        assert say(rig, do="frequency") == {"ok": True}
        await asyncio.sleep(0.25)
        assert abs(say(rig, do="state")["grid_frequency_mhz"] - measured) < 20


async def test_the_socket_speaks_lines_and_goes_with_the_rig(tmp_path):
    path = tmp_path / "rig.sock"
    async with running(control=path) as rig:
        assert rig.where()["control"] == str(path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"do":"state"}\n{"do":"nothing"}\n')
        assert json.loads(await reader.readline())["order"] in ("self", "idle")
        assert "error" in json.loads(await reader.readline())
        writer.write(b"x" * (LINE_MAX + 10))
        assert await reader.read() == b""
        writer.close()
    assert not path.exists()
