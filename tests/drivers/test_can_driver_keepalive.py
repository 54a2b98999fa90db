"""The keep-alive of the pushed driver, in virtual time: on its time, and never twice on one bus."""

import asyncio
from dataclasses import replace
from itertools import pairwise

from drivers.can import PLUGIN
from gateway.driver import CanFrame
from gateway.errors import LinkError
from tests.drivers.can_bench import frames, profile, read_on, site, values
from tests.sim.loop import run

ALIVE = CanFrame(0x305, bytes(8))


def test_keep_alive_goes_out_each_second_also_while_the_battery_is_silent():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            await driver.connect()
            for _ in range(30):
                await driver.read()
            battery.on = False
            for _ in range(5):
                await driver.read()
            return battery.heard

    heard = run(main)
    assert len(heard) >= 30 and {f for _, f in heard} == {ALIVE}
    assert {b - a for (a, _), (b, _) in pairwise(heard)} == {1000}
    assert heard[0][0] <= 1500


def test_keep_alive_wakes_a_battery_that_waits_for_it():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            battery.on = False

            async def wait_for_inverter():
                while not battery.heard:
                    await asyncio.sleep(0.01)
                battery.on = True

            async with asyncio.TaskGroup() as group:
                group.create_task(wait_for_inverter())
                await driver.connect()
            assert values(await driver.read())["battery_soc_bp"] == (8400, "GOOD")

    run(main)


def test_another_inverters_keep_alive_is_not_doubled():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            inverter = PLUGIN.open_link("vbus://bench", clock)
            running = True

            async def company():
                while running:
                    await inverter.send(ALIVE)
                    await asyncio.sleep(1)

            async with asyncio.TaskGroup() as group:
                group.create_task(company())
                await driver.connect()
                for _ in range(10):
                    await driver.read()
                alone = inverter.counters.received
                sent = [f for _, f in battery.heard]
                running = False
            assert alone and len(sent) == clock.mono_ms() // 1000
            left = clock.mono_ms()
            for _ in range(6):
                await driver.read()
            ours = [at for at, _ in battery.heard if at > left]
            assert ours and ours[0] - left <= 2000  # and takes over when the other one stops

    run(main)


def test_no_keep_alive_in_the_profile_sends_nothing():
    async def main(clock):
        silent = replace(profile().table(), keep_alive=None)
        async with site(clock, frames("version 1.3"), spoken=silent) as (battery, driver):
            await driver.connect()
            for _ in range(5):
                await driver.read()
            assert battery.heard == []

    run(main)


def test_a_send_that_hangs_is_a_link_error():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (_, driver):
            await driver.connect()

            async def hang(frame):
                await asyncio.sleep(3600)

            driver._link.send = hang
            assert (await read_on(driver))[1] == "vbus://bench: keep-alive not sent within 1 s"

    run(main)


def busy(link, times):
    """Make the next `times` sends fail as a full transmit queue does."""
    send = link.send

    async def refuse(frame):
        nonlocal times
        if times:
            times -= 1
            raise LinkError("cannot send, nobody on the bus acknowledges")
        await send(frame)

    link.send = refuse


def test_one_keep_alive_that_found_the_queue_full_does_not_end_the_session():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            await driver.connect()
            for _ in range(3):  # never three in a row
                busy(driver._link, 2)
                samples, error = await read_on(driver, most=5)
                assert (len(samples), error) == (5, "")
            assert values(samples[-1])["battery_soc_bp"] == (8400, "GOOD")
            assert {b - a for (a, _), (b, _) in pairwise(battery.heard)} == {1000, 3000}

    run(main)


def test_a_bus_that_takes_nothing_is_a_link_error():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (_, driver):
            await driver.connect()
            busy(driver._link, 100)
            assert (await read_on(driver))[1] == "cannot send, nobody on the bus acknowledges"
            assert clock.mono_ms() <= 5000
            driver._link.send = type(driver._link).send.__get__(driver._link)
            await driver.connect()
            assert (await read_on(driver, most=5))[1] == ""

    run(main)


def test_another_id_of_29_bits_is_no_company():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            other = PLUGIN.open_link("vbus://bench", clock)
            ear = other.listen(frozenset({0x305}))

            async def speak():
                while True:
                    await other.send(CanFrame(0x305, bytes(8), extended=True))
                    await asyncio.sleep(0.5)

            async with asyncio.TaskGroup() as group:
                task = group.create_task(speak())
                await driver.connect()
                for _ in range(5):
                    await driver.read()
                task.cancel()
            assert ear.pending and ALIVE in [f for _, f in battery.heard]

    run(main)


def test_company_heard_while_the_gateway_was_busy_counts():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (_, driver):
            inverter = PLUGIN.open_link("vbus://bench", clock)
            ear = inverter.listen(frozenset({0x305}))

            async def company():
                while True:
                    await inverter.send(ALIVE)
                    await asyncio.sleep(1)

            async with asyncio.TaskGroup() as group:
                task = group.create_task(company())
                await driver.connect()
                await driver.read()
                await asyncio.sleep(5)
                await driver.read()
                await driver.read()
                task.cancel()
            assert not ear.pending

    run(main)
