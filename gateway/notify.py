"""Talks to systemd's notify socket: READY, STOPPING, WATCHDOG and a one-line status.

Silent when NOTIFY_SOCKET is not set (a terminal, a test). Never blocks: a datagram that does not fit is
lost, and a lost WATCHDOG is what the watchdog is for.
"""

import contextlib
import socket
from collections.abc import Mapping


class Notifier:
    """`environ` is the process environment; the socket is opened once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address else None
        if self._socket:
            self._socket.setblocking(False)

    @property
    def supervised(self) -> bool:
        """Whether systemd started this, and starts it again when it ends."""
        return self._socket is not None

    def _send(self, text: str) -> None:
        if self._socket:
            address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
            with contextlib.suppress(OSError):  # systemd gone or its queue full: the watchdog will tell
                self._socket.sendto(text.encode(), address)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Of a site: called by control after a cycle that finished on time, and by nothing else (invariant
        15)."""
        self._send("WATCHDOG=1")

    def stopping(self, status: str = "battery to its fallback, closing the store") -> None:
        self._send(f"STOPPING=1\nSTATUS={status}")

    def close(self) -> None:
        if self._socket:
            self._socket.close()
