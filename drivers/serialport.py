"""A serial port for asyncio: opened exclusively, read as bytes come, written with a deadline.

Owns one tty from opening to loss or close; a lost one is never used again. Whoever opens it is told by
`on_bytes` what arrives and by `on_lost`, once, that it is gone and why. It refuses to share the port with
another process and to wait for an adapter that takes nothing more.
"""

import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import Callable
from contextlib import suppress

import serial

from gateway.errors import LinkError

READ_MAX = 4096  # bytes a wake-up: the tty's own buffer
TAKEN = "another link of this site, or another program, has it"
ADVICE = {
    errno.ENOENT: "is the adapter plugged in?",
    errno.EACCES: "the user must be in the group that owns it (dialout)",
    errno.EPERM: "the service's unit allows no device of this kind: DeviceAllow= in gridseal.service",
    errno.EAGAIN: TAKEN,
    errno.EBUSY: TAKEN,
}


class SerialPort:
    """`url` is what the messages begin with. Made by `open`, inside a running loop."""

    def __init__(
        self,
        url: str,
        port: serial.Serial,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._url, self._on_bytes, self._on_lost = url, on_bytes, on_lost
        self._port: serial.Serial | None = port
        self._wanting: asyncio.Future[None] | None = None  # room for more bytes
        asyncio.get_running_loop().add_reader(port.fileno(), self._on_readable)

    @classmethod
    def open(
        cls,
        url: str,
        path: str,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[str], None],
        *,
        baud: int,
        parity: str = "N",
        stop: int = 1,
    ) -> "SerialPort":
        try:
            port = serial.Serial(path, baud, parity=parity, stopbits=stop, timeout=0, exclusive=True)
        except (OSError, ValueError) as problem:
            raise LinkError(f"{url}: cannot open: {unopened(problem)}") from None
        return cls(url, port, on_bytes, on_lost)

    def fileno(self) -> int:
        assert self._port is not None
        return int(self._port.fileno())

    async def write(self, data: bytes, timeout_s: float) -> None:
        """All of `data`, or the port is lost: with half of it out, only a fresh start is sure."""
        try:
            async with asyncio.timeout(timeout_s):
                while data:
                    if self._port is None:
                        raise LinkError(f"{self._url}: the adapter went away")
                    try:
                        data = data[os.write(self._port.fileno(), data) :]
                    except BlockingIOError:
                        await self._writable(self._port.fileno())
        except TimeoutError:
            message = f"{self._url}: the adapter takes no more bytes"
            self._lose(message)
            raise LinkError(message) from None
        except OSError as problem:
            message = f"{self._url}: {_reason(problem)}"
            self._lose(message)
            raise LinkError(message) from None

    def write_now(self, data: bytes) -> None:
        """A last word, as far as there is room; the adapter may be gone."""
        if self._port is not None:
            with suppress(OSError):
                os.write(self._port.fileno(), data)

    def close(self) -> None:
        """May be called more than once; `on_lost` is not."""
        port, self._port = self._port, None
        if port is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(port.fileno())
            loop.remove_writer(port.fileno())
            # A serial port being closed waits, up to 30 s, for what an adapter that hangs never takes.
            with suppress(termios.error):
                termios.tcflush(port.fileno(), termios.TCOFLUSH)
            port.close()
        if self._wanting is not None and not self._wanting.done():
            self._wanting.set_result(None)

    async def _writable(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(fd, _settle, ready)
        self._wanting = ready
        try:
            await ready
        finally:
            self._wanting = None
            if self._port is not None:  # closed: the number may already be another file's
                loop.remove_writer(fd)

    def _on_readable(self) -> None:
        assert self._port is not None
        try:
            data = os.read(self._port.fileno(), READ_MAX)
        except BlockingIOError:
            return
        except OSError as problem:
            self._lose(f"{self._url}: {_reason(problem)}")
            return
        if data:
            self._on_bytes(data)
        else:
            self._lose(f"{self._url}: the adapter went away")

    def _lose(self, message: str) -> None:
        if self._port is not None:
            self.close()
            self._on_lost(message)


def trouble(path: str) -> str:
    """Why this process may not open it; empty if it may."""
    try:
        port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as pyserial does, for this process too
        finally:
            os.close(port)
    except OSError as problem:
        return unopened(problem)
    return ""


def unopened(problem: Exception) -> str:
    """Why it was not opened, and what there is to do about it. pyserial's words name the port three times."""
    number = getattr(problem, "errno", None)
    if number is None:
        return str(problem)
    advice = ADVICE.get(number, "")
    if advice is TAKEN:
        return TAKEN  # the kernel's "temporarily unavailable" sounds as if waiting helped
    return os.strerror(number) + (f"; {advice}" if advice else "")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
