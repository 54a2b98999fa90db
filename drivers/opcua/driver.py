"""An OPC UA server's device as a Driver: asks for its points, or is told of them, and says what it is.

It owns the poll classes (fast each time, slow every few seconds), the subscription, and the sample's shape.
It never writes; a device that can be commanded is a drivers.opcua.actuator.Commanded around this. What is of
another type than the profile says is INVALID, without a number, and counted.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from drivers.opcua import codec
from drivers.opcua.codec import Field, Heard
from drivers.opcua.feed import Item, Subscription
from drivers.opcua.node import STANDARD, Node
from drivers.opcua.table import Table
from gateway.clock import Clock
from gateway.errors import DeviceRefused, LinkError
from gateway.model import Point, Points, Quality, Sample, Stamp
from gateway.site import Device

SLOW_MS = 4_000  # a value older than 5 s counts as stale, so the slow ones come just before that
PACE_MS = 1_000  # a subscribed device speaks about each second, whatever the poll period: control lives on it
EARLY_PARTS, PARTS = 3, 4  # of the pace after which what comes next is a sample
SILENCE_PARTS = 3  # of its interval that a server may be silent
SILENCE_MS_MIN, SILENCE_MS_MAX = 2_000, 5_000
STANDS_MS = 5_000  # that a server's clock may show the same: it is no measure of age after that
FIRST_S = 5.0  # to be told every value once
TEXT_MAX = 64  # of what a device says of itself
SERVER_TIME = Node(STANDARD, "i", 2258)  # Server_ServerStatus_CurrentTime
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


class Wire(Protocol):
    """What the driver needs of a link: a drivers.opcua.link.OpcUaLink, or a tape of one."""

    @property
    def certificate(self) -> str: ...

    async def read(self, nodes: Sequence[Node], *, timeout_s: float) -> list[Heard]: ...

    async def subscribe(
        self, items: Sequence[Item], interval_ms: int, *, timeout_s: float
    ) -> Subscription: ...

    async def hear(self, subscription: Subscription, *, timeout_s: float) -> None: ...

    async def unsubscribe(self, subscription: Subscription, *, timeout_s: float) -> None: ...


class OpcUaDriver:
    """gateway.driver.Driver over a link."""

    def __init__(self, device: Device, profile: Table, link: Wire, clock: Clock) -> None:
        self._device, self._profile, self._link, self._clock = device, profile, link, clock
        self._timeout_s = device.timeout_ms / 1000
        self._fields = profile.fast + profile.slow
        self.points: Points = tuple(Point(device.name, field.name) for field in self._fields)
        self._fast_points = self.points[: len(profile.fast)]
        self._ages = any(field.aged_ms for field in self._fields)
        self.pushed = profile.subscribed
        self._pace_ms = min(device.poll_ms, PACE_MS)
        self._early_ms = self._pace_ms * EARLY_PARTS // PARTS
        self._subscription: Subscription | None = None
        self._slow_due_ms = 0
        self._sample_ms: int | None = None  # of the last sample that was told
        self._moved: tuple[int | None, int] = (None, 0)  # what the server's clock says, and since when
        self.dropped = 0  # values of another type than the profile says

    async def connect(self) -> Mapping[str, str]:
        """Read what the profile says of identity, and every point once, so a wrong profile shows now."""
        await self._unsubscribe()
        found = {"vendor": self._profile.vendor, "model": self._profile.model}
        found |= await self._identity()
        self.refresh()
        sample = await self._asked()
        if all(quality == Quality.ABSENT for quality in sample.qualities):
            raise DeviceRefused(
                f"{self._device.name}: the server has none of the nodes of {self._device.profile_name}; "
                "is the profile the right one?",
                code=2,
            )
        if self.pushed:
            await self._subscribe()
        return found

    async def read(self) -> Sample:
        """One poll, the slow points with it when they are due; or the next that the server tells."""
        return await self._told() if self.pushed else await self._asked()

    def refresh(self) -> None:
        """The next poll brings the slow points too; of a subscription, what comes next is a sample."""
        self._slow_due_ms = self._clock.mono_ms()
        self._sample_ms = None

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    async def _identity(self) -> dict[str, str]:
        said = await self._link.read(list(self._profile.identity.values()), timeout_s=self._timeout_s)
        texts = zip(self._profile.identity, said, strict=True)
        found = {name: text for name, heard in texts if (text := _text(heard))}
        return found | ({"certificate": f"sha256:{c}"} if (c := self._link.certificate) else {})

    async def _asked(self) -> Sample:
        stamp = self._clock.now()  # before the wire: an age is never understated
        slow = stamp.mono_ms >= self._slow_due_ms
        fields, points = (self._fields, self.points) if slow else (self._profile.fast, self._fast_points)
        nodes = [field.node for field in fields] + ([SERVER_TIME] if self._ages else [])
        heard = await self._link.read(nodes, timeout_s=self._timeout_s)
        if slow:
            self._slow_due_ms = stamp.mono_ms + SLOW_MS
        values, qualities = self._decoded(fields, heard, stamp.mono_ms)
        return Sample(self._device.name, stamp, points, values, qualities)

    async def _unsubscribe(self) -> None:
        """A server keeps a subscription as long as the session, which may be another device's too."""
        last, self._subscription, self._sample_ms = self._subscription, None, None
        if last is not None:
            await self._link.unsubscribe(last, timeout_s=self._timeout_s)

    async def _subscribe(self) -> None:
        every_ms = self._pace_ms // 2  # servers say only at every second interval that nothing changed
        items = [Item(f.node, every_ms, f.aged_ms > 0) for f in self._profile.fast]
        items += [Item(f.node, SLOW_MS, f.aged_ms > 0) for f in self._profile.slow]
        items += [Item(SERVER_TIME, every_ms)] if self._ages else []
        made = await self._link.subscribe(items, every_ms, timeout_s=self._timeout_s)
        self._subscription = made
        if made.silence_ms > SILENCE_MS_MAX:
            await self._unsubscribe()
            raise LinkError(
                f"{self._device.name}: the server would say only each {made.silence_ms / 1000:g} s that "
                "it is alive: write updates: asked in its profile"
            )
        until_ms = self._clock.mono_ms() + round(FIRST_S * 1000)
        while not made.feed.complete or made.feed.stamp is None:
            made.feed.fresh = False
            await self._link.hear(made, timeout_s=max(0, until_ms - self._clock.mono_ms()) / 1000)
        made.feed.fresh = True

    async def _told(self) -> Sample:
        subscription = self._subscription
        if subscription is None:
            raise LinkError(f"{self._device.name}: not connected")
        silence_ms = min(max(SILENCE_PARTS * subscription.silence_ms, SILENCE_MS_MIN), SILENCE_MS_MAX)
        stamp = await self._news(subscription, silence_ms / 1000)
        while self._sample_ms is not None and stamp.mono_ms < self._sample_ms + self._early_ms:
            stamp = await self._news(subscription, silence_ms / 1000)
        self._sample_ms = stamp.mono_ms
        values, qualities = self._decoded(self._fields, subscription.feed.heard, stamp.mono_ms)
        return Sample(self._device.name, stamp, self.points, values, qualities)

    async def _news(self, subscription: Subscription, timeout_s: float) -> Stamp:
        """What was told since it was last asked, or will be next; when it came."""
        await self._link.hear(subscription, timeout_s=timeout_s)
        feed = subscription.feed
        feed.fresh = False
        assert feed.stamp is not None  # what is fresh came at some time
        return feed.stamp

    def _decoded(
        self, fields: Sequence[Field], heard: Sequence[Heard | None], mono_ms: int
    ) -> tuple[tuple[int, ...], bytes]:
        """Of `fields`, in their order. After them may come the server's time."""
        now_ms = self._server_ms(heard[-1], mono_ms) if self._ages else None
        found = [self._one(field, said, now_ms) for field, said in zip(fields, heard, strict=not self._ages)]
        return tuple(value for value, _ in found), bytes(quality for _, quality in found)

    def _server_ms(self, heard: Heard | None, mono_ms: int) -> int | None:
        """What the server's clock says; None: nothing, or the same for so long that it stands. By a clock
        that stands with its values nothing would ever be old."""
        said_ms, since_ms = self._moved
        moment_ms = _moment(heard)
        if moment_ms != said_ms:
            said_ms, since_ms = self._moved = moment_ms, mono_ms
        return said_ms if mono_ms - since_ms < STANDS_MS else None

    def _one(self, field: Field, said: Heard | None, now_ms: int | None) -> tuple[int, int]:
        if said is None:
            return 0, Quality.ABSENT
        try:
            return codec.decode(field, said, now_ms)
        except TypeError:
            self.dropped += 1
            return 0, Quality.INVALID


def _moment(heard: Heard | None) -> int | None:
    """What the server's clock says; None: it does not."""
    if (
        heard is None
        or heard.status >> 30
        or not isinstance(heard.value, datetime)
        or heard.value.tzinfo is None
    ):
        return None
    return (heard.value - _UNIX) // timedelta(milliseconds=1)


def _text(heard: Heard) -> str:
    good = heard.status >> 30 == 0 and heard.type == "String" and isinstance(heard.value, str)
    return "".join(c for c in str(heard.value)[:TEXT_MAX] if c.isprintable()).strip() if good else ""
