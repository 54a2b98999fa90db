"""One battery that speaks by itself: hears its frames, makes a sample of each set, keeps it company.

Owns a listener, the table of what was heard, and the moments: when the next sample is due and when the
keep-alive is. Everything happens inside `connect` and `read`, so there is no task to lose. It refuses to
wait without an end: a silent device gives STALE samples at once when a limit passes, then LinkError.
"""

import asyncio
from collections.abc import Mapping

from drivers.can.bus import CanLink, Listener
from drivers.can.codec import Key
from drivers.can.heard import Heard
from drivers.can.table import CanTable
from gateway.clock import Clock
from gateway.driver import CanFrame
from gateway.errors import FrameError, LinkError
from gateway.model import Point, Points, Sample
from gateway.site import Device

FIRST_MS = 5_000  # to hear every anchor once: BMSs of this family send each second
GATHER_MS = 1_200  # after the first frame, so that one whole cycle was heard: enable bits come with it
PACE_MS = 1_000  # a sample at least about each second, whatever the poll period: control lives on it
EARLY, LATE = 0.75, 1.25  # of the pace: no set is skipped by jitter, no gap is longer
SETTLE_MS = 50  # after the last anchor: the rest of the burst belongs to the same sample
SILENCE_MS = 10_000  # nothing at all for so long: reopen the link
OPEN_S = 3.0  # a tty with its handshake takes 0.7 s
SEND_S = 1.0
ALIVE_MISSES_MAX = 3  # keep-alives in a row that a bus does not take although it is heard


class CanDriver:
    """A Driver (gateway.driver), pushed. Not commanded: a BMS takes no setpoints."""

    pushed = True

    def __init__(self, device: Device, profile: CanTable, link: CanLink, clock: Clock) -> None:
        self._device, self._profile, self._link, self._clock = device, profile, link, clock
        self._table = profile.codec
        self._points: Points = tuple(Point(device.name, name) for name in self._table.points)
        self._heard = Heard(self._table)
        self._listener: Listener | None = None
        self._pace_ms = min(device.poll_ms, PACE_MS)
        self._anchor_ms: dict[Key, int] = {}  # when each was last heard, since connecting
        self._missing: set[Key] = set()  # anchors that the set of the next sample still lacks
        self._complete_ms: int | None = None
        self._sample_ms = 0  # of the last sample
        self._frame_ms = 0  # of the last frame
        self._alive_due_ms: int | None = None
        self._alive_misses = 0
        self.dropped = 0  # frames of ours that could not be believed

    @property
    def points(self) -> Points:
        return self._points

    async def connect(self) -> Mapping[str, str]:
        """Listen until every anchor and one whole cycle was heard; who the device says it is."""
        self._drop()
        ids = {id for id, _ in self._table.frames}
        if self._profile.keep_alive:
            ids.add(self._profile.keep_alive.id)
        self._heard = Heard(self._table)
        listener = self._listener = self._link.listen(frozenset(ids))
        try:
            async with asyncio.timeout(OPEN_S):
                await listener.open()
            await self._gather(listener)
        except TimeoutError:
            self._drop()
            raise LinkError(f"{self._link.url}: did not open within {OPEN_S:g} s") from None
        except LinkError:
            self._drop()
            raise
        said = {key: text for key, text in self._heard.texts().items() if text}
        return {"vendor": self._profile.vendor, **said}

    async def read(self) -> Sample:
        """The next set, or at the latest what there is when a limit passes or the pace is over."""
        if self._listener is None:
            raise LinkError(f"{self._device.name}: not connected")
        while (due_ms := self._due_ms()) > self._clock.mono_ms() or self._listener.pending:
            await self._turn(self._listener, due_ms)
        now_ms = self._clock.mono_ms()
        if now_ms - self._frame_ms >= SILENCE_MS:
            raise LinkError(f"{self._device.name}: nothing heard for {SILENCE_MS // 1000} s")
        return self._sample(now_ms)

    async def close(self) -> None:
        self._drop()

    async def _gather(self, listener: Listener) -> None:
        began_ms = self._clock.mono_ms()
        before = self._seen()
        self._anchor_ms = {}
        self._begin_set()
        self._alive_misses = 0
        self._frame_ms = self._sample_ms = began_ms
        keep_alive = self._profile.keep_alive
        # The first is late by half: whoever else keeps this battery company is heard before.
        self._alive_due_ms = began_ms + keep_alive.every_ms * 3 // 2 if keep_alive else None
        first_ms, until_ms = 0, began_ms + FIRST_MS
        while self._clock.mono_ms() < until_ms:
            if await self._turn(listener, until_ms):
                first_ms = first_ms or self._frame_ms
                if not self._unheard:
                    until_ms = min(until_ms, first_ms + GATHER_MS)
        if self._unheard:
            raise LinkError(self._what_is_missing(before))

    @property
    def _unheard(self) -> frozenset[Key]:
        return self._table.anchors - self._anchor_ms.keys()

    def _seen(self) -> tuple[int, int, int]:
        """Frames, those that could not be believed, errors; since the link was made."""
        counters = self._link.counters
        return counters.received, counters.malformed + self.dropped, counters.errors

    def _what_is_missing(self, before: tuple[int, int, int]) -> str:
        ids = ", ".join(f"{key[0]:#x}" for key in sorted(self._unheard))
        hint = "check protocol setting"
        if not self._anchor_ms:
            hint = "check bit rate, wiring and termination"
        received, dropped, errors = (now - then for now, then in zip(self._seen(), before, strict=True))
        seen = f"{received} frames seen, {dropped} dropped" + (f", {errors} errors" if errors else "")
        return f"{self._device.name}: no {ids} on {self._link.url} in {FIRST_MS // 1000} s ({seen}); {hint}"

    def _due_ms(self) -> int:
        """When the next sample is to be made, as things stand."""
        due_ms = self._sample_ms + round(LATE * self._pace_ms)
        if self._complete_ms is not None:
            early_ms = self._sample_ms + round(EARLY * self._pace_ms)
            due_ms = min(due_ms, max(self._complete_ms + SETTLE_MS, early_ms))
        expiry_ms = self._heard.expiry_ms(self._sample_ms)
        return due_ms if expiry_ms is None else min(due_ms, expiry_ms)

    def _sample(self, now_ms: int) -> Sample:
        values, qualities = self._heard.snapshot(now_ms)
        self._sample_ms = now_ms
        self._begin_set()
        return Sample(self._device.name, self._clock.now(), self._points, values, qualities)

    def _begin_set(self) -> None:
        self._missing, self._complete_ms = set(self._table.anchors), None

    async def _turn(self, listener: Listener, until_ms: int) -> bool:
        """Take one frame, or let `until_ms` pass, or send the keep-alive that is due. True: took one."""
        now_ms = self._clock.mono_ms()
        if self._alive_due_ms is not None:
            # What waits is taken first: it may be another inverter's.
            if self._alive_due_ms <= now_ms and not listener.pending:
                await self._keep_alive(now_ms)
                return False
            until_ms = min(until_ms, self._alive_due_ms)
        try:
            async with asyncio.timeout(max(0, until_ms - now_ms) / 1000):
                frame = await anext(listener)
        except TimeoutError:
            return False
        return self._take(frame, listener.at_ms)

    def _take(self, frame: CanFrame, at_ms: int) -> bool:
        keep_alive = self._profile.keep_alive
        if keep_alive and (frame.id, frame.extended) == (keep_alive.id, keep_alive.extended):
            # Somebody else, an inverter, keeps the battery company: two on one id would collide.
            self._alive_due_ms = at_ms + 2 * keep_alive.every_ms
            return False
        try:
            key = self._heard.take(frame, at_ms)
        except FrameError:
            self.dropped += 1
            return False
        self._frame_ms = at_ms
        if key in self._table.anchors:
            self._note_anchor(key, at_ms)
        return True

    def _note_anchor(self, key: Key, at_ms: int) -> None:
        """A set begun in the middle of a burst would end in the middle of the next one, and so for ever: what
        it holds of the burst before is waited for again."""
        self._anchor_ms[key] = at_ms
        if key not in self._missing:
            return
        self._missing.discard(key)
        if not self._missing:
            oldest_ms = at_ms - round(EARLY * self._pace_ms)
            self._missing = {key for key, heard_ms in self._anchor_ms.items() if heard_ms < oldest_ms}
            self._complete_ms = None if self._missing else at_ms

    async def _keep_alive(self, now_ms: int) -> None:
        keep_alive = self._profile.keep_alive
        assert keep_alive is not None and self._alive_due_ms is not None
        next_ms = self._alive_due_ms + keep_alive.every_ms
        self._alive_due_ms = next_ms if next_ms > now_ms else now_ms + keep_alive.every_ms
        try:
            async with asyncio.timeout(SEND_S):
                await self._link.send(CanFrame(keep_alive.id, keep_alive.data, keep_alive.extended))
            self._alive_misses = 0
        except TimeoutError:
            raise LinkError(f"{self._link.url}: keep-alive not sent within {SEND_S:g} s") from None
        except LinkError:
            # A full queue may be somebody else's burst, and what the battery says is still heard. A bus
            # that is gone has ended the listener, which says so.
            self._alive_misses += 1
            if self._alive_misses >= ALIVE_MISSES_MAX:
                raise

    def _drop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
