"""One Modbus connection: framing, the deadline, what a lost peer does to a request, and bytes that came."""

import asyncio
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.client import AsyncModbusTcpClient

from drivers.modbus.exchange import ask_read, ask_write
from drivers.modbus.session import NoAnswer, NoFrame, Session
from drivers.modbus.url import parse
from drivers.serialport import SerialPort
from gateway.errors import DeviceRefused, FrameError, LinkError
from tests.drivers.modbus_bench import T, honest_rtu, honest_tcp, words
from tests.drivers.modbus_wire import CLOSE, Wire, mbap, pty_wire, registers, rtu, tcp_wire

READ = ask_read(1, "holding", 200, 2)
LONG = 30.0  # s: a request that ends sooner did not wait for its time-out
SOON = 5.0


@asynccontextmanager
async def session_to(wire: Wire) -> AsyncIterator[Session]:
    session = await Session.open(parse(wire.url))
    try:
        yield session
    finally:
        await session.close()


def wired(scheme: str, script, query: str = ""):
    return pty_wire(script, query=query) if scheme == "rtu" else tcp_wire(script, scheme=scheme, query=query)


def honest(scheme: str):
    return honest_tcp if scheme == "tcp" else honest_rtu


SCHEMES = pytest.mark.parametrize("scheme", ["tcp", "rtutcp", "rtu"])


@SCHEMES
async def test_each_function_in_the_framing_of_its_scheme(scheme: str) -> None:
    asks = [
        READ,
        ask_read(1, "input", 7, 1),
        ask_write(1, 40, [5], single=True),
        ask_write(1, 40, [5, 6], single=False),
    ]
    async with wired(scheme, honest(scheme)) as wire, session_to(wire) as session:
        answers = [await session.request(asked, T) for asked in asks]
    assert answers == [words(200, 201), words(7), b"", b""]
    pdus = [
        struct.pack(">BHH", 3, 200, 2),
        struct.pack(">BHH", 4, 7, 1),
        struct.pack(">BHH", 6, 40, 5),
        struct.pack(">BHHBHH", 16, 40, 2, 4, 5, 6),
    ]
    if scheme == "tcp":
        ids = [request[:2] for request in wire.requests]
        assert wire.requests == [
            i + struct.pack(">HHB", 0, len(p) + 1, 1) + p for i, p in zip(ids, pdus, strict=True)
        ]
        assert len(set(ids)) == 4, "each request has a transaction of its own"
    else:
        assert wire.requests == [rtu(1, pdu) for pdu in pdus]


@SCHEMES
async def test_silence_is_no_answer_and_the_connection_stays(scheme: str) -> None:
    silent = [True, False]

    def script(request: bytes) -> list:
        return [] if silent.pop(0) else honest(scheme)(request)

    async with wired(scheme, script) as wire, session_to(wire) as session:
        with pytest.raises(
            NoAnswer, match=r"no answer to unit 1 read 2 at 200 \(function 3\) within 0\.05 s"
        ):
            await session.request(READ, 0.05)
        assert session.chunks_seen == 0 and not session.lost
        assert await session.request(READ, T) == words(200, 201)
    assert len(wire.requests) == 2, "nothing is sent twice"


@SCHEMES
async def test_bytes_that_make_no_frame_are_told_from_silence(scheme: str) -> None:
    def script(request: bytes) -> list:
        return [honest(scheme)(request)[0][:-1]]

    async with wired(scheme, script) as wire, session_to(wire) as session:
        with pytest.raises(NoFrame, match="no valid reply to unit 1 read 2 at 200"):
            await session.request(READ, T)
        assert session.chunks_seen > 0 and not session.lost


async def test_a_refusal_and_a_wrong_reply_are_told_from_silence() -> None:
    pdus = [bytes([0x83, 2]), registers(3, 1)]
    async with tcp_wire(lambda r: [mbap(r, pdus.pop(0))]) as wire, session_to(wire) as session:
        with pytest.raises(DeviceRefused) as refused:
            await session.request(READ, T)
        assert refused.value.code == 2
        with pytest.raises(FrameError, match="reply of 2 bytes, expected 4"):
            await session.request(READ, T)
        assert not session.lost


@SCHEMES
async def test_a_reply_in_pieces_is_one_reply(scheme: str) -> None:
    def script(request: bytes) -> list:
        frame = honest(scheme)(request)[0]
        return [piece for n in range(len(frame)) for piece in (frame[n : n + 1], 0.002)]

    async with wired(scheme, script) as wire, session_to(wire) as session:
        assert await session.request(READ, 2.0) == words(200, 201)
        assert session.chunks_seen > 1


@pytest.mark.parametrize("scheme", ["tcp", "rtutcp"])
async def test_a_peer_that_closes_fails_the_request_at_once(scheme: str) -> None:
    async with wired(scheme, lambda r: [CLOSE]) as wire, session_to(wire) as session:
        async with asyncio.timeout(SOON):
            with pytest.raises(LinkError, match="connection lost during unit 1 read 2 at 200"):
                await session.request(READ, LONG)
        assert session.lost


async def test_an_adapter_that_is_pulled_out_fails_the_request_at_once() -> None:
    async with pty_wire(lambda r: []) as wire, session_to(wire) as session:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_failure(session))
            while not wire.requests:
                await asyncio.sleep(0.01)
            wire.hang_up()
        assert "connection lost" in asking.result() and session.lost


async def test_a_lost_session_is_never_used_again() -> None:
    async with tcp_wire(lambda r: [CLOSE]) as wire, session_to(wire) as session:
        await _failure(session)
        for _ in range(2):
            with pytest.raises(LinkError, match="connection lost before unit 1 read 2"):
                await session.request(READ, LONG)
        assert len(wire.requests) == wire.connections == 1


@SCHEMES
async def test_closing_fails_what_is_being_asked_and_may_be_repeated(scheme: str) -> None:
    async with wired(scheme, lambda r: []) as wire, session_to(wire) as session:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_failure(session))
            while not wire.requests:
                await asyncio.sleep(0.01)
            await session.close()
        assert "connection lost during" in asking.result()
        await session.close()
        assert session.lost


async def _failure(session: Session) -> str:
    async with asyncio.timeout(SOON):
        with pytest.raises(LinkError) as problem:
            await session.request(READ, LONG)
    return str(problem.value)


@SCHEMES
async def test_a_caller_that_gives_up_leaves_a_session_that_works(scheme: str) -> None:
    async with wired(scheme, lambda r: [0.05, *honest(scheme)(r)]) as wire, session_to(wire) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await session.request(READ, LONG)
        await asyncio.sleep(0.1)  # its answer comes, and nobody wants it
        other = ask_read(1, "holding", 9, 1)
        assert await session.request(other, 1.0) == words(9)
        assert not session.lost


class Cancelling(Session):
    """Has the task that asks cancelled just as its answer, or its connection, has come."""

    at = "answer"
    task: asyncio.Task[None] | None = None

    def _on_pdu(self, sending: bool, pdu):
        if not sending and self.at == "answer" and self.task:
            self.task.cancel()
        return super()._on_pdu(sending, pdu)

    def _on_connect(self, connected: bool) -> None:
        if connected and self.at == "connection" and self.task:
            self.task.cancel()
        super()._on_connect(connected)


@SCHEMES
async def test_a_cancellation_that_comes_with_the_answer_is_obeyed(scheme: str) -> None:
    """Python 3.11's wait_for, in the library, forgets it: the task would go on, and no shutdown would end."""
    async with wired(scheme, honest(scheme)) as wire:
        session = await Cancelling.open(parse(wire.url))
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            task = session.task = group.create_task(_ask_on(session))
        assert task.cancelled() and len(wire.requests) == 1
        session.task = None
        assert await session.request(READ, 1.0) == words(200, 201)
        await session.close()


async def _ask_on(session: Session) -> None:
    while True:
        await session.request(READ, LONG)
        session.task = None  # type: ignore[attr-defined]  # once is enough


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_cancellation_that_comes_with_the_connection_is_obeyed(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on = False

    async def connect() -> None:
        nonlocal went_on
        await Cancelling.open(parse(wire.url))
        await asyncio.sleep(0.5)  # from Python 3.12 on the library says it after a tty is open, not before
        went_on = True

    async with wired(scheme, honest(scheme)) as wire:
        monkeypatch.setattr(Cancelling, "at", "connection")
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            task = group.create_task(connect())
            monkeypatch.setattr(Cancelling, "task", task)
        assert task.cancelled() and not went_on


@pytest.mark.parametrize("scheme", ["tcp", "rtutcp"])
async def test_unasked_bytes_are_counted_and_answer_nothing(scheme: str) -> None:
    greeting = rtu(1, registers(3, 8, 8)) if scheme == "rtutcp" else b"\0\1\0\0\0\7\1" + registers(3, 8, 8)
    async with (
        tcp_wire(lambda r: [], scheme=scheme, greeting=greeting) as wire,
        session_to(wire) as session,
    ):
        while not session.chunks_seen:
            await asyncio.sleep(0.01)
        with pytest.raises(NoAnswer):  # what came before the request is no part of an answer
            await session.request(READ, 0.05)


async def test_an_rs485_adapter_with_local_echo() -> None:
    def script(request: bytes) -> list:
        return [request, 0.01, *honest_rtu(request)]

    async with pty_wire(script, query="?echo=1") as wire, session_to(wire) as session:
        assert await session.request(ask_read(1, "holding", 5, 2), T) == words(5, 6)
        assert await session.request(ask_write(1, 5, [7], single=True), T) == b""


async def test_a_serial_port_that_is_not_there_is_named() -> None:
    with pytest.raises(LinkError, match=r"no-such-tty: cannot open: .*; is the adapter plugged in"):
        await Session.open(parse("rtu:///dev/no-such-tty"))


async def test_a_serial_port_that_another_link_has_is_said_to_be_taken(tmp_path) -> None:
    """By another of its names, in another protocol: no configuration shows that before it is plugged in."""
    async with pty_wire(honest_rtu) as wire:
        path, alias = wire.url.removeprefix("rtu://"), tmp_path / "by-id"
        alias.symlink_to(path)
        port = SerialPort.open("serial:", path, lambda _: None, lambda _: None, baud=9600)
        try:
            with pytest.raises(LinkError, match=r"by-id: cannot open: another link of this site, or another"):
                await Session.open(parse(f"rtu://{alias}"))
        finally:
            port.close()
        session = await Session.open(parse(f"rtu://{alias}"))
        try:
            with pytest.raises(
                LinkError, match=r"serial:: cannot open: another link of this site, or another"
            ):
                SerialPort.open("serial:", path, lambda _: None, lambda _: None, baud=9600)
        finally:
            await session.close()


async def test_a_serial_port_that_is_no_tty(tmp_path) -> None:
    (tmp_path / "tty").write_bytes(b"")
    with pytest.raises(LinkError, match="cannot connect; is the device on"):
        await Session.open(parse(f"rtu://{tmp_path}/tty"))


async def test_a_port_where_nobody_listens() -> None:
    async with tcp_wire(honest_tcp) as wire:
        pass  # its port is now free
    with pytest.raises(LinkError, match="cannot connect; is the device on and the address right"):
        await Session.open(parse(wire.url))


async def test_a_host_that_does_not_answer_at_all_is_given_up_and_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []

    async def for_ever(_: AsyncModbusTcpClient) -> bool:
        await asyncio.sleep(LONG)
        return True

    def close(client: AsyncModbusTcpClient) -> None:
        closed.append(client)

    monkeypatch.setattr(AsyncModbusTcpClient, "connect", for_ever)
    monkeypatch.setattr(AsyncModbusTcpClient, "close", close)
    async with asyncio.timeout(SOON):
        with pytest.raises(LinkError, match="cannot connect"):
            await Session.open(parse("tcp://192.0.2.1"), timeout_s=0.05)
    assert len(closed) == 1


async def test_an_adapter_that_cannot_be_set_so_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(_: object) -> bool:
        raise termios.error(22, "Invalid argument")  # what pyserial lets through: it is no OSError

    monkeypatch.setattr("pymodbus.client.AsyncModbusSerialClient.connect", connect)
    with pytest.raises(LinkError, match="cannot connect"):
        await Session.open(parse("rtu:///dev/null?parity=E"))
