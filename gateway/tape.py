"""What passed on a device's wire, in order: told by links while it happens, and played to drivers later.

An event is a plain mapping that can be JSON. Each protocol has two links for it: one that tells a Tap what
passes, and one that answers a driver from a Tape, of which nothing else is needed; both come from the plugin
that opens the real link (Recordable). Our own events are `connect` and `connected`, `now` (the driver asked
the time, so a sample begins or ends here), `refresh` and `sample`. It refuses to know what others mean.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from gateway.clock import Clock
from gateway.driver import Link
from gateway.errors import LinkError
from gateway.model import ClockTrust, Sample, Stamp

Event = dict[str, Any]
Sink = Callable[[Event], None]

INTRODUCTION_MAX = 1024  # events of one connect that are kept: a SunSpec scan of 20 models has 60
BOUNDS = frozenset({"connect", "connected"})


class Tap:
    """One device's. What passes while it connects is kept, so that a recording which begins later can be
    played from the start; everything else is told to `sink`, or to nobody."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._introducing = False
        self.introduction: deque[Event] = deque(maxlen=INTRODUCTION_MAX)
        self.sink: Sink | None = None
        self._stamped: int | None = None  # the last `now` that was told

    @property
    def listening(self) -> bool:
        """Whether anybody wants to be told: who builds an event first asks here."""
        return self._introducing or self.sink is not None

    def tell(self, **event: Any) -> None:
        self.put(self._clock.mono_ms(), event)

    def put(self, mono_ms: int, event: Event) -> None:
        """As `tell`, of a moment that was noted before."""
        whole = {"ms": mono_ms, **event}
        self._stamped = event.get("now", self._stamped)
        if self._introducing:
            self.introduction.append(whole)
        if self.sink is not None:
            self.sink(whole)

    def sample(self, sample: Sample) -> None:
        """What the driver made of it, so that it can be compared with what it makes of it later. One that was
        begun before anybody listened is left out: not all that it was made of was told."""
        if self.sink is not None and sample.stamp.wall_ms == self._stamped:
            readings = {r.point.name: [r.value, r.quality.name] for r in sample.readings()}
            self.tell(sample=sample.stamp.wall_ms, points=readings)

    def connecting(self) -> None:
        """The driver is told to connect."""
        self.introduction.clear()
        self._introducing = True
        self.tell(connect=True)

    def connected(self) -> None:
        self.tell(connected=True)
        self._introducing = False


class TapClock:
    """The driver's clock, which tells when a sample was stamped."""

    def __init__(self, clock: Clock, tap: Tap) -> None:
        self._clock, self._tap = clock, tap

    def mono_ms(self) -> int:
        return self._clock.mono_ms()

    def now(self) -> Stamp:
        stamp = self._clock.now()
        if self._tap.listening:
            self._tap.put(stamp.mono_ms, {"now": stamp.wall_ms, "clock": stamp.trust.name})
        return stamp


class Tape:
    """Events to be played, and the time they carry. What was passed over is never played."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = deque(events)
        self.mono_ms: int = (
            events[0]["ms"] if events else 0
        )  # below 0 while it was connected, before it began
        self.connecting = False
        self.passed = 0  # events that the driver did not ask for, or not any more

    def peek(self) -> Event | None:
        """The next event, without taking it. What the driver made of things then is not played."""
        while self._events and "sample" in self._events[0]:
            self._events.popleft()
        return self._events[0] if self._events else None

    def ahead(self, *kinds: str) -> Event | None:
        """The next event of these kinds, wherever; nothing is passed over."""
        return next((event for event in self._events if event.keys() & set(kinds)), None)

    def next(self) -> Event:
        """Take the next event; the time is then its time. LinkError at the end of the tape."""
        if not self._events:
            raise LinkError("the capture ends here")
        event = self._events.popleft()
        self.reach(event["ms"])
        return event

    def find(self, wanted: Callable[[Event], bool]) -> Event | None:
        """Take the first event that is wanted, of those before the next sample (while connecting: of all that
        passed meanwhile); what lies before it stays for others."""
        at = self._place(wanted)
        if at is None:
            return None
        event = self._events[at]
        del self._events[at]
        self.reach(event["ms"])
        return event

    def seek(self, wanted: Callable[[Event], bool]) -> Event | None:
        """As `find`, and what lies before it is passed over: for a wire on which order is all there is."""
        at = self._place(wanted)
        if at is None:
            return None
        for _ in range(at):
            self._pass()
        return self.next()

    def skip_to(self, *kinds: str) -> Event | None:
        """Pass over everything up to the next event of these kinds, which stays; None at the end."""
        while self._events and not any(kind in self._events[0] for kind in kinds):
            self._pass()
        return self._events[0] if self._events else None

    def drop(self, kind: str) -> None:
        """Take the next event of this kind out, if it comes before another connect; time stands still."""
        event = self.ahead(kind, "connect")
        if event is not None and kind in event:
            self._events.remove(event)

    def reach(self, mono_ms: int) -> None:
        """Time goes on, never back."""
        self.mono_ms = max(self.mono_ms, mono_ms)

    def _place(self, wanted: Callable[[Event], bool]) -> int | None:
        for at, event in enumerate(self._events):
            if event.keys() & BOUNDS or ("now" in event and not self.connecting):
                return None
            if wanted(event):
                return at
        return None

    def _pass(self) -> None:
        self.passed += 1
        self._events.popleft()


class TapeClock:
    """The clock of a driver that a tape is played to: samples get the stamps they had."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def mono_ms(self) -> int:
        return self._tape.mono_ms

    def now(self) -> Stamp:
        if self._tape.skip_to("now", "connect") is None:
            raise LinkError("the capture ends here")
        event = self._tape.next()
        if "now" not in event:
            raise LinkError("the driver asks for a sample where it connected again")
        return Stamp(event["ms"], event["now"], ClockTrust[event["clock"]])


@runtime_checkable
class Recordable(Protocol):
    """A plugin whose links can be recorded and played. `replayed` gives a link that no wire hangs on."""

    def tapped(self, link: Any, tap: Tap) -> Link: ...

    def replayed(self, tape: Tape) -> Link: ...


@runtime_checkable
class Masking(Protocol):
    """A plugin that knows in which events of a device a serial number or a secret lies."""

    def masker(self, profile: Any) -> Callable[[Event], Event]:
        """What makes of each event, in their order, one without them."""
        ...


@runtime_checkable
class Unrecordable(Protocol):
    """A driver whose traffic cannot be recorded although its link could be."""

    @property
    def unrecordable(self) -> str:
        """Why not."""
        ...


@runtime_checkable
class Refreshing(Protocol):
    """A driver whose polls are not all alike: the next one is to bring every point."""

    def refresh(self) -> None: ...
