"""FrameLink over a CAN interface of the Linux kernel (AF_CAN, raw).

Owns one non-blocking socket; the kernel filters for the ids listened to. It refuses remote, error and
misshapen frames (counted), and never sets up the interface: bit rate and up/down belong to the system.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from struct import Struct

from drivers.can.bus import Counters, Hub, Listener
from drivers.can.url import CanUrl
from gateway.clock import Clock
from gateway.driver import CanFrame
from gateway.errors import LinkError

FRAME = Struct("=IB3x8s")  # struct can_frame of linux/can.h: id with flags, length, data
FILTER = Struct("=II")  # struct can_filter: id, mask
EXTENDED, REMOTE, ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
ID_MASK, ID_MASK_EXTENDED = 0x7FF, 0x1FFF_FFFF
ERRORS_SHOWN = 0x0040 | 0x0100  # CAN_ERR_BUSOFF | CAN_ERR_RESTARTED: the ones that explain a silence
CAN_RAW_ERR_FILTER = 2  # linux/can/raw.h; the socket module of 3.11 has no name for it
BURST_MAX = 64  # frames a wake-up, so that a babbling bus leaves time for everything else
_BUSY = frozenset({errno.ENOBUFS, errno.EAGAIN})
_REASONS = {
    errno.EAFNOSUPPORT: "this kernel has no CAN (AF_CAN): load can_raw, or use an slcan:// adapter",
    errno.ENODEV: "there is no such interface: see `ip link show type can`",
    errno.ENETDOWN: "the interface is down: `ip link set {0} up type can bitrate 500000`",
    errno.EPERM: "not permitted to open CAN sockets",
}


def open_raw(interface: str) -> socket.socket:
    """A bound raw CAN socket. OSError as the kernel says."""
    raw = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    try:
        raw.bind((interface,))
    except OSError:
        raw.close()
        raise
    return raw


def set_filter(raw: socket.socket, ids: frozenset[int]) -> None:
    """Let the kernel hand over data frames of these ids only (none named: all), and the errors that explain a
    silence."""
    filters = [FILTER.pack(i, ID_MASK_EXTENDED | REMOTE) for i in sorted(ids)] or [FILTER.pack(0, REMOTE)]
    raw.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, b"".join(filters))
    raw.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_ERR_FILTER, ERRORS_SHOWN)


def pack(frame: CanFrame) -> bytes:
    return FRAME.pack(frame.id | (EXTENDED if frame.extended else 0), len(frame.data), frame.data)


def unpack(data: bytes) -> CanFrame | None:
    """The data frame in a read of the socket; None for anything else."""
    if len(data) != FRAME.size:
        return None
    flags, length, payload = FRAME.unpack(data)
    extended = bool(flags & EXTENDED)
    if flags & (REMOTE | ERROR) or length > len(payload) or (not extended and flags > ID_MASK):
        return None
    return CanFrame(flags & ID_MASK_EXTENDED, payload[:length], extended)


class SocketCanLink:
    """A FrameLink (gateway.driver). The two functions that need the kernel's CAN are parameters."""

    def __init__(
        self,
        where: CanUrl,
        clock: Clock,
        opener: Callable[[str], socket.socket] = open_raw,
        filterer: Callable[[socket.socket, frozenset[int]], None] = set_filter,
    ) -> None:
        self.url = where.url
        self._interface = where.place
        self._opener, self._filterer = opener, filterer
        self._hub = Hub(clock)
        self._socket: socket.socket | None = None
        self._closed = False

    @property
    def counters(self) -> Counters:
        return self._hub.counters

    def listen(self, ids: frozenset[int]) -> Listener:
        listener = self._hub.listen(ids, self._open)
        if self._socket is not None:
            try:
                self._filterer(self._socket, self._hub.ids)
            except OSError as problem:
                raise self._lost(problem) from None
        return listener

    async def send(self, frame: CanFrame) -> None:
        await self._open()
        assert self._socket is not None
        try:
            self._socket.send(pack(frame))
        except OSError as problem:
            if problem.errno in _BUSY:
                raise LinkError(f"{self.url}: cannot send, nobody on the bus acknowledges") from None
            raise self._lost(problem) from None
        self._hub.counters.sent += 1

    async def close(self) -> None:
        self._closed = True
        if self._drop():
            self._hub.lose(f"{self.url}: the link is closed")

    async def _open(self) -> None:
        if self._socket is not None:
            return
        if self._closed:
            raise LinkError(f"{self.url}: the link is closed")
        try:
            opened = self._opener(self._interface)
        except OSError as problem:
            raise LinkError(self._explain(problem)) from None
        opened.setblocking(False)
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened, self._on_readable)
        try:
            self._filterer(opened, self._hub.ids)
        except OSError as problem:
            raise self._lost(problem) from None

    def _on_readable(self) -> None:
        for _ in range(BURST_MAX):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(FRAME.size + 1)
            except BlockingIOError:
                return
            except OSError as problem:
                self._lost(problem)
                return
            if not data:
                self._lost(OSError(errno.ENETDOWN, ""))
                return
            frame = unpack(data)
            if frame is not None:
                self._hub.deliver(frame)
            elif len(data) == FRAME.size and FRAME.unpack(data)[0] & ERROR:
                self._hub.counters.errors += 1
            else:
                self._hub.counters.malformed += 1

    def _lost(self, problem: OSError) -> LinkError:
        message = self._explain(problem)
        self._drop()
        self._hub.lose(message)
        return LinkError(message)

    def _drop(self) -> bool:
        raw, self._socket = self._socket, None
        if raw is None:
            return False
        asyncio.get_running_loop().remove_reader(raw)
        raw.close()
        return True

    def _explain(self, problem: OSError) -> str:
        known = _REASONS.get(problem.errno or 0, problem.strerror or str(problem))
        return f"{self.url}: {known.format(self._interface)}"
