"""One adapter for all: turns, scans that look for everybody, and nobody who keeps it."""

import asyncio
import gc
import re

import pytest

from drivers.ble import adapter as adapter_module
from drivers.ble.adapter import FRESH_MS, SCAN_EDGE_S, SCAN_S, TURN_S, shared
from gateway.errors import LinkError
from tests.drivers.ble_bench import ADDRESS, OTHER, bench
from tests.sim.loop import run

NONE = frozenset()


async def reach(adapter, address, hold_s=0.0):
    async with adapter.reached(address, NONE) as device:
        await asyncio.sleep(hold_s)
        return device.address


async def fails(adapter, address):
    with pytest.raises(LinkError) as told:
        await reach(adapter, address)
    return str(told.value)


def test_an_absent_device_costs_one_scan_and_says_what_to_look_at():
    async def main(clock):
        async with bench(clock) as (air, adapter, _):
            text = await fails(adapter, OTHER)
            assert re.search(f"{OTHER} was not heard .* in 12 s: out of reach, switched off, or", text)
            assert SCAN_S * 1000 <= clock.mono_ms() <= (SCAN_S + 1) * 1000
            assert air.log == ["scan", "scan ended"]

    run(main)


def test_ten_absent_devices_that_wait_share_the_scan_that_began_meanwhile():
    async def main(clock):
        absent = [f"F0:F1:F2:F3:F5:{i:02X}" for i in range(10)]
        async with bench(clock) as (air, adapter, _):
            texts = await asyncio.gather(*(fails(adapter, address) for address in absent))
            assert all(address in text for address, text in zip(absent, texts, strict=True))
            assert air.log.count("scan") == 1
            assert await reach(adapter, ADDRESS) == ADDRESS  # somebody who comes later has a scan of his own
            assert absent[0] in await fails(adapter, absent[0])
            assert air.log.count("scan") == 3

    run(main)


def test_a_device_that_another_scan_heard_needs_none_unless_that_was_too_long_ago():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, _):

            async def scan_for_nobody():
                await fails(adapter, "F0:F1:F2:F3:F5:00")

            await asyncio.gather(scan_for_nobody(), reach(adapter, ADDRESS), reach(adapter, OTHER))
            assert air.log.count("scan") == 1
            await asyncio.gather(
                scan_for_nobody(), reach(adapter, ADDRESS, FRESH_MS / 1000), reach(adapter, OTHER)
            )
            assert air.log.count("scan") == 3  # what was heard before the long hold is not trusted after it

    run(main)


def test_what_was_heard_too_long_ago_is_not_connected_to_after_a_scan_that_missed_it():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, [_, other]):

            async def scan_for_nobody():
                await fails(adapter, "F0:F1:F2:F3:F5:00")

            waiting = asyncio.gather(
                scan_for_nobody(), reach(adapter, ADDRESS, FRESH_MS / 1000), fails(adapter, OTHER)
            )
            await asyncio.sleep(SCAN_S + 1)
            await other.device.stop_advertising()
            assert "was not heard" in (await waiting)[2]
            assert air.log.count("scan") == 2

    run(main)


def test_a_connection_that_a_killed_process_left_behind_is_found_without_a_scan():
    """Such a device does not advertise."""

    async def main(clock):
        async with bench(clock) as (air, adapter, _):
            air.held[ADDRESS] = None
            assert await reach(adapter, ADDRESS) == ADDRESS
            assert air.log == []

    run(main)


def test_one_who_keeps_the_adapter_holds_up_the_others_no_longer_than_a_turn():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (_, adapter, _):
            async with asyncio.TaskGroup() as group:
                holder = group.create_task(reach(adapter, ADDRESS, hold_s=3 * TURN_S))
                await asyncio.sleep(5)
                began_ms = clock.mono_ms()
                assert "others kept it busy for 60 s" in await fails(adapter, OTHER)
                assert clock.mono_ms() - began_ms == TURN_S * 1000
                await holder
            assert await reach(adapter, OTHER) == OTHER

    run(main)


def test_nobody_scans_while_another_connects():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, _):

            async def connect(address):
                async with adapter.reached(address, NONE):
                    air.log.append("connect")
                    await asyncio.sleep(7)
                    air.log.append("connected")

            await asyncio.gather(connect(ADDRESS), connect(OTHER), fails(adapter, "F0:F1:F2:F3:F5:00"))
            open_ = 0
            for word in air.log:
                assert open_ == (1 if word in ("scan ended", "connected") else 0), air.log
                open_ += -1 if word in ("scan ended", "connected") else 1

    run(main)


def test_a_scan_that_neither_hears_nor_ends_is_cut_off_and_the_adapter_is_free_again(monkeypatch):
    async def main(clock):
        async with bench(clock) as (air, adapter, _):
            stop = air.stack.scanner.stop

            async def never(_self):
                await asyncio.sleep(3600)

            monkeypatch.setattr(air.stack.scanner, "stop", never)
            assert "a scan did not end within 17 s" in await fails(adapter, ADDRESS)
            assert clock.mono_ms() <= (SCAN_S + SCAN_EDGE_S + 6) * 1000
            monkeypatch.setattr(air.stack.scanner, "stop", stop)
            assert await reach(adapter, ADDRESS) == ADDRESS

    run(main)


def test_what_is_remembered_of_devices_is_forgotten_with_who_wanted_them():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (_, adapter, _):
            await asyncio.gather(
                fails(adapter, "F0:F1:F2:F3:F5:00"), reach(adapter, ADDRESS), reach(adapter, OTHER)
            )
            assert (adapter._wanted, adapter._seen, adapter._missed) == ({}, {}, {})

    run(main)


def test_links_of_one_adapter_share_it_and_it_goes_with_the_last():
    one, two, other = shared("hci7", None), shared("hci7", None), shared("hci8", None)
    assert one is two and one is not other
    del one, two, other
    gc.collect()
    assert "hci7" not in adapter_module._ADAPTERS
