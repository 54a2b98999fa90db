"""What an OPC UA server says to its driver, on a tape: told as it passes, and played again.

{read, got} are nodes and what each was then, {subscribe, silence_ms} what is told from then on, {told} the
changes with the time of their message, {write, type, value} what the gateway wrote; {failed} why not, and
{link} tells that there is another session. A node is in its own text, a value as drivers.opcua.spelling puts
it. Users, passwords, keys and certificates do not come here. It refuses to make up an answer: what was not
asked while it was recorded is a LinkError.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drivers.opcua.codec import Heard, Native
from drivers.opcua.feed import Feed, Item, Subscription
from drivers.opcua.node import Node
from drivers.opcua.spelling import heard_of, said_of
from drivers.opcua.table import Table
from gateway.errors import FrameError, LinkError
from gateway.model import ClockTrust, Stamp
from gateway.tape import BOUNDS, Event, Tap, Tape

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
            self._tell(read=_texts(nodes)[:1], failed=str(error))
            raise
        if self._tap.listening:
            at = 0
            for part in _parts(_texts(nodes)):
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
        texts = _texts([item.node for item in items])
        try:
            made = await self._link.subscribe(items, interval_ms, timeout_s=timeout_s)
        except LinkError as error:
            self._tell(subscribe=texts[:1], failed=str(error))
            raise
        self._sink, self._known = None, []
        left = len(texts)
        for part in _parts(texts):
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


class TapeLink:
    """A Wire that plays a tape."""

    url = "replay://opcua"
    certificate = ""  # nobody showed one

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def read(self, nodes: Sequence[Node], *, timeout_s: float) -> list[Heard]:
        wanted, found = _texts(nodes), dict[str, Heard]()
        for part in _parts(wanted):  # as it was asked then, if it was
            if (event := self._tape.find(_answers_to(part))) is not None:
                found |= _answers(event)
        while missing := set(wanted) - found.keys():
            event = self._tape.find(_speaks_of(missing))
            if event is None:
                raise LinkError(f"{min(missing)}: not asked while this was recorded")
            if "failed" in event:
                raise LinkError(f"{min(missing)}: {event['failed']}")
            found |= _answers(event)
        return [found[text] for text in wanted]

    async def subscribe(self, items: Sequence[Item], interval_ms: int, *, timeout_s: float) -> Subscription:
        texts, silence_ms = list[str](), 0
        left: object = 1
        while left:
            event = self._tape.find(lambda e: "subscribe" in e)
            if event is None or "failed" in event:
                why = "not subscribed to while this was recorded" if event is None else event["failed"]
                raise LinkError(str(why))
            texts += [str(text) for text in _list(event["subscribe"])]
            left, silence_ms = event.get("left"), _whole(event.get("silence_ms"))
        feed = Feed(len(items))
        return Subscription(feed, _Played(self._tape, _places(texts, items)), silence_ms)

    async def hear(self, subscription: Subscription, *, timeout_s: float) -> None:
        await subscription.session.hear(subscription.feed, timeout_s)

    async def unsubscribe(self, subscription: Subscription, *, timeout_s: float) -> None:
        """What it told stays on the tape."""

    async def close(self) -> None:
        """Nothing hangs on it."""


class _Played:
    """A Teller (drivers.opcua.feed): the session that was. `places` are ours, by where an item was then."""

    alive = True

    def __init__(self, tape: Tape, places: Mapping[int, int]) -> None:
        self._tape, self._places = tape, places

    async def hear(self, feed: Feed, timeout_s: float) -> None:
        """The next message, as far as it is of nodes that are asked for now."""
        event: Event = {"more": True}
        while event.get("more"):
            if "told" not in (self._tape.skip_to("told", *BOUNDS) or {}):
                raise LinkError("no more was told here while this was recorded")
            event = self._tape.next()
            if "failed" in event:
                raise LinkError(str(event["failed"]))
            for change in _list(event["told"]):
                at = change[0] if isinstance(change, list) and change else None
                if type(at) is int and at in self._places:
                    feed.heard[self._places[at]] = heard_of(change[1:])
        if "now" not in event:
            raise FrameError("the capture tells of changes without their time")
        feed.stamp = Stamp(event["ms"], event["now"], ClockTrust[event["clock"]])
        feed.fresh = True

    async def unsubscribe(self, feed: Feed, timeout_s: float) -> None:
        """It is over anyway."""


def _places(texts: Sequence[str], items: Sequence[Item]) -> dict[int, int]:
    """Where each of our items was then: of several of one node, the first is the first."""
    left, places = list[str | None](texts), dict[int, int]()
    for ours, item in enumerate(items):
        if (text := item.node.text) not in left:
            raise LinkError(f"{text}: not subscribed to while this was recorded")
        theirs = left.index(text)
        places[theirs], left[theirs] = ours, None
    return places


def _texts(nodes: Sequence[Node]) -> list[str]:
    return [node.text for node in nodes]


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """In order, each small enough for one event."""
    part = list[str]()
    for text in texts:
        if part and (len(part) >= VALUES_MAX or sum(map(len, part)) + len(text) > TEXT_MAX):
            yield part
            part = []
        part.append(text)
    if part:
        yield part


def _answers_to(nodes: Sequence[str]) -> Callable[[Event], bool]:
    return lambda event: event.get("read") == nodes and "got" in event


def _speaks_of(nodes: Collection[str]) -> Callable[[Event], bool]:
    return lambda event: any(isinstance(t, str) and t in nodes for t in _list(event.get("read")))


def _answers(event: Event) -> dict[str, Heard]:
    asked, got = _list(event["read"]), _list(event.get("got"))
    if len(asked) != len(got):
        raise FrameError(f"the capture has {len(got)} values for {len(asked)} nodes")
    return {str(text): heard_of(said) for text, said in zip(asked, got, strict=True)}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: object) -> int:
    return value if type(value) is int else 0


def masker(table: Table) -> Callable[[Event], Event]:
    """An X for each character of what the profile knows to be the serial number."""
    node = table.identity.get("serial")
    secret = node.text if node else None

    def mask(event: Event) -> Event:
        if secret not in _list(event.get("read")) or "got" not in event:
            return event
        got = [
            [said[0], INSTEAD * len(said[1]), *said[2:]]
            if text == secret and isinstance(said[1], str)
            else said
            for text, said in zip(event["read"], event["got"], strict=True)
        ]
        return {**event, "got": got}

    return mask
