"""What an OPC UA server says to its driver, told to a tape as it passes; drivers.opcua.playback plays it.

{read, got} are nodes and what each was then, {subscribe, silence_ms} what is told from then on, {told} the
changes with the time of their message, {write, type, value} what the gateway wrote; {failed} why not, and
{link} tells that there is another session. A node is in its own text, a value as drivers.opcua.spelling puts
it. It refuses to tell of users, passwords, keys and certificates.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from drivers.opcua.codec import Heard, Native
from drivers.opcua.feed import Feed, Item, Subscription
from drivers.opcua.node import Node
from drivers.opcua.spelling import said_of
from drivers.opcua.table import Table
from gateway.errors import LinkError
from gateway.tape import Event, Tap

if TYPE_CHECKING:
    from drivers.opcua.link import Counters, OpcUaLink

TEXT_MAX = 12_000  # characters of nodes in an event: one page of a capture is a line of bounded length
VALUES_MAX = 100  # in one event
INSTEAD = "X"


class TappedLink:
    """A Wire (drivers.opcua.driver) around an OpcUaLink, which tells what passes of one device."""

    def __init__(self, link: "OpcUaLink", tap: Tap) -> None:
        self.url = link.url
        self._link, self._tap = link, tap
        self._sessions = 0
        self._known: list[Heard | None] = []  # what was told of the subscription, to `_sink`
        self._sink: object = None

    @property
    def certificate(self) -> str:
        return self._link.certificate

    @property
    def counters(self) -> "Counters":
        return self._link.counters

    async def read(self, nodes: Sequence[Node], *, timeout_s: float) -> list[Heard]:
        try:
            found = await self._link.read(nodes, timeout_s=timeout_s)
        except LinkError as error:
            self._tell(read=spelled(nodes)[:1], failed=str(error))
            raise
        if self._tap.listening:
            at = 0
            for part in parts(spelled(nodes)):
                self._tell(read=part, got=[said_of(heard) for heard in found[at : at + len(part)]])
                at += len(part)
        return found

    async def write(
        self, node: Node, type_: str, value: Native, *, timeout_s: float, opens: bool = False
    ) -> None:
        event: Event = {"write": node.text, "type": type_, "value": said_of(Heard(type_, value))[1]}
        try:
            await self._link.write(node, type_, value, timeout_s=timeout_s, opens=opens)
        except LinkError as error:
            self._tell(**event, failed=str(error))
            raise
        self._tell(**event)

    async def subscribe(self, items: Sequence[Item], interval_ms: int, *, timeout_s: float) -> Subscription:
        texts = spelled([item.node for item in items])
        try:
            made = await self._link.subscribe(items, interval_ms, timeout_s=timeout_s)
        except LinkError as error:
            self._tell(subscribe=texts[:1], failed=str(error))
            raise
        self._sink, self._known = None, []
        left = len(texts)
        for part in parts(texts):
            left -= len(part)
            self._tell(subscribe=part, left=left, silence_ms=made.silence_ms)
        return made

    async def hear(self, subscription: Subscription, *, timeout_s: float) -> None:
        try:
            await self._link.hear(subscription, timeout_s=timeout_s)
        except LinkError as error:
            self._tell(told=[], failed=str(error))
            raise
        if self._tap.listening:
            self._tell_news(subscription.feed)

    async def unsubscribe(self, subscription: Subscription, *, timeout_s: float) -> None:
        await self._link.unsubscribe(subscription, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._link.close()

    def _tell_news(self, feed: Feed) -> None:
        """What is new to whoever listens: to who has just begun, all of it."""
        if self._tap.sink is not self._sink or len(self._known) != len(feed.heard):
            self._sink, self._known = self._tap.sink, [None] * len(feed.heard)
        changed = [
            (at, heard)
            for at, heard in enumerate(feed.heard)
            if heard is not None and heard is not self._known[at]
        ]
        self._known = list(feed.heard)
        stamp = feed.stamp
        if stamp is None:
            return
        told = [[at, *said_of(heard)] for at, heard in changed]
        while len(told) > VALUES_MAX:
            part, told = told[:VALUES_MAX], told[VALUES_MAX:]
            self._tap.put(stamp.mono_ms, {"told": part, "more": True})
        self._tap.put(stamp.mono_ms, {"told": told, "now": stamp.wall_ms, "clock": stamp.trust.name})

    def _tell(self, **event: Any) -> None:
        if not self._tap.listening:
            return
        if self._sessions != self._link.counters.sessions:
            self._sessions = self._link.counters.sessions
            self._tap.tell(link="session", number=self._sessions)
        self._tap.tell(**event)


def spelled(nodes: Sequence[Node]) -> list[str]:
    return [node.text for node in nodes]


def parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """In order, each small enough for one event."""
    part = list[str]()
    for text in texts:
        if part and (len(part) >= VALUES_MAX or sum(map(len, part)) + len(text) > TEXT_MAX):
            yield part
            part = []
        part.append(text)
    if part:
        yield part


def masker(table: Table) -> Callable[[Event], Event]:
    """An X for each character of what the profile knows to be the serial number."""
    node = table.identity.get("serial")
    secret = node.text if node else None

    def mask(event: Event) -> Event:
        if secret not in listed(event.get("read")) or "got" not in event:
            return event
        got = [
            [said[0], INSTEAD * len(said[1]), *said[2:]]
            if text == secret and isinstance(said[1], str)
            else said
            for text, said in zip(event["read"], event["got"], strict=True)
        ]
        return {**event, "got": got}

    return mask


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
