"""Batteries on a virtual radio, under unmodified bleak: recorded replies, silence, garbage, loss, and two
at once.
"""

import asyncio
from dataclasses import replace

import pytest

from drivers.ble.driver import ATTEMPTS, OPTIONAL_MISSES_MAX, REPLY_MS, BleDriver
from drivers.bms.families import FAMILIES
from gateway.driver import Actuator
from gateway.errors import DeviceRefused, LinkError
from tests.drivers.ble_air import P
from tests.drivers.ble_bench import (
    ADDRESS,
    JBD,
    JBD_ANSWERS,
    OTHER,
    answers,
    bench,
    device,
    link_to,
    power_w,
    profile,
    read_by,
    recorded,
    told,
)
from tests.sim.loop import run


@pytest.mark.parametrize("board", recorded("bms_jbd"), ids=lambda b: b["name"])
def test_a_recorded_board_is_read_to_what_its_source_says(board):
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            bms.answers = answers("jbd", board["replies"])
            assert await driver.connect() == {"vendor": "JBD"}  # these recordings have no hardware
            asked_ms = clock.mono_ms()
            sample = await driver.read()
            made = {"battery_power_w": power_w(board["told"]), "charge_limit_ma": 50_000}
            assert told(sample) == board["told"] | made | {"discharge_limit_ma": 50_000}
            assert len(told(sample)) == len(sample.points)
            assert sample.points is driver.points and sample.stamp.mono_ms == asked_ms < clock.mono_ms()
            assert not driver.pushed and not isinstance(driver, Actuator)

    run(main)


def test_a_board_says_what_it_is():
    async def main(clock):
        async with bench(clock) as (_, adapter, _), read_by(adapter, clock) as (driver, _):
            assert await driver.connect() == {"vendor": "JBD", "model": "0123456789"}
            assert clock.mono_ms() < 2000

    run(main)


@pytest.mark.parametrize("piece", [1, 7, 20, 200])
def test_notifications_may_be_cut_anywhere(piece):
    async def main(clock):
        async with bench(clock, piece=piece) as (_, adapter, _), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            assert told(await driver.read())["battery_voltage_mv"] == JBD["told"]["battery_voltage_mv"]
            assert driver.dropped == 0

    run(main)


def test_garbage_before_an_answer_is_passed_over_and_a_damaged_answer_is_asked_for_again():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            bms.garbage = b"AT\r\n\xdd"
            await driver.connect()
            assert told(await driver.read())["battery_soc_bp"] == 10000
            bms.garbage = b""
            good = bms.answers
            bms.answers = {asked: said[:-2] + b"\0\x77" for asked, said in good.items()}
            before = len(bms.written)
            with pytest.raises(LinkError, match="no answer to basic information"):
                await driver.read()
            assert len(bms.written) == before + ATTEMPTS and driver.dropped >= ATTEMPTS
            bms.answers = good
            assert told(await driver.read())["battery_soc_bp"] == 10000

    run(main)


def test_a_board_that_stops_in_the_middle_is_not_completed_by_its_next_answer():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            bms.stutter = 1
            with pytest.raises(LinkError, match="no answer"):
                await driver.read()
            bms.stutter = 1000
            assert told(await driver.read())["battery_soc_bp"] == 10000
            assert driver.dropped == 0

    run(main)


def test_a_silent_board_gives_no_sample_at_all():
    """However good the last one was: what was true is not said again."""

    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            await driver.read()
            bms.silent = True
            for _ in range(5):
                began_ms = clock.mono_ms()
                with pytest.raises(LinkError, match="no answer to basic information"):
                    await driver.read()
                assert clock.mono_ms() - began_ms <= ATTEMPTS * REPLY_MS + 100
            bms.silent = False
            assert told(await driver.read())["battery_soc_bp"] == 10000

    run(main)


def test_an_answer_that_comes_too_late_answers_nothing_later():
    """The values change meanwhile: the old ones must not be taken for the new ones."""

    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            bms.late_s = (ATTEMPTS * REPLY_MS + 500) / 1000
            with pytest.raises(LinkError):
                await driver.read()
            await asyncio.sleep(2.8)  # both of them came meanwhile, the second a moment ago
            bms.late_s = 0.0
            bms.answers = answers("jbd", recorded("bms_jbd")[1]["replies"])
            assert (
                told(await driver.read())["battery_soc_bp"]
                == recorded("bms_jbd")[1]["told"]["battery_soc_bp"]
            )

    run(main)


def test_a_board_that_hangs_up_ends_the_wait_at_once_and_is_reached_again():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, link):
            await driver.connect()
            bms.silent = True
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(_fails(driver))
                await asyncio.sleep(0.5)
                began_ms = clock.mono_ms()
                await bms.hang_up()
                assert "the connection ended" in await reading
                assert clock.mono_ms() - began_ms < 500
            assert "the connection ended" in await _fails(driver)
            assert link.counters.lost == 1
            bms.silent = False
            await driver.connect()
            assert told(await driver.read())["battery_soc_bp"] == 10000
            assert link.counters.connected == 2

    run(main)


def test_two_boards_on_one_adapter():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, [first, second]):
            second.answers = answers("jbd", recorded("bms_jbd")[1]["replies"])
            async with read_by(adapter, clock) as (one, _), read_by(adapter, clock, OTHER) as (two, _):
                await asyncio.gather(one.connect(), two.connect())
                for _ in range(3):
                    a, b = await asyncio.gather(one.read(), two.read())
                    assert (told(a)["battery_voltage_mv"], told(b)["battery_voltage_mv"]) == (15600, 13280)
                first.silent = True
                assert "no answer" in await _fails(one)
                assert told(await two.read())["battery_voltage_mv"] == 13280
            assert air.log[:4] == ["scan", "scan ended", "connect 01", "connected 01"]

    run(main)


def test_what_the_data_sheet_allows_is_a_limit_until_the_board_forbids_it():
    async def main(clock):
        plain = profile("jbd_ble").model_dump(mode="json") | {
            "allowance": {"charge_ma": 50_000, "discharge_ma": 100_000}
        }
        table = type(profile("jbd_ble")).model_validate(plain).table()
        async with bench(clock) as (_, adapter, _), read_by(adapter, clock, table=table) as (driver, _):
            await driver.connect()
            said = told(await driver.read())
            assert (said["charge_limit_ma"], said["discharge_limit_ma"]) == (50_000, 100_000)

    run(main)


def test_a_board_that_refuses_is_not_asked_twice():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            asked, before = FAMILIES["jbd"].requests(0)[0], len(bms.written)
            bms.answers = {asked.data: bytes.fromhex("dd038000ff8077")}
            with pytest.raises(DeviceRefused, match="refuses basic information") as said:
                await driver.read()
            assert said.value.code == 0x80 and len(bms.written) == before + 1

    run(main)


@pytest.mark.parametrize("writes", [P.WRITE, P.WRITE_WITHOUT_RESPONSE, P.WRITE | P.WRITE_WITHOUT_RESPONSE])
def test_requests_are_written_as_the_board_takes_them(writes):
    async def main(clock):
        async with bench(clock, writes=writes) as (_, adapter, _), read_by(adapter, clock) as (driver, _):
            await driver.connect()
            assert told(await driver.read())["battery_soc_bp"] == 10000

    run(main)


def test_a_board_that_lies_about_how_to_write_is_written_the_other_way_at_the_next_attempt(monkeypatch):
    """It says that it takes writes with a response, and acts on those without one only."""

    async def main(clock):
        both = P.WRITE | P.WRITE_WITHOUT_RESPONSE
        async with bench(clock, writes=both) as (air, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            plain = air.stack.client.write_gatt_char

            async def picky(self, characteristic, data, response):
                bms.silent = response
                await plain(self, characteristic, data, response)

            monkeypatch.setattr(air.stack.client, "write_gatt_char", picky)
            with pytest.raises(LinkError, match="no answer"):
                await driver.connect()
            await driver.connect()
            assert told(await driver.read())["battery_soc_bp"] == 10000

    run(main)


def test_a_board_that_never_answers_is_left_within_its_limits_and_disconnected():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]), read_by(adapter, clock) as (driver, _):
            bms.silent = True
            with pytest.raises(LinkError, match="no answer to basic information in 2 x 2000 ms"):
                await driver.connect()
            await asyncio.sleep(0.1)
            assert bms.connection is None and clock.mono_ms() < 10_000
            assert "not connected" in await _fails(driver)

    run(main)


def test_what_is_optional_and_not_answered_twice_is_not_asked_again():
    family = FAMILIES["jbd"]
    asked, extra = family.requests(0)[0], family.introduction(0)[0]
    optional = replace(family, introduction=lambda _: (), requests=lambda _: (asked, extra))

    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            bms.answers = {asked.data: JBD_ANSWERS[asked.data]}
            mine, link = device(profile("jbd_ble").table()), link_to(adapter, clock)
            driver = BleDriver(mine, mine.profile, optional, mine.profile.gatt, link, clock)
            await driver.connect()
            for _ in range(3):
                assert told(await driver.read())["battery_soc_bp"] == 10000
            assert bms.written.count(extra.data) == OPTIONAL_MISSES_MAX
            await driver.close()

    run(main)


async def _fails(driver) -> str:
    with pytest.raises(LinkError) as told_:
        await driver.read()
    return str(told_.value)
