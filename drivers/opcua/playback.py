"""A tape of what an OPC UA server said (drivers.opcua.tape), played to a driver that waits for nothing.

It answers node by node, so that another profile can be read of the same tape. It refuses to make up an
answer: what was not asked while it was recorded is a LinkError.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from drivers.opcua.codec import Heard
from drivers.opcua.feed import Feed, Item, Subscription
from drivers.opcua.node import Node
from drivers.opcua.spelling import heard_of
from drivers.opcua.tape import listed, parts, spelled
from gateway.errors import FrameError, LinkError
from gateway.model import ClockTrust, Stamp
from gateway.tape import BOUNDS, Event, Tape


class TapeLink:
    """A Wire that plays a tape."""

    url = "replay://opcua"
    certificate = ""  # nobody showed one

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def read(self, nodes: Sequence[Node], *, timeout_s: float) -> list[Heard]:
        wanted, found = spelled(nodes), dict[str, Heard]()
        for part in parts(wanted):  # as it was asked then, if it was
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
            texts += [str(text) for text in listed(event["subscribe"])]
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
            for change in listed(event["told"]):
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


def _answers_to(nodes: Sequence[str]) -> Callable[[Event], bool]:
    return lambda event: event.get("read") == nodes and "got" in event


def _speaks_of(nodes: Collection[str]) -> Callable[[Event], bool]:
    return lambda event: any(isinstance(t, str) and t in nodes for t in listed(event.get("read")))


def _answers(event: Event) -> dict[str, Heard]:
    asked, got = listed(event["read"]), listed(event.get("got"))
    if len(asked) != len(got):
        raise FrameError(f"the capture has {len(got)} values for {len(asked)} nodes")
    return {str(text): heard_of(said) for text, said in zip(asked, got, strict=True)}


def _whole(value: object) -> int:
    return value if type(value) is int else 0
