"""JK and Daly boards on a virtual radio, by their shipped profiles: recorded records, a stream, both kinds
of module.
"""

import asyncio

import pytest

from drivers.ble.driver import RENEW_MS
from drivers.bms.families import FAMILIES
from gateway.errors import LinkError
from tests.drivers.ble_air import P
from tests.drivers.ble_bench import answers, bench, power_w, profile, read_by, recorded, told
from tests.sim.loop import run

JK_MODULES = {
    "older": {"one": True, "writes": P.WRITE | P.WRITE_WITHOUT_RESPONSE},
    "newer": {"writes": P.WRITE | P.WRITE_WITHOUT_RESPONSE},
}
NOTE = bytes.fromhex("aa5590ebc8010100000000000000000000000044")  # the board took a command
AT = b"AT\r\n"  # of the Bluetooth module, now and then
*STATUSES, SETTINGS = recorded("bms_jk_ble")
COMMANDS = {request.name: request.data for request in FAMILIES["jk_ble"].requests(0)}


def as_jk(bms, board) -> None:
    """A JK board: one command brings its settings and its status, which it repeats from then on."""
    information, status = (bytes.fromhex(board["replies"][name]) for name in ("information", "status"))
    settings = bytes.fromhex(SETTINGS["replies"]["settings"])
    (about,) = FAMILIES["jk_ble"].introduction(0)
    bms.answers = {about.data: NOTE + AT + information, COMMANDS["status"]: NOTE + settings + status}
    bms.repeats = status


def jk(clock, **module):
    return bench(clock, service="ffe0", notify="ffe1", to="ffe1", **module)


@pytest.mark.parametrize("module", JK_MODULES)
@pytest.mark.parametrize("board", STATUSES, ids=lambda b: b["name"])
def test_a_recorded_jk_board_is_read_to_what_its_source_says(board, module):
    async def main(clock):
        async with (
            jk(clock, **JK_MODULES[module]) as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile("jk_ble").table()) as (driver, _),
        ):
            as_jk(bms, board)
            assert await driver.connect() == {"vendor": "JK"} | board["texts"]
            for _ in range(3):
                said = told(await driver.read())
                expected = board["told"] | SETTINGS["told"] | {"battery_power_w": power_w(board["told"])}
                assert {name: said[name] for name in expected} == expected
            assert driver.dropped == 0

    run(main)


def test_a_board_that_streams_is_listened_to_and_its_settings_are_asked_for_each_minute():
    async def main(clock):
        async with (
            jk(clock) as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile("jk_ble").table()) as (driver, _),
        ):
            as_jk(bms, STATUSES[1])
            await driver.connect()
            began_ms, asked = clock.mono_ms(), len(bms.written)
            while clock.mono_ms() - began_ms < 3 * RENEW_MS:
                sample = await driver.read()
                assert clock.mono_ms() - sample.stamp.mono_ms <= 2_500
                await asyncio.sleep(0.7)
            assert 2 <= len(bms.written) - asked <= 4
            asked = len(bms.written)
            await driver.connect()
            assert (
                bms.written[asked:].count(COMMANDS["settings"]) == 1
            )  # those of another connection do not count

    run(main)


def test_a_stream_that_dries_up_is_asked_for_again_and_what_was_heard_is_not_repeated():
    async def main(clock):
        async with (
            jk(clock) as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile("jk_ble").table()) as (driver, _),
        ):
            as_jk(bms, STATUSES[1])
            await driver.connect()
            await driver.read()
            flow, bms.repeats, before = bms.repeats, b"", len(bms.written)
            assert told(await driver.read())["battery_soc_bp"] == STATUSES[1]["told"]["battery_soc_bp"]
            assert len(bms.written) == before + 1
            bms.repeats = flow
            await driver.read()
            await asyncio.sleep(5)  # nobody takes what it says
            bms.silent = True
            await asyncio.sleep(3)
            for _ in range(3):
                with pytest.raises(LinkError, match="no answer to status"):
                    await driver.read()

    run(main)


def test_a_record_that_stops_in_the_middle_does_not_spoil_the_next():
    async def main(clock):
        async with (
            jk(clock) as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile("jk_ble").table()) as (driver, _),
        ):
            as_jk(bms, STATUSES[1])
            await driver.connect()
            await driver.read()
            bms.stutter = 3
            await asyncio.sleep(1.5)
            bms.stutter = 1000
            assert told(await driver.read()) and driver.dropped == 0

    run(main)


def test_new_values_of_a_stream_are_told_from_the_next_poll_on():
    async def main(clock):
        async with (
            jk(clock) as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile("jk_ble").table()) as (driver, _),
        ):
            as_jk(bms, STATUSES[1])
            await driver.connect()
            await asyncio.sleep(30)  # nobody takes what it says meanwhile
            newer = bytearray(bms.repeats)
            newer[173] = 7  # state of charge
            newer[-1] = sum(newer[:-1]) & 0xFF
            bms.repeats = bytes(newer)
            await asyncio.sleep(1.5)
            assert told(await driver.read())["battery_soc_bp"] == 700

    run(main)


@pytest.mark.parametrize(
    ("family", "board"),
    [
        (family, board)
        for family in ("daly_ble", "daly_hkms_ble")
        for board in recorded(f"bms_{family}")
        if "versions" in board["replies"]
    ],
)
def test_a_recorded_daly_board_is_read_to_what_its_source_says(family, board):
    async def main(clock):
        async with (
            bench(clock, service="fff0", notify="fff1", to="fff2") as (_, adapter, [bms]),
            read_by(adapter, clock, table=profile(family).table()) as (driver, _),
        ):
            bms.answers = answers(family, board["replies"])
            assert await driver.connect() == {"vendor": "Daly"} | board["texts"]
            said = told(await driver.read())
            expected = board["told"] | {"battery_power_w": power_w(board["told"])}
            assert {name: said[name] for name in expected} == expected
            assert driver.dropped == 0

    run(main)
