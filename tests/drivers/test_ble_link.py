"""The connection: pieces, a bounded buffer, the end by either side, and closing that never hangs."""

import asyncio

import pytest

from drivers.ble.link import BUFFER_MAX, CLOSE_S, CONNECT_S, WRITE_S
from drivers.ble.radio import CLEAN_S
from drivers.ble.table import Gatt
from gateway.errors import ConfigError, LinkError
from tests.drivers.ble_air import P
from tests.drivers.ble_bench import ADDRESS, OTHER, bench, link_to, profile
from tests.sim.loop import run

GATT = profile("jbd_ble").gatt.plain()


def test_what_is_long_is_written_in_pieces_that_the_connection_carries():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            await link.open(GATT)
            await link.send(bytes(range(256)) * 3)
            await asyncio.sleep(0.1)
            assert b"".join(bms.written) == bytes(range(256)) * 3
            assert max(map(len, bms.written)) == 244 and link.counters.sent == len(bms.written) == 4
            await link.close()

    run(main)


def test_notifications_that_nobody_takes_are_bounded_and_the_newest_stay():
    async def main(clock):
        async with bench(clock, piece=200) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            await link.open(GATT)
            last = b"".join(i.to_bytes(2, "big") * 100 for i in range(100))
            await bms.say(last)
            await asyncio.sleep(1)
            kept = b""
            while link.pending:
                kept += (await link.receive())[0]
            assert BUFFER_MAX - 200 < len(kept) <= BUFFER_MAX and last.endswith(kept)
            assert link.counters.overflowed == 100 - len(kept) // 200
            await link.close()

    run(main)


def test_each_notification_has_the_time_it_came_at_not_that_it_was_taken_at():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            await link.open(GATT)
            began_ms = clock.mono_ms()
            await bms.say(b"x")
            await asyncio.sleep(5)
            data, at_ms = await link.receive()
            assert data == b"x" and at_ms - began_ms < 100
            await link.close()

    run(main)


def test_forgetting_drops_what_waits():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            await link.open(GATT)
            await bms.say(b"old")
            await asyncio.sleep(0.1)
            link.forget()
            assert not link.pending
            await bms.say(b"new")
            assert (await link.receive())[0] == b"new"
            await link.close()

    run(main)


def test_a_link_that_is_not_open_and_one_whose_device_went_say_so():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            await link.close()  # never opened
            for _ in range(2):
                with pytest.raises(LinkError, match="not connected"):
                    await link.send(b"x")
                with pytest.raises(LinkError, match="the connection ended"):
                    await link.receive()
                await link.open(GATT)
                await bms.say(b"x")
                await bms.hang_up()
                await asyncio.sleep(0.1)
                with pytest.raises(LinkError, match="the connection ended"):
                    await link.receive()  # also what came before: it is of no use without the rest
                with pytest.raises(LinkError, match="the connection ended"):
                    await link.send(b"x")
                await link.close()
            assert (link.counters.connected, link.counters.lost, link.counters.stuck) == (2, 2, 0)

    run(main)


def test_opening_again_lets_go_of_the_connection_before():
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            for _ in range(2):
                await link.open(GATT)
                await bms.say(b"x")
                assert (await link.receive())[0] == b"x"
            await link.close()
            await asyncio.sleep(0.1)
            assert bms.connection is None and link.counters.lost == 0

    run(main)


def test_what_a_connection_that_did_not_close_still_hears_is_not_told_as_the_next_ones(monkeypatch):
    """BlueZ goes on telling the client before: two pieces of each, and no frame would be whole again."""

    async def main(clock):
        async with bench(clock) as (air, adapter, [bms]):
            client, told = air.stack.client, []
            real = client.start_notify

            async def listened(self, characteristic, callback, **options):
                told.append(callback)
                await real(self, characteristic, callback, **options)

            async def hangs(_self):
                await asyncio.sleep(3600)

            monkeypatch.setattr(client, "start_notify", listened)
            link = link_to(adapter, clock)
            await link.open(GATT)
            with monkeypatch.context() as patch:
                patch.setattr(client, "disconnect", hangs)
                await link.close()
            assert link.counters.stuck == 1
            told[0](bytearray(b"of nobody"))
            await bms.hang_up()
            await asyncio.sleep(0.1)
            await link.open(GATT)
            told[0](bytearray(b"old"))
            told[1](bytearray(b"new"))
            assert (await link.receive())[0] == b"new"
            assert not link.pending
            await link.close()

    run(main)


def test_a_device_that_goes_while_its_services_are_looked_through_is_a_failed_connection(monkeypatch):
    async def main(clock):
        async with bench(clock) as (air, adapter, [bms]):
            real = air.stack.client.connect

            async def connect(self, pair, **options):
                await real(self, pair, **options)
                await bms.hang_up()
                await asyncio.sleep(0.1)

            monkeypatch.setattr(air.stack.client, "connect", connect)
            link = link_to(adapter, clock)
            assert "F4:01" in await _fails(link.open(GATT))
            monkeypatch.undo()
            await link.open(GATT)
            await link.close()

    run(main)


def test_closing_while_somebody_waits_ends_the_wait():
    async def main(clock):
        async with bench(clock) as (_, adapter, _):
            link = link_to(adapter, clock)
            await link.open(GATT)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(_fails(link.receive()))
                await asyncio.sleep(1)
                await link.close()
                assert "the connection ended" in await waiting
            assert link.counters.lost == 0  # it was us

    run(main)


@pytest.mark.parametrize("patched", ["connect", "start_notify", "write_gatt_char", "disconnect"])
def test_a_bluetooth_daemon_that_hangs_holds_up_nobody(monkeypatch, patched):
    """Not even where it hangs again while the first wait is tidied up."""

    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, _):

            async def hangs(*_words, **_options):
                try:
                    await asyncio.sleep(3600)
                finally:
                    await asyncio.sleep(3600)

            monkeypatch.setattr(air.stack.client, patched, hangs)
            link = link_to(adapter, clock)
            began_ms = clock.mono_ms()
            said = await _fails(_use(link), raises=patched != "disconnect")
            limit_s = {
                "connect": CONNECT_S,
                "start_notify": 5,
                "write_gatt_char": WRITE_S,
                "disconnect": CLOSE_S,
            }
            spent_s = (clock.mono_ms() - began_ms) / 1000
            assert spent_s <= limit_s[patched] + CLEAN_S + 2, said
            assert link.counters.stuck == (patched == "disconnect")
            monkeypatch.undo()
            other = link_to(adapter, clock, OTHER)
            await other.open(GATT)
            await other.close()

    run(main)


def test_cancelling_a_connection_attempt_frees_the_adapter():
    async def main(clock):
        async with bench(clock, ADDRESS, OTHER) as (air, adapter, _):
            real = air.stack.client.connect

            async def slow(self, pair, **options):
                await asyncio.sleep(5)
                await real(self, pair, **options)

            air.stack.client.connect = slow
            link = link_to(adapter, clock)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await link.open(GATT)
            air.stack.client.connect = real
            other = link_to(adapter, clock, OTHER)
            await other.open(GATT)
            await other.close()

    run(main)


@pytest.mark.parametrize(
    ("service", "notify", "to", "lacks"),
    [("ff00", "ff03", "ff02", "ff03"), ("ff00", "ff01", "ff03", "ff03"), ("ffe0", "ff01", "ff02", "ff01")],
)
def test_a_device_of_another_kind_is_named_and_let_go(service, notify, to, lacks):
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock)
            other = Gatt(*(f"0000{short}-0000-1000-8000-00805f9b34fb" for short in (service, notify, to)))
            assert f"has no characteristic {lacks}" in await _fails(link.open(other))
            await asyncio.sleep(0.1)
            assert bms.connection is None

    run(main)


def test_two_characteristics_of_one_name_of_which_each_can_one_thing():
    """Some JK modules are so."""

    async def main(clock):
        async with bench(clock, notify="ffe1", to="ffe1", service="ffe0", writes=P.WRITE) as (
            _,
            adapter,
            [bms],
        ):
            link = link_to(adapter, clock)
            place = "0000{}-0000-1000-8000-00805f9b34fb".format
            await link.open(Gatt(place("ffe0"), place("ffe1"), place("ffe1")))
            await link.send(b"hello")
            await asyncio.sleep(0.1)
            await bms.say(b"you too")
            assert bms.written == [b"hello"] and (await link.receive())[0] == b"you too"
            await link.close()

    run(main)


def test_a_link_belongs_to_one_device():
    async def main(clock):
        async with bench(clock) as (_, adapter, _):
            link = link_to(adapter, clock)
            link.claim("bms")
            link.claim("bms")
            with pytest.raises(ConfigError, match="is the link of bms; spare needs an address of its own"):
                link.claim("spare")

    run(main)


async def _use(link):
    try:
        await link.open(GATT)
        await link.send(b"x")
    finally:
        await link.close()


async def _fails(work, raises=True) -> str:
    try:
        await work
    except LinkError as error:
        assert raises
        return str(error)
    assert not raises
    return ""
