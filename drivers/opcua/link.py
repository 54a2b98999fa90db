"""The link to one OPC UA server, shared by its devices: at any time one session, or none.

It opens a session when it is first used and a new one after any trouble; it never repeats a request. Nothing
is written on a link that does not know whom it speaks to. It refuses to decode: what was heard leaves as it
came.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from drivers.opcua.codec import Heard, Native
from drivers.opcua.feed import Item, Subscription
from drivers.opcua.node import Node
from drivers.opcua.session import Session
from drivers.opcua.table import NODES_A_READ
from drivers.opcua.url import OpcUaUrl
from gateway.clock import Clock
from gateway.errors import DeviceRefused, LinkError

T = TypeVar("T")
OPEN_S = 10.0  # two channels, RSA on a small computer, and a slow server; all of it together


@dataclass(slots=True)
class Counters:
    """What happened on a link since it was made; for metrics and the status page."""

    requests: int = 0
    notifications: int = 0
    refused: int = 0
    errors: int = 0
    sessions: int = 0


class OpcUaLink:
    """gateway.driver.Link. `make` gives a new session."""

    def __init__(
        self, where: OpcUaUrl, clock: Clock, make: Callable[[OpcUaUrl, Clock], Session] = Session
    ) -> None:
        _quiet_library()
        self.url = where.url
        self.counters = Counters()
        self._where, self._clock, self._make = where, clock, make
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._failed, self._why = 0, ""  # attempts to open a session, and what the last one came to

    @property
    def certificate(self) -> str:
        """The fingerprint of the certificate that the server showed; empty if it has none."""
        return self._session.certificate if self._session else ""

    async def read(self, nodes: Sequence[Node], *, timeout_s: float) -> list[Heard]:
        """The values of `nodes` now, in their order. Each request has `timeout_s`."""
        session, found = await self._ready(), list[Heard]()
        for at in range(0, len(nodes), NODES_A_READ):
            self.counters.requests += 1
            found += await self._counted(session.read(nodes[at : at + NODES_A_READ], timeout_s))
        return found

    async def write(
        self, node: Node, type_: str, value: Native, *, timeout_s: float, opens: bool = False
    ) -> None:
        """Write one value of this type. It is on its way within `timeout_s`, or never: only with `opens` a
        session is opened for it first. DeviceRefused when the device says no."""
        if not self._where.trusted:
            raise LinkError(f"{self._where.endpoint}: nothing is written without mode=encrypt or mode=sign")
        session = self._session
        if opens:
            session = await self._ready()
        if session is None or not session.alive:
            raise LinkError(f"{self._where.endpoint}: not connected")
        self.counters.requests += 1
        await self._counted(session.write(node, type_, value, timeout_s))

    async def subscribe(self, items: Sequence[Item], interval_ms: int, *, timeout_s: float) -> Subscription:
        """Be told of changes in `items`."""
        session = await self._ready()
        self.counters.requests += 1
        feed, silence_ms = await self._counted(session.subscribe(items, interval_ms, timeout_s))
        return Subscription(feed, session, silence_ms)

    async def hear(self, subscription: Subscription, *, timeout_s: float) -> None:
        """Until the subscription has news, be it that nothing changed. LinkError when it has none in time."""
        await self._counted(subscription.session.hear(subscription.feed, timeout_s))
        self.counters.notifications += 1

    async def unsubscribe(self, subscription: Subscription, *, timeout_s: float) -> None:
        """Be told no more, if that session still lives."""
        if subscription.session.alive:
            self.counters.requests += 1
            await self._counted(subscription.session.unsubscribe(subscription.feed, timeout_s))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ready(self) -> Session:
        """The session; for all who want a new one at the same time one attempt is made, and its failure is
        theirs: else the last of them would wait for that of each."""
        failed = self._failed
        async with self._opening:
            if self._session is not None and self._session.alive:
                return self._session
            if self._failed != failed:
                raise LinkError(self._why)
            if self._session is not None:
                await self._session.close()
            self._session = session = self._make(self._where, self._clock)
            self.counters.sessions += 1
            try:
                await self._counted(session.open(OPEN_S))
            except LinkError as error:
                self._failed, self._why = self._failed + 1, str(error)
                raise
            return session

    async def _counted(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except DeviceRefused:
            self.counters.refused += 1
            raise
        except LinkError:
            self.counters.errors += 1
            raise


def _quiet_library() -> None:
    """asyncua logs what a server gets wrong, with dumps; we raise and count. A level set by hand stays."""
    logger = logging.getLogger("asyncua")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)
