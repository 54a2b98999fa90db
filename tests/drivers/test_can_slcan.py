"""The serial adapter link over real ptys: against python-can's slcan, and against a scripted adapter.

python-can is the independent implementation: its `slcan` bus sits on a second pty, and the test joins the
two like a null-modem cable. It speaks the line protocol but is no adapter (it gives no answers), so the
commands, refusals and faults are played by a script. No real adapter's firmware is exercised here.
"""

import asyncio
import os
import tty
from contextlib import asynccontextmanager, suppress

import can
import pytest

from drivers.can import PLUGIN
from drivers.can import slcan as slcan_module
from drivers.can.lawicel import encode
from gateway.clock import SystemClock
from gateway.driver import CanFrame
from gateway.errors import LinkError
from tests.drivers.can_bench import as_dict, device, frame, frames, profile
from tests.gateway.stores import HandClock

IDS = frozenset({0x351, 0x355, 0x356, 0x4210})


def make_pty() -> tuple[int, str, int]:
    """Master, path of the slave, and the slave held open so that closing it elsewhere is no hang-up."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, os.ttyname(slave), slave


class Adapter:
    """A scripted adapter: keeps what it is told, answers each command as `answers` says (default CR)."""

    def __init__(self):
        self.master, self.path, self.slave = make_pty()
        self.told = b""
        self.answers = {}
        self.greeting = b""  # what it still had to say when the channel is closed
        asyncio.get_running_loop().add_reader(self.master, self._on_readable)

    def _on_readable(self):
        try:
            data = os.read(self.master, 4096)
        except OSError:  # the other side is gone
            asyncio.get_running_loop().remove_reader(self.master)
            return
        self.told += data
        for command in data.split(b"\r")[:-1]:
            if command == b"C":
                self.say(self.greeting)
            self.say(self.answers.get(command[:1], b"\r"))

    def say(self, data):
        if data:
            os.write(self.master, data)

    def unplug(self):
        asyncio.get_running_loop().remove_reader(self.master)
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.master = self.slave = None


@asynccontextmanager
async def plugged(options="", clock=None):
    adapter = Adapter()
    link = PLUGIN.open_link(f"slcan://{adapter.path}{options}", clock or SystemClock())
    try:
        yield adapter, link
    finally:
        await link.close()
        if adapter.master is not None:
            adapter.unplug()


async def soon(condition):
    """Wait until something is true, 5 s at most."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def cable():
    """python-can's slcan bus and our link on two ptys joined to each other."""
    ours, our_path, our_slave = make_pty()
    theirs, their_path, their_slave = make_pty()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: os.write(theirs, os.read(ours, 4096)))
    loop.add_reader(theirs, lambda: os.write(ours, os.read(theirs, 4096)))
    bus = await asyncio.to_thread(can.Bus, interface="slcan", channel=their_path, bitrate=500_000,
                                  sleep_after_open=0)  # fmt: skip
    link = PLUGIN.open_link(f"slcan://{our_path}", SystemClock())
    try:
        yield bus, link
    finally:
        await link.close()
        await asyncio.to_thread(bus.shutdown)
        for fd in (ours, theirs):
            loop.remove_reader(fd)
        for fd in (ours, theirs, our_slave, their_slave):
            os.close(fd)


async def test_frames_from_and_to_python_can():
    async with asyncio.timeout(20), cable() as (bus, link):
        ear = link.listen(IDS)
        await ear.open()
        few = [frame(0x351, "1002C012C012C201"), frame(0x4210, "01", extended=True), CanFrame(0x356, b"")]
        sent = few * 70

        def send_all():
            for one in sent:
                bus.send(can.Message(arbitration_id=one.id, data=one.data, is_extended_id=one.extended))

        await asyncio.to_thread(send_all)
        assert [await anext(ear) for _ in sent] == sent
        assert (link.counters.received, link.counters.malformed) == (210, 0)
        await link.send(CanFrame(0x305, bytes(8)))
        await link.send(CanFrame(0x18FF_1234, b"\xca\xfe", True))
        heard = []
        while len(heard) < 2:
            if (message := await asyncio.to_thread(bus.recv, 1)) is not None:
                heard.append(CanFrame(message.arbitration_id, bytes(message.data), message.is_extended_id))
        assert heard == [CanFrame(0x305, bytes(8)), CanFrame(0x18FF_1234, b"\xca\xfe", True)]


async def test_a_battery_simulated_by_python_can_end_to_end():
    async with asyncio.timeout(20), cable() as (bus, link):
        driver = PLUGIN.driver(device(link.url), profile().table(), link, SystemClock())
        stop = False

        def battery():
            while not stop:
                for one in frames("version 1.2"):
                    bus.send(can.Message(arbitration_id=one.id, data=one.data, is_extended_id=False))
                bus.recv(0.1)

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(battery))
            identity = await driver.connect()
            sample = await driver.read()
            stop = True
        assert identity == {"vendor": "PYLON"}
        now = as_dict(sample.points, sample.values, sample.qualities)
        assert now["battery_soc_bp"] == (8800, "GOOD")
        assert now["charge_limit_ma"] == (480_000, "GOOD")
        await driver.close()


async def test_the_channel_is_closed_set_and_opened_and_closed_again():
    async with plugged("?bitrate=250000") as (adapter, link):
        await link.listen(IDS).open()
        assert adapter.told == b"\rC\rS5\rO\r"
        await link.send(CanFrame(0x305, bytes(8)))
        await link.close()
        await soon(lambda: adapter.told.endswith(b"C\r"))
        assert adapter.told == b"\rC\rS5\rO\r" + b"t30580000000000000000\r" + b"C\r"


async def test_frames_from_before_are_thrown_away():
    async with plugged() as (adapter, link):
        old, new = frame(0x355, "01006400"), frame(0x355, "02006400")
        adapter.greeting = encode(old) * 3
        ear = link.listen(IDS)
        await ear.open()
        adapter.say(encode(new))
        assert await anext(ear) == new


async def test_an_adapter_that_never_answers_is_used():
    async with plugged() as (adapter, link):
        adapter.answers = {b"": b"", b"C": b"", b"S": b"", b"O": b""}
        ear = link.listen(IDS)
        await ear.open()
        adapter.say(encode(frame(0x355, "01006400")))
        assert await anext(ear) == frame(0x355, "01006400")


async def test_closing_what_is_closed_may_be_refused():
    async with plugged() as (adapter, link):
        adapter.answers = {b"C": b"\a"}
        await link.listen(IDS).open()
        assert link.counters.errors == 0


@pytest.mark.parametrize("command", [b"S", b"O"])
async def test_a_refusal_of_the_bit_rate_is_a_link_error(command):
    async with plugged() as (adapter, link):
        adapter.answers = {command: b"\a"}
        with pytest.raises(LinkError, match="the adapter refuses 500000 bit/s"):
            await link.listen(IDS).open()
        adapter.answers = {}
        await link.listen(IDS).open()  # the next attempt starts afresh


async def test_malformed_lines_and_refusals_are_counted_and_dropped():
    async with plugged() as (adapter, link):
        ear = link.listen(IDS)
        await ear.open()
        adapter.say(b"t35\rgarbage\r\a" + b"t" * 100 + b"\r" + encode(frame(0x355, "01006400")))
        assert await anext(ear) == frame(0x355, "01006400")
        assert (link.counters.malformed, link.counters.errors) == (3, 1)


async def test_byte_by_byte():
    async with plugged() as (adapter, link):
        ear = link.listen(IDS)
        await ear.open()
        for byte in encode(frame(0x351, "1002C012C012C201")):
            adapter.say(bytes([byte]))
            await asyncio.sleep(0)
        assert await anext(ear) == frame(0x351, "1002C012C012C201")


async def test_an_adapter_pulled_out_ends_all_and_the_link_opens_again():
    async with plugged() as (adapter, link):
        ears = [link.listen(IDS), link.listen(IDS)]
        await ears[0].open()
        adapter.unplug()
        for ear in ears:
            with pytest.raises(LinkError, match="slcan://"):
                async with asyncio.timeout(5):
                    await anext(ear)
        assert link.counters.lost == 1
        with pytest.raises(LinkError, match="cannot open"):
            await link.listen(IDS).open()


async def test_an_adapter_gone_silent_is_set_up_anew_for_the_next_listener():
    """Its processor restarted behind a USB chip that stayed: the port is open and the channel is not."""
    clock = HandClock()
    async with plugged(clock=clock) as (adapter, link):
        ear = link.listen(IDS)
        await ear.open()
        adapter.say(encode(frame(0x355, "01006400")))
        await anext(ear)
        adapter.told, port = b"", link._port
        clock.mono += slcan_module.SILENT_MS - 1
        await link.listen(IDS).open()  # a driver that lost patience sooner
        assert adapter.told == b""
        clock.mono += 1
        again = link.listen(IDS)
        with pytest.raises(LinkError, match="nothing heard for 5 s"):
            await anext(ear)
        await again.open()
        assert adapter.told == b"\rC\rS6\rO\r"
        await link.listen(IDS).open()  # silence counts from the opening
        assert adapter.told == b"\rC\rS6\rO\r"
        adapter.say(encode(frame(0x355, "02006400")))
        assert await anext(again) == frame(0x355, "02006400")
        assert link._port is port  # opening it again would restart those that have just booted


async def test_pulled_out_while_a_line_waits_for_room(monkeypatch):
    """Said at once, counted once, and what others watch under the same number is left alone."""
    monkeypatch.setattr(slcan_module, "WRITE_S", 5)
    async with plugged() as (adapter, link):
        await link.listen(IDS).open()
        loop = asyncio.get_running_loop()
        loop.remove_reader(adapter.master)  # it reads no more
        fd, removed = link._port.fileno(), []

        async def send_on():
            for _ in range(10_000):
                await link.send(CanFrame(0x305, bytes(8)))

        def pull_out():
            os.close(adapter.slave)
            adapter.slave = None
            adapter.unplug()

        remove, loop.remove_writer = loop.remove_writer, lambda fd: removed.append(fd) or remove(fd)
        loop.call_later(0.2, pull_out)  # a pty holds a few hundred lines: it waits by then
        try:
            with pytest.raises(LinkError, match="slcan://"):
                await send_on()
        finally:
            del loop.remove_writer
        assert removed == [fd]
        assert link.counters.lost == 1


async def test_pulled_out_while_opening():
    async with plugged() as (adapter, link):
        adapter.answers = {b"S": b"", b"O": b""}
        asyncio.get_running_loop().call_later(0.2, adapter.unplug)
        with pytest.raises(LinkError, match="slcan://"):
            await link.listen(IDS).open()


async def test_an_adapter_that_takes_no_bytes_is_a_link_error(monkeypatch):
    monkeypatch.setattr(slcan_module, "WRITE_S", 0.2)
    async with plugged() as (adapter, link):
        ear = link.listen(IDS)
        await ear.open()
        asyncio.get_running_loop().remove_reader(adapter.master)  # it reads no more

        async def send_on():
            for _ in range(10_000):  # the pty holds a few hundred lines
                await link.send(CanFrame(0x305, bytes(8)))

        with pytest.raises(LinkError, match="takes no more bytes"):
            await send_on()
        with pytest.raises(LinkError, match="takes no more bytes"):
            await anext(ear)
        left = 0
        with suppress(BlockingIOError):
            while True:
                left += len(os.read(adapter.master, 65536))
        # Closing a real port would wait for the rest; of a pty, what is beyond its reader's own 4 kB goes.
        assert left < link.counters.sent * len(encode(CanFrame(0x305, bytes(8))))


async def test_a_cancelled_opening_leaves_nothing_open():
    async with plugged() as (_, link):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await link.listen(IDS).open()
        assert link._port is None
        await link.listen(IDS).open()


async def test_the_port_is_ours_alone():
    async with plugged() as (adapter, link):
        await link.listen(IDS).open()
        other = PLUGIN.open_link(f"slcan://{adapter.path}", SystemClock())
        with pytest.raises(LinkError, match="cannot open"):
            await other.listen(IDS).open()


async def test_a_missing_port_is_a_link_error():
    link = PLUGIN.open_link("slcan:///dev/gs-no-such-tty", SystemClock())
    with pytest.raises(LinkError, match="slcan:///dev/gs-no-such-tty: cannot open: "):
        await link.listen(IDS).open()
    await link.close()
    with pytest.raises(LinkError, match="the link is closed"):
        await link.send(CanFrame(0x305, b""))
