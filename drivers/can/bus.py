"""Who hears what: listeners with bounded queues of their own, shared by all CAN links.

A Hub hands each frame to the listeners of its id. A listener that does not keep up loses its oldest
frames, counted; it never slows the others or the bus. When the bus is lost every listener ends in
LinkError and a new one must be asked for. Nothing here touches a wire.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, Self

from gateway.clock import Clock
from gateway.driver import CanFrame
from gateway.errors import LinkError

QUEUE_MAX = 256  # frames: more than two seconds of the busiest BMS, and 20 kB


@dataclass(slots=True)
class Counters:
    """What happened on a link since it was made; for metrics and the status page."""

    received: int = 0
    sent: int = 0
    overflowed: int = 0  # frames that a slow listener lost
    malformed: int = 0  # bytes from the wire that are no data frame
    errors: int = 0  # error frames, refusals of the adapter
    lost: int = 0  # times the bus went away


class Listener:
    """The frames of some ids (none named: of all) from now on. Cancelling a wait loses no frame.

    `at_ms` is when the last one taken arrived, which is its age; it may have waited here since.
    """

    def __init__(self, hub: "Hub", ids: frozenset[int], opener: Callable[[], Awaitable[None]]) -> None:
        self.ids = ids
        self.at_ms = 0
        self._hub, self._opener = hub, opener
        self._queue: deque[tuple[CanFrame, int]] = deque(maxlen=QUEUE_MAX)
        self._waiter: asyncio.Future[None] | None = None
        self._lost: LinkError | None = None

    def __aiter__(self) -> Self:
        return self

    async def open(self) -> None:
        """Connect the link if it is not; LinkError when that fails or the bus was lost since."""
        if self._lost is not None:
            raise LinkError(str(self._lost))
        await self._opener()

    async def __anext__(self) -> CanFrame:
        if not self._queue:
            await self.open()
        while not self._queue:
            if self._lost is not None:
                raise LinkError(str(self._lost))
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame, self.at_ms = self._queue.popleft()
        return frame

    def close(self) -> None:
        """Hear no more. What is still queued can be taken."""
        self._hub.listeners.pop(self, None)
        self._end(LinkError("no longer listening"))

    @property
    def pending(self) -> bool:
        return bool(self._queue)

    def put(self, frame: CanFrame, now_ms: int) -> bool:
        """Queue a frame; False when the oldest one had to go for it."""
        room = len(self._queue) < QUEUE_MAX
        self._queue.append((frame, now_ms))
        self._wake()
        return room

    def _end(self, error: LinkError) -> None:
        self._lost = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """All listeners of one link, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        self.counters = Counters()
        self._clock = clock
        self._heard_ms = 0
        self.listeners: dict[Listener, None] = {}

    @property
    def silent_ms(self) -> int:
        """Since the last frame, or since the link was opened if that is later."""
        return self._clock.mono_ms() - self._heard_ms

    @property
    def ids(self) -> frozenset[int]:
        """Empty: all, because somebody listens to all."""
        if any(not listener.ids for listener in self.listeners):
            return frozenset()
        return frozenset().union(*(listener.ids for listener in self.listeners))

    def listen(self, ids: frozenset[int], opener: Callable[[], Awaitable[None]]) -> Listener:
        listener = Listener(self, ids, opener)
        self.listeners[listener] = None
        return listener

    def opened(self) -> None:
        self._heard_ms = self._clock.mono_ms()

    def deliver(self, frame: CanFrame) -> None:
        self.counters.received += 1
        now_ms = self._heard_ms = self._clock.mono_ms()
        for listener in self.listeners:
            if (not listener.ids or frame.id in listener.ids) and not listener.put(frame, now_ms):
                self.counters.overflowed += 1

    def lose(self, message: str) -> None:
        """End all listeners: the bus is gone."""
        self.counters.lost += 1
        listeners, self.listeners = self.listeners, {}
        for listener in listeners:
            listener._end(LinkError(message))


class CanLink(Protocol):
    """A gateway.driver.FrameLink whose listeners can be opened and closed."""

    url: str

    @property
    def counters(self) -> Counters: ...

    def listen(self, ids: frozenset[int]) -> Listener: ...

    async def send(self, frame: CanFrame) -> None: ...

    async def close(self) -> None: ...
