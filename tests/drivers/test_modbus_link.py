"""Every reply that the library would let through, and every way a wire can fail, byte by byte."""

import asyncio
import struct
from collections.abc import Callable

import pytest

from drivers.modbus.link import QUIET_MS
from drivers.modbus.url import parse
from gateway.errors import DeviceRefused, FrameError, LinkError
from tests.drivers.modbus_bench import T, fails, honest_rtu, honest_tcp, link_to, read, words
from tests.drivers.modbus_wire import CLOSE, Script, mbap, pty_wire, registers, rtu, tcp_wire


@pytest.mark.parametrize("scheme", ["tcp", "rtutcp"])
async def test_reads_and_writes_over_a_socket(scheme: str) -> None:
    async with (
        tcp_wire(honest_tcp if scheme == "tcp" else honest_rtu, scheme=scheme) as wire,
        link_to(wire) as link,
    ):
        assert await read(link, 7, 3) == words(7, 8, 9)
        assert await link.read(1, "input", 65535, 1, timeout_s=T) == words(65535)
        assert len(await read(link, 0, 125)) == 250
        await link.write(1, 40, [1, 2], timeout_s=T)
        await link.write(1, 41, [9], timeout_s=T, single=True)
    pdu = [r[7:] if scheme == "tcp" else r[1:-2] for r in wire.requests]
    assert pdu[3] == bytes([16]) + struct.pack(">HHBHH", 40, 2, 4, 1, 2)
    assert pdu[4] == bytes([6]) + struct.pack(">HH", 41, 9)
    assert link.counters.requests == 5 and link.counters.connects == 1
    assert link.counters.timeouts == link.counters.frame_errors == link.counters.refusals == 0


async def test_reads_and_writes_over_a_pty() -> None:
    async with pty_wire(honest_rtu) as wire, link_to(wire) as link:
        assert await read(link, 7, 3) == words(7, 8, 9)
        await link.write(1, 40, [1, 2], timeout_s=T)
        await link.write(1, 41, [9], timeout_s=T, single=True)
        assert len(await read(link, 0, 125)) == 250
    assert [r[1] for r in wire.requests] == [3, 16, 6, 3]


# name, reply PDU to "read 4 holding registers at 200 of unit 1"; all are FrameErrors
WRONG_READS = [
    ("fewer registers", registers(3, 9)),
    ("more registers", registers(3, 1, 2, 3, 4, 5)),
    ("no registers", registers(3)),
    ("another function", registers(4, 1, 2, 3, 4)),
    ("a write's echo", bytes([6, 0, 200, 0, 4])),
    ("exception of another function", bytes([0x84, 2])),
]


@pytest.mark.parametrize(("name", "pdu"), WRONG_READS, ids=[w[0] for w in WRONG_READS])
@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_reply_that_does_not_match_is_a_frame_error(scheme: str, name: str, pdu: bytes) -> None:
    async with _wire(scheme, pdu) as wire, link_to(wire) as link:
        with pytest.raises(FrameError):
            await read(link, 200, 4)
        assert link.counters.frame_errors == 1 and link.counters.timeouts == 0


WRONG_ECHOES = [
    ("address", True, struct.pack(">BHH", 6, 11, 5)),
    ("value", True, struct.pack(">BHH", 6, 10, 6)),
    ("address", False, struct.pack(">BHH", 16, 11, 2)),
    ("quantity", False, struct.pack(">BHH", 16, 10, 1)),
    ("function", True, struct.pack(">BHH", 16, 10, 5)),
    ("function", False, struct.pack(">BHH", 6, 10, 2)),
    ("exception of a read", False, bytes([0x83, 2])),
]


@pytest.mark.parametrize(
    ("name", "single", "pdu"), WRONG_ECHOES, ids=[f"FC{6 if e[1] else 16} {e[0]}" for e in WRONG_ECHOES]
)
@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_wrong_write_echo_is_a_frame_error(scheme: str, name: str, single: bool, pdu: bytes) -> None:
    async with _wire(scheme, pdu) as wire, link_to(wire) as link:
        with pytest.raises(FrameError):
            await link.write(1, 10, [5] if single else [5, 6], timeout_s=T, single=single)


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_bits_are_read_and_a_coil_written(scheme: str) -> None:
    script = honest_tcp if scheme == "tcp" else honest_rtu
    async with (tcp_wire if scheme == "tcp" else pty_wire)(script) as wire, link_to(wire) as link:
        assert await link.read_bits(1, "coils", 7, 10, timeout_s=T) == (True, False) * 5
        assert await link.read_bits(1, "discrete", 8, 1, timeout_s=T) == (False,)
        await link.write_coil(1, 3, True, timeout_s=T)
        await link.write_coil(1, 3, False, timeout_s=T)
    pdu = [r[7:] if scheme == "tcp" else r[1:-2] for r in wire.requests]
    assert pdu == [
        bytes.fromhex("010007000a"),
        bytes.fromhex("0200080001"),
        bytes.fromhex("050003ff00"),
        bytes.fromhex("0500030000"),
    ]


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(bytes([1, 1, 0]), id="fewer bits"),
        pytest.param(bytes([1, 3, 0, 0, 0]), id="more bits"),
        pytest.param(bytes([2, 2, 0, 0]), id="another function"),
        pytest.param(bytes([5, 0, 0, 0, 0]), id="a write's echo"),
        pytest.param(bytes([0x82, 2]), id="exception of another function"),
    ],
)
async def test_bits_that_do_not_match_are_a_frame_error(scheme: str, pdu: bytes) -> None:
    async with _wire(scheme, pdu) as wire, link_to(wire) as link:
        with pytest.raises(FrameError):
            await link.read_bits(1, "coils", 0, 16, timeout_s=T)
        assert link.counters.frame_errors == 1


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
@pytest.mark.parametrize("pdu", [b"\x05\0\x03\0\0", b"\x05\0\x04\xff\0", b"\x06\0\x03\xff\0"])
async def test_a_coil_with_a_wrong_echo_is_a_frame_error(scheme: str, pdu: bytes) -> None:
    async with _wire(scheme, pdu) as wire, link_to(wire) as link:
        with pytest.raises(FrameError):
            await link.write_coil(1, 3, True, timeout_s=T)


def _wire(scheme: str, pdu: bytes):
    if scheme == "tcp":
        return tcp_wire(lambda request: [mbap(request, pdu)])
    return pty_wire(lambda request: [rtu(request[0], pdu)])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(lambda r: mbap(r, registers(3, 5), unit=2), id="wrong unit"),
        pytest.param(lambda r: mbap(r, registers(3, 5), tid=999), id="wrong transaction"),
        pytest.param(lambda r: mbap(r, registers(3, 5), tid=0), id="transaction zero"),
        pytest.param(lambda r: mbap(r, b"\x03\x04\x00\x05"), id="byte count too large"),
        pytest.param(lambda r: mbap(r, b"\x03"), id="no byte count"),
        pytest.param(lambda r: mbap(r, b"\x2b\x0e\x01"), id="unasked function"),
        pytest.param(lambda r: mbap(r, b"\x00"), id="function zero"),
        pytest.param(lambda r: r[:2] + b"\0\1" + mbap(r, registers(3, 5))[4:], id="protocol id"),
        pytest.param(lambda r: mbap(r, registers(3, 5))[:-1], id="one byte missing"),
        pytest.param(lambda r: b"\xff" * 200, id="garbage"),
        pytest.param(lambda r: b"\x00", id="one byte"),
    ],
)
async def test_tcp_frames_that_are_not_believed(frame: Callable[[bytes], bytes]) -> None:
    bad = [False, True, False]

    def script(request: bytes) -> list:
        return [frame(request)] if bad.pop(0) else honest_tcp(request)

    async with tcp_wire(script) as wire, link_to(wire) as link:
        await read(link)
        with pytest.raises(FrameError):
            await read(link)
        assert link.counters.frame_errors == 1
        assert await read(link) == words(200)


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_flood_longer_than_any_frame_is_dropped(scheme: str) -> None:
    flood = [False, True, False]  # the library discards these bytes before anybody sees them
    honest = honest_tcp if scheme == "tcp" else honest_rtu

    def script(request: bytes) -> list:
        return [bytes(range(256)) * 2] if flood.pop(0) else honest(request)

    async with (tcp_wire if scheme == "tcp" else pty_wire)(script) as wire, link_to(wire) as link:
        await read(link)
        with pytest.raises(LinkError):
            await read(link)
        assert await read(link) == words(200)


async def test_an_empty_exception_ends_the_connection_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    replies = [None, b"\x83", None]

    def script(request: bytes) -> list:
        pdu = replies.pop(0)
        return [mbap(request, pdu)] if pdu else honest_tcp(request)

    async with tcp_wire(script) as wire, link_to(wire) as link:
        await read(link)
        with pytest.raises(LinkError):
            await read(link)
        assert await read(link) == words(200)
        assert wire.connections == 2


async def test_a_stale_transaction_before_the_right_one_is_skipped() -> None:
    def script(request: bytes) -> list:
        return [mbap(request, registers(3, 1), tid=9999) + mbap(request, registers(3, 5))]

    async with tcp_wire(script) as wire, link_to(wire) as link:
        assert await read(link) == words(5)


async def test_a_cancelled_tcp_request_does_not_answer_the_next() -> None:
    delays = [0.1, 0.0]

    async with tcp_wire(lambda r: [delays.pop(0), *honest_tcp(r)]) as wire, link_to(wire) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await read(link, 100)
        assert await read(link, 200, timeout_s=1) == words(200)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 8, 99])
async def test_an_exception_is_a_refusal(code: int) -> None:
    async with _wire("tcp", bytes([0x83, code])) as wire, link_to(wire) as link:
        with pytest.raises(DeviceRefused) as refused:
            await read(link)
        assert refused.value.code == code
        assert link.counters.refusals == 1


@pytest.mark.parametrize("code", [5, 6, 10, 11])
async def test_busy_means_later(code: int) -> None:
    async with _wire("tcp", bytes([0x83, code])) as wire, link_to(wire) as link:
        with pytest.raises(LinkError) as later:
            await read(link)
        assert not isinstance(later.value, DeviceRefused | FrameError)


async def test_a_unit_that_its_gateway_cannot_reach_is_penalised() -> None:
    async with _wire("tcp", bytes([0x83, 11])) as wire, link_to(wire) as link:
        for _ in range(3):
            with pytest.raises(LinkError):
                await read(link)
        assert len(wire.requests) == 2 and link.counters.skipped == 1


@pytest.mark.parametrize("late", [QUIET_MS / 1000 - 0.05, 0.01])
async def test_a_late_rtu_answer_is_never_taken_for_the_next(late: float) -> None:
    delays = [T + late, 0.0]

    async with pty_wire(lambda r: [delays.pop(0), *honest_rtu(r)]) as wire, link_to(wire) as link:
        with pytest.raises(LinkError):
            await read(link, 100)
        assert await read(link, 200, timeout_s=1) == words(200)
        assert link.counters.timeouts == 1


async def test_a_cancelled_rtu_request_does_not_answer_the_next() -> None:
    delays = [0.1, 0.0]

    async with pty_wire(lambda r: [delays.pop(0), *honest_rtu(r)]) as wire, link_to(wire) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await read(link, 100)
        assert await read(link, 200, timeout_s=1) == words(200)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_what_a_network_delayed_is_never_taken_for_the_next(cancelled: bool) -> None:
    """Behind a serial server TCP may deliver an answer seconds late: no quiet time is long enough, and one of
    the same unit and length would be believed. It comes to a connection that is no more."""
    delays = [0.0, 0.8, 0.4, 0.0]

    async with (
        tcp_wire(lambda r: [delays.pop(0), *honest_rtu(r)], scheme="rtutcp") as wire,
        link_to(wire) as link,
    ):
        assert await read(link, 7, timeout_s=1) == words(7)
        with pytest.raises(TimeoutError if cancelled else LinkError):
            async with asyncio.timeout(0.3 if cancelled else 30):
                await read(link, 100, timeout_s=0.5 if cancelled else 0.3)
        assert await read(link, 200, timeout_s=1) == words(200)
        assert await read(link, 300, timeout_s=1) == words(300)
        assert wire.connections == 2


async def test_a_late_rtu_unit_is_left_alone_while_others_are_asked() -> None:
    def script(request: bytes) -> list:
        return [] if request[0] == 1 else honest_rtu(request)

    async with pty_wire(script) as wire, link_to(wire) as link:
        with pytest.raises(LinkError):
            await read(link, unit=1, timeout_s=0.6)

        async def again() -> None:
            with pytest.raises(LinkError):
                await read(link, unit=1, timeout_s=0.05)

        async with asyncio.TaskGroup() as group:
            group.create_task(again())
            assert await read(link, 5, unit=2) == words(5)
    assert [r[0] for r in wire.requests] == [1, 2, 1]
    assert wire.at_s[2] - wire.at_s[0] > 1.1  # its time-out, and as long again


async def test_what_lies_in_the_buffer_is_dropped_before_a_request() -> None:
    async with pty_wire(lambda r: [0.02, *honest_rtu(r)]) as wire, link_to(wire) as link:
        assert await read(link, 7) == words(7)
        await asyncio.sleep(0.05)
        wire.send(rtu(1, registers(3, 100)))  # a whole, valid, unasked reply, still unread
        assert await read(link, 200) == words(200)


async def test_what_a_serial_server_sends_unasked_on_connecting_is_dropped() -> None:
    stale = rtu(1, registers(3, 100))
    async with tcp_wire(honest_rtu, scheme="rtutcp", greeting=stale) as wire, link_to(wire) as link:
        assert await read(link, 200) == words(200)


async def test_rtu_byte_by_byte() -> None:
    def script(request: bytes) -> list:
        return [x for b in honest_rtu(request)[0] for x in (bytes([b]), 0.002)]

    async with pty_wire(script) as wire, link_to(wire) as link:
        assert await read(link, 3, 2, timeout_s=1) == words(3, 4)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]), id="bad CRC"),
        pytest.param(lambda frame: b"\x01\x03\x77" + frame, id="noise before"),
        pytest.param(lambda frame: frame[:4], id="cut off"),
        pytest.param(lambda frame: rtu(2, frame[1:-2]), id="another unit"),
        pytest.param(lambda frame: bytes(200), id="a babbling line"),
    ],
)
async def test_rtu_noise_fails_once_and_does_not_stay(spoil: Callable[[bytes], bytes]) -> None:
    bad = [True, False]

    def script(request: bytes) -> list:
        frame = honest_rtu(request)[0]
        return [spoil(frame) if bad.pop(0) else frame]

    async with pty_wire(script) as wire, link_to(wire) as link:
        with pytest.raises(FrameError):
            await read(link)
        assert await read(link) == words(200)


async def test_a_peer_that_closes_mid_request_fails_it_at_once() -> None:
    script: Script = lambda r: [CLOSE] if r[8:10] == b"\0\1" else honest_tcp(r)  # noqa: E731
    async with tcp_wire(script) as wire, link_to(wire) as link:
        await read(link, 5)
        async with asyncio.timeout(5):  # far below the request's own time-out
            with pytest.raises(LinkError, match="lost"):
                await read(link, 1, timeout_s=30)
        assert await read(link, 5) == words(5)
        assert wire.connections == 2


async def test_a_first_connect_that_fails_backs_off_and_comes_back() -> None:
    async with tcp_wire(honest_tcp) as wire:
        pass  # its port is now free
    async with link_to(wire, lambda: 0.0) as link:
        with pytest.raises(LinkError, match="cannot connect"):
            await read(link)
        with pytest.raises(LinkError, match="next attempt in"):
            await read(link)
        port = parse(wire.url).port

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(honest_tcp(await reader.readexactly(12))[0])
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        async with server:
            await asyncio.sleep(0.3)
            assert await read(link) == words(200)
            await link.close()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("after_s", [0.02, 0.15])  # before and after the request is on the wire
async def test_a_tty_that_vanishes_fails_at_once(after_s: float) -> None:
    async with pty_wire(lambda r: []) as wire, link_to(wire) as link:
        async with asyncio.TaskGroup() as group:
            failed = group.create_task(fails(link))
            await asyncio.sleep(after_s)
            wire.hang_up()
        assert "lost" in failed.result()
