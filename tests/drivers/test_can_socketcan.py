"""The AF_CAN link over a pair of AF_UNIX packet sockets that carry the same 16-byte frames.

Exercised: framing, error and remote frames, filters being asked for, loss, errors of the kernel made by
hand. NOT exercised, because neither CI nor most build hosts have CAN in their kernel: socket(AF_CAN) and
bind (`open_raw` beyond its failure), whether the kernel takes the filters as `set_filter` writes them, and
real bus errors. hardware-in-loop is where those are seen.
"""

import asyncio
import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.socketcan import BURST_MAX, SocketCanLink, open_raw, pack, set_filter, unpack
from drivers.can.url import parse
from gateway.driver import CanFrame
from gateway.errors import LinkError
from tests.drivers.can_bench import as_dict, device, frame, frames, profile
from tests.sim.loop import run

FRAMES = st.one_of(
    st.builds(CanFrame, st.integers(0, 0x7FF), st.binary(max_size=8)),
    st.builds(CanFrame, st.integers(0, 0x1FFF_FFFF), st.binary(max_size=8), st.just(True)),
)


class Wire:
    """A link whose socket is one end of a pair; the test holds the other."""

    def __init__(self, clock):
        self.filters, self.opened = [], 0
        self.link = SocketCanLink(
            parse("can://can0"), clock, self.open, lambda _, ids: self.filters.append(ids)
        )

    def open(self, interface):
        assert interface == "can0"
        self.opened += 1
        ours, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer.setblocking(False)
        return ours


def on_wire(main):
    async def with_wire(clock):
        wire = Wire(clock)
        try:
            await main(wire, clock)
        finally:
            await wire.link.close()
            if wire.opened:
                wire.peer.close()

    run(with_wire)


def test_the_layout_is_the_kernels():
    assert pack(CanFrame(0x351, b"\x01\x02")).hex() == "51030000" + "02000000" + "0102000000000000"
    assert pack(CanFrame(0x4210, bytes(8), True))[:4].hex() == "10420080"


@given(FRAMES)
def test_round_trip(one):
    assert unpack(pack(one)) == one


@given(st.binary(max_size=40))
def test_any_bytes_give_a_frame_or_nothing(data):
    one = unpack(data)
    if one is not None:
        assert len(data) == 16 and len(one.data) <= 8
        assert one.id <= (0x1FFF_FFFF if one.extended else 0x7FF)
        assert pack(one)[:5] == data[:5]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("=IB3x8s", 0x355 | 0x4000_0000, 8, b""),  # remote request
        struct.pack("=IB3x8s", 0x040 | 0x2000_0000, 8, b""),  # bus off
        struct.pack("=IB3x8s", 0x4210 | 0xC000_0000, 8, b""),  # the same with 29 bits
        struct.pack("=IB3x8s", 0x040 | 0xA000_0000, 8, b""),
        struct.pack("=IB3x8s", 0x355, 9, b""),
        struct.pack("=IB3x8s", 0x800, 8, b""),  # a standard id has 11 bits
        bytes(72),  # CAN FD
        bytes(15),
    ],
)
def test_what_is_no_data_frame_is_nothing(data):
    assert unpack(data) is None


def test_frames_in_and_out():
    async def main(wire, clock):
        ear = wire.link.listen(frozenset({0x355}))
        assert wire.opened == 0  # not before it is used
        await ear.open()
        wire.peer.send(pack(frame(0x356, "00")))
        wire.peer.send(pack(frame(0x355, "4300")))
        assert await anext(ear) == frame(0x355, "4300")
        await wire.link.send(CanFrame(0x305, bytes(8)))
        assert unpack(wire.peer.recv(64)) == CanFrame(0x305, bytes(8))
        assert (wire.link.counters.received, wire.link.counters.sent) == (2, 1)

    on_wire(main)


def test_the_kernel_is_asked_for_all_that_is_listened_to():
    async def main(wire, clock):
        await wire.link.listen(frozenset({1, 2})).open()
        wire.link.listen(frozenset({3}))
        assert wire.filters == [{1, 2}, {1, 2, 3}]
        assert wire.opened == 1

    on_wire(main)


def test_filters_as_the_kernel_wants_them():
    class Recorder:
        calls = []  # noqa: RUF012

        def setsockopt(self, *args):
            self.calls.append(args)

    set_filter(Recorder(), frozenset({0x356, 0x351}))
    (level, option, filters), (_, errors, mask) = Recorder.calls
    assert (level, option, errors, mask) == (socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, 2, 0x140)
    assert filters == struct.pack("=IIII", 0x351, 0x5FFF_FFFF, 0x356, 0x5FFF_FFFF)
    set_filter(Recorder(), frozenset())
    assert Recorder.calls[2][2] == struct.pack("=II", 0, 0x4000_0000)  # everything but remote frames


def test_errors_and_misshapen_frames_are_counted():
    async def main(wire, clock):
        ear = wire.link.listen(frozenset({0x355}))
        await ear.open()
        wire.peer.send(struct.pack("=IB3x8s", 0x040 | 0x2000_0000, 8, b""))
        wire.peer.send(struct.pack("=IB3x8s", 0x355 | 0x4000_0000, 0, b""))
        wire.peer.send(b"short")
        wire.peer.send(pack(frame(0x355, "01")))
        assert await anext(ear) == frame(0x355, "01")
        counters = wire.link.counters
        assert (counters.errors, counters.malformed, counters.received) == (1, 2, 1)

    on_wire(main)


def test_a_burst_is_taken_whole_in_turns():
    async def main(wire, clock):
        ear = wire.link.listen(frozenset({0x355}))
        await ear.open()
        for i in range(BURST_MAX + 10):
            wire.peer.send(pack(CanFrame(0x355, bytes([i]))))
        assert [(await anext(ear)).data[0] for _ in range(BURST_MAX + 10)] == list(range(BURST_MAX + 10))

    on_wire(main)


def test_a_lost_interface_ends_all_and_is_opened_again():
    async def main(wire, clock):
        ears = [wire.link.listen(frozenset({0x355})) for _ in range(2)]
        await ears[0].open()
        asyncio.get_running_loop().call_later(1, wire.peer.close)
        for ear in ears:
            with pytest.raises(LinkError, match=r"can0: the interface is down: `ip link set can0 up"):
                await anext(ear)
        again = wire.link.listen(frozenset({0x355}))
        await again.open()
        wire.peer.send(pack(frame(0x355, "01")))
        assert await anext(again) == frame(0x355, "01")
        assert wire.opened == 2 and wire.link.counters.lost == 1

    on_wire(main)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EAFNOSUPPORT, "this kernel has no CAN (AF_CAN): load can_raw, or use an slcan:// adapter"),
        (errno.ENODEV, "there is no such interface"),
        (errno.ENETDOWN, "the interface is down: `ip link set can0 up type can bitrate 500000`"),
        (errno.EPERM, "not permitted"),
        (errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_opening_says_what_is_wrong(code, says):
    def fails(interface):
        raise OSError(code, "Cannot allocate memory")

    async def main(clock):
        link = SocketCanLink(parse("can://can0"), clock, fails)
        with pytest.raises(LinkError) as error:
            await anext(link.listen(frozenset({1})))
        assert says in str(error.value) and str(error.value).startswith("can://can0: ")

    run(main)


def test_the_real_socket_fails_with_an_os_error_where_there_is_no_such_interface():
    with pytest.raises(OSError) as error:  # with or without CAN in the kernel
        open_raw("gs_no_such_if")
    assert error.value.errno in (errno.ENODEV, errno.EAFNOSUPPORT, errno.EPERM)


def test_filters_that_are_refused_are_a_link_error():
    def refuse(raw, ids):
        raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    async def main(clock):
        wire = Wire(clock)
        link = SocketCanLink(parse("can://can0"), clock, wire.open, refuse)
        with pytest.raises(LinkError, match="Protocol not available"):
            await anext(link.listen(frozenset({1})))
        wire.peer.close()

    run(main)


def test_nobody_acknowledging_is_a_link_error_that_keeps_the_listeners():
    class Full(socket.socket):
        def send(self, data):
            raise OSError(errno.ENOBUFS, "No buffer space available")

    async def main(clock):
        ours, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        full = Full(fileno=ours.detach())
        link = SocketCanLink(parse("can://can0"), clock, lambda _: full, lambda *_: None)
        ear = link.listen(frozenset({0x355}))
        with pytest.raises(LinkError, match="nobody on the bus acknowledges"):
            await link.send(CanFrame(0x305, bytes(8)))
        peer.send(pack(frame(0x355, "01")))
        assert await anext(ear) == frame(0x355, "01")
        await link.close()
        peer.close()

    run(main)


def test_a_send_on_a_lost_interface_ends_all():
    async def main(wire, clock):
        ear = wire.link.listen(frozenset({0x355}))
        await ear.open()
        wire.peer.close()
        with pytest.raises(LinkError):
            await wire.link.send(CanFrame(0x305, bytes(8)))
        with pytest.raises(LinkError):
            await anext(ear)

    on_wire(main)


def test_closed_is_closed():
    async def main(wire, clock):
        await wire.link.close()  # before it was ever open
        await wire.link.close()
        with pytest.raises(LinkError, match="the link is closed"):
            await wire.link.send(CanFrame(0x305, bytes(8)))
        assert wire.opened == 0

    on_wire(main)


def test_a_battery_over_the_whole_path():
    from drivers.can import PLUGIN

    async def main(wire, clock):
        driver = PLUGIN.driver(device("can://can0"), profile().table(), wire.link, clock)
        async with asyncio.TaskGroup() as group:

            async def battery():
                while True:
                    await asyncio.sleep(1)
                    for one in frames("BYD"):
                        wire.peer.send(pack(one))

            task = group.create_task(battery())
            assert (await driver.connect())["model"] == "PREMIUM"
            sample = await driver.read()
            now = as_dict(sample.points, sample.values, sample.qualities)
            assert now["battery_soc_bp"] == (6700, "GOOD")
            assert unpack(wire.peer.recv(64)) == CanFrame(0x305, bytes(8))
            task.cancel()
        await driver.close()

    on_wire(main)
