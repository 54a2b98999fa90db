"""What one subscription last said of each of its nodes: a slot a node, so nothing can pile up.

Pure. A message without changes counts too: the server has looked, and what it said before still holds. It
refuses to go on after a message was lost: then what it has may be older than it looks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from drivers.opcua.codec import Heard
from drivers.opcua.node import Node
from gateway.errors import FrameError
from gateway.model import Stamp

SEQUENCE_MAX = 2**32 - 1  # after it comes 1


@dataclass(frozen=True, slots=True)
class Item:
    """A node to be told of, and how often the server is to look at it. `timed`: its source time is of
    interest, even where its value has not changed."""

    node: Node
    sampling_ms: int
    timed: bool = False


class Feed:
    """`heard[i]` is of the i-th node, None before it was first said. `fresh` until somebody took it."""

    def __init__(self, count: int) -> None:
        self.heard: list[Heard | None] = [None] * count
        self.fresh = False
        self.stamp: Stamp | None = None
        self._next = 1

    @property
    def complete(self) -> bool:
        return all(heard is not None for heard in self.heard)

    def take(
        self,
        changes: Iterable[tuple[int, Heard]],
        *,
        sequence: int,
        empty: bool,
        more: bool,
        stamp: Stamp,
    ) -> None:
        """One message. `more`: the rest of what the server has to say now is in the next one. FrameError when
        one is missing before it, or it speaks of nodes that nobody asked for."""
        if sequence != self._next:
            raise FrameError(f"a notification is lost: number {sequence} came, not {self._next}")
        if not empty:
            self._next = sequence % SEQUENCE_MAX + 1
        for handle, heard in changes:
            if not 0 <= handle < len(self.heard):
                raise FrameError(f"the server speaks of item {handle}, which was not asked for")
            self.heard[handle] = heard
        self.stamp = stamp
        self.fresh = not more


class Teller(Protocol):
    """Who keeps a feed: a session, or a tape of one."""

    @property
    def alive(self) -> bool: ...

    async def hear(self, feed: Feed, timeout_s: float) -> None: ...

    async def unsubscribe(self, feed: Feed, timeout_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed, the session it is of, and the longest silence of a server that is well."""

    feed: Feed
    session: Teller
    silence_ms: int
