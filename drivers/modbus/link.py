"""RegisterLink and CoilLink over Modbus: one request at a time on a wire, a socket or a serial server.

It owns the connection, the queue, the pauses and the penalties. Whatever the unit ids, one request is
outstanding; writes go before reads; a request is never sent twice; a unit that does not answer is refused
at once for a while, so it does not slow the others. RTU has no transaction ids: after an unanswered
request the line is left alone and late bytes are dropped, and the socket of a serial server is made anew, so
a late answer is never taken for the next one. It refuses to decode: registers leave as the bytes that came.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.hostname import SYSTEM, Resolve
from drivers.modbus.dial import Dialler
from drivers.modbus.exchange import UNREACHABLE, Asked, NotNow, ask_bits, ask_coil, ask_read, ask_write, bits
from drivers.modbus.pacing import READ, WRITE, Backoff, Turns
from drivers.modbus.session import REPLY_S_MAX, NoAnswer, NoFrame, Session
from drivers.modbus.url import LinkUrl, parse
from gateway.clock import Clock
from gateway.errors import DeviceRefused, FrameError, LinkError, Unidentified

# One silent request may be a lost packet; from the second on a unit has to wait.
UNIT_FREE, UNIT_BASE_MS, UNIT_MOST_MS = 1, 1_000, 30_000
# A refused connection costs nothing, but inverters reboot their stack for minutes when hammered.
LINK_FREE, LINK_BASE_MS, LINK_MOST_MS = 0, 500, 30_000
# On TCP nothing at all to this many requests in a row: the connection is half open, make a new one.
SILENT_MAX = 3
# RTU after an unanswered request: nobody speaks for this long, and the late unit itself is not asked
# again for as long as its time-out was. What comes later than that fails the unit and length checks.
QUIET_MS = 250
IDLE_MS = 50  # ... and the line must have been silent this long
QUIET_MS_MAX = 2_000  # a line that babbles on (BMSs talk among themselves) is used all the same


@dataclass(slots=True)
class Counters:
    """What happened on a link since it was made; for metrics and the status page."""

    requests: int = 0
    timeouts: int = 0
    frame_errors: int = 0
    refusals: int = 0
    connects: int = 0
    skipped: int = 0  # requests to units in penalty, never sent


class ModbusLink:
    """A RegisterLink and CoilLink (gateway.driver). `jitter` gives random numbers in 0..1, `resolve` the
    addresses of a host."""

    def __init__(
        self, where: LinkUrl, clock: Clock, jitter: Callable[[], float], resolve: Resolve = SYSTEM.addresses
    ) -> None:
        self.counters = Counters()
        self._clock, self._jitter, self._resolve = clock, jitter, resolve
        self._session: Session | None = None
        self._turns = Turns()
        self._closed = False
        self._begin(where)

    def _begin(self, where: LinkUrl) -> None:
        """Nothing is held against whoever is there."""
        self._where, self.url = where, where.url
        self._dialler = Dialler(where, self._resolve)
        paced = self._clock, self._jitter
        self._units = Backoff(*paced, free=UNIT_FREE, base_ms=UNIT_BASE_MS, most_ms=UNIT_MOST_MS)
        self._line = Backoff(*paced, free=LINK_FREE, base_ms=LINK_BASE_MS, most_ms=LINK_MOST_MS)
        self._silent = 0
        self._pause_until_ms = 0
        # A network may hold an answer back for seconds, for which no quiet time is long enough: what is owed
        # on the socket of a serial server stays with it.
        self._owing = False
        self._late_until_ms: dict[int, int] = {}  # RTU: unit -> when its late answer can no longer come

    @property
    def peer(self) -> str:
        """See gateway.driver.Movable."""
        return self._session.peer if self._session and not self._session.lost else ""

    async def move(self, url: str) -> None:
        """See gateway.driver.Movable. What is being asked is asked to its end."""
        await self.hang_up()
        self._begin(parse(url))

    async def hang_up(self) -> None:
        """See gateway.driver.Movable."""
        await self._turns.enter(WRITE)
        try:
            await self._drop()
        finally:
            self._turns.leave()

    async def read(
        self,
        unit: int,
        table: str,
        address: int,
        count: int,
        *,
        timeout_s: float,
        connection: int | None = None,
    ) -> bytes:
        """See gateway.driver.RegisterLink. ValueError for a request no device could be asked. On
        `connection` (its number) alone, if that is given: Unidentified when it is gone."""
        return await self._transact(ask_read(unit, table, address, count), timeout_s, READ, connection)

    async def write(
        self,
        unit: int,
        address: int,
        registers: Sequence[int],
        *,
        timeout_s: float,
        single: bool = False,
        connection: int | None = None,
    ) -> None:
        """See gateway.driver.RegisterLink; `connection` as of `read`."""
        await self._transact(ask_write(unit, address, registers, single=single), timeout_s, WRITE, connection)

    async def read_bits(
        self,
        unit: int,
        table: str,
        address: int,
        count: int,
        *,
        timeout_s: float,
        connection: int | None = None,
    ) -> tuple[bool, ...]:
        """See gateway.driver.CoilLink; `connection` as of `read`."""
        asked = ask_bits(unit, table, address, count)
        return bits(await self._transact(asked, timeout_s, READ, connection), count)

    async def write_coil(
        self, unit: int, address: int, on: bool, *, timeout_s: float, connection: int | None = None
    ) -> None:
        """See gateway.driver.CoilLink; `connection` as of `read`."""
        await self._transact(ask_coil(unit, address, on), timeout_s, WRITE, connection)

    async def close(self) -> None:
        """End the connection; what is being asked fails, and so does everything after."""
        self._closed = True
        await self._drop()

    async def _transact(
        self, asked: Asked, timeout_s: float, lane: int, connection: int | None = None
    ) -> bytes:
        if not 0 < timeout_s < REPLY_S_MAX:
            raise ValueError(f"timeout_s {timeout_s} is not within 0..{REPLY_S_MAX:g}")
        await self._enter(asked.unit, lane)
        try:
            session = await self._ready(connection)
            if self._pause_until_ms or self._where.rtu:
                await self._pause(session)
            return await self._exchange(session, asked, timeout_s)
        finally:
            self._turns.leave()

    async def _enter(self, unit: int, lane: int) -> None:
        """Wait for the turn, and on RTU for the end of this unit's late window, but never in the turn."""
        while True:
            self._refuse_dead(unit)
            if late_ms := self._late_ms(unit):
                await asyncio.sleep(late_ms / 1000)
            await self._turns.enter(lane)
            if not self._units.remaining_ms(unit) and not self._late_ms(unit):
                return
            self._turns.leave()  # while we waited, another request to this unit failed

    async def _exchange(self, session: Session, asked: Asked, timeout_s: float) -> bytes:
        self.counters.requests += 1
        answered = False
        try:
            data = await session.request(asked, timeout_s)
            answered = True
        except (DeviceRefused, NotNow) as no:
            answered = True
            self.counters.refusals += 1
            if no.code in UNREACHABLE:
                self._units.failed(asked.unit)
            else:
                self._units.succeeded(asked.unit)
            raise
        except LinkError as problem:
            await self._unanswered(asked.unit, problem)
            raise
        finally:
            self._after(asked.unit, timeout_s, answered)
        self._units.succeeded(asked.unit)
        return data

    def _after(self, unit: int, timeout_s: float, answered: bool) -> None:
        """Whatever the outcome, also cancellation: when may the line be used again?"""
        pause_ms = self._where.pause_ms
        if answered:
            self._silent = 0
            self._line.succeeded(self.url)
        elif self._where.rtu:
            self._late_until_ms[unit] = self._clock.mono_ms() + round(timeout_s * 1000) + 1
            pause_ms = max(pause_ms, QUIET_MS)
            self._owing = self._where.scheme == "rtutcp"
        if pause_ms:
            self._pause_until_ms = self._clock.mono_ms() + pause_ms + 1  # the clock counts whole ms

    async def _unanswered(self, unit: int, problem: LinkError) -> None:
        if isinstance(problem, FrameError):
            self.counters.frame_errors += 1
        if isinstance(problem, NoAnswer):
            self.counters.timeouts += 1
            self._silent += 1
        if isinstance(problem, NoAnswer | NoFrame):
            self._units.failed(unit)
            # A stream that lost its framing does not find it again; a half-open one never answers.
            if not self._where.rtu and (isinstance(problem, NoFrame) or self._silent >= SILENT_MAX):
                self._silent = 0
                await self._drop()

    async def _ready(self, connection: int | None) -> Session:
        """The connection that there is, or a new one; but only that with this number, if one is given. What
        is asked for here is asked in the turn, so no other can come between it and the request."""
        session = self._session
        if session is not None and not session.lost and not self._owing:
            if connection in (None, self.counters.connects):
                return session
        elif connection is None:
            return await self._connect()
        raise Unidentified(f"{self.url}: the connection on which it was known who answers is gone")

    async def _connect(self) -> Session:
        await self._drop()
        self._refuse_closed()
        if remaining_ms := self._line.remaining_ms(self.url):
            raise LinkError(f"{self.url}: not connected, next attempt in {remaining_ms / 1000:.1f} s")
        self._owing = False
        self._line.failed(self.url)  # until a reply proves the connection good
        session = await self._dialler.open()
        self._session = session
        if self._closed:  # meanwhile
            await self._drop()
        self._refuse_closed()
        self.counters.connects += 1
        # A serial server may still have old bytes to send: on RTU hear the line out before speaking.
        settle_ms = max(self._where.settle_ms, IDLE_MS if self._where.rtu else 0)
        if settle_ms:
            await asyncio.sleep(settle_ms / 1000)
        return session

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise LinkError(f"{self.url}: the link is closed")

    def _refuse_dead(self, unit: int) -> None:
        if remaining_ms := self._units.remaining_ms(unit):
            self.counters.skipped += 1
            raise LinkError(
                f"{self.url} unit {unit}: did not answer, asked again in {remaining_ms / 1000:.1f} s"
            )

    def _late_ms(self, unit: int) -> int:
        """RTU: how long a late answer to this unit's last request is still to be expected."""
        if unit not in self._late_until_ms:
            return 0
        if (left_ms := self._late_until_ms[unit] - self._clock.mono_ms()) > 0:
            return left_ms
        del self._late_until_ms[unit]
        return 0

    async def _pause(self, session: Session) -> None:
        """Keep the gap; on RTU hear out the line. What arrives meanwhile is dropped by the next send."""
        give_up_ms = self._clock.mono_ms() + max(self._where.pause_ms, QUIET_MS_MAX)
        while (left_ms := self._pause_until_ms - self._clock.mono_ms()) > 0:
            seen = session.chunks_seen
            await asyncio.sleep(left_ms / 1000)
            now_ms = self._clock.mono_ms()
            if self._where.rtu and session.chunks_seen != seen and now_ms < give_up_ms:
                self._pause_until_ms = max(self._pause_until_ms, now_ms + IDLE_MS)
        self._pause_until_ms = 0
        if self._where.rtu:
            # Bytes may still lie in the kernel: the first round polls it, the second runs the reader.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
