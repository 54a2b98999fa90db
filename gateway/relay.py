"""The switching half of a device's task: relays that hold loads off for as long as somebody renews it.

Like a setpoint it is a lease: at every start, at the end of a lease and at the end of the daemon all loads
are on. What the relays really do is read each poll and put right. It refuses to choose loads: shedding.py
does.
"""

import asyncio
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.driver import Switches
from gateway.errors import LinkError
from gateway.site import Device


@dataclass(frozen=True, slots=True)
class RelayHold:
    """The relays of a device now: channels that are off as read back; None until they were read."""

    device: str
    online: bool = False
    off: frozenset[str] | None = None
    switched: int = 0  # since the start


class RelayWriter:
    """`serve` runs while the device is connected; `desire`, `release` and `fallback` are control's."""

    def __init__(self, device: Device, switches: Switches, clock: Clock) -> None:
        self._device = device
        self._switches = switches
        self._clock = clock
        self._lease: tuple[frozenset[str], int] = (frozenset(), 0)  # channels to be off, until
        self._kick = asyncio.Event()
        self._rounds = asyncio.Condition()
        self._begun = self._ended = 0  # rounds
        self.hold = RelayHold(device.name)

    def desire(self, off: frozenset[str], until_ms: int) -> None:
        """Have these channels off, all others on, until then (monotonic) unless renewed."""
        changed = off != self._wanted(self._clock.mono_ms())
        self._lease = (off, until_ms)
        if changed:
            self._kick.set()

    def release(self) -> None:
        """All on."""
        self.desire(frozenset(), 0)

    async def fallback(self, timeout_s: float) -> bool:
        """All on, now; whether the relays say so in time."""
        self.release()
        asked_in = self._begun  # a round that is under way may still hold the wish before
        try:
            async with asyncio.timeout(timeout_s):
                if self.hold.online:
                    async with self._rounds:
                        await self._rounds.wait_for(lambda: self._ended > asked_in)
                else:
                    await self._round()
        except (TimeoutError, LinkError):
            return False
        return self.hold.off == frozenset()

    def lost(self) -> None:
        """The device is gone: what its relays do is not known until they are read again."""
        self.hold = replace(self.hold, online=False, off=None)

    async def serve(self) -> None:
        """Put the relays right, each poll and when asked, until cancelled. LinkError when one fails."""
        self.hold = replace(self.hold, online=True)
        while True:
            self._kick.clear()
            await self._round()
            async with self._rounds:
                self._rounds.notify_all()
            await self._wait()

    async def _wait(self) -> None:
        """Until the next poll, the end of the lease, or a wish."""
        now_ms, until_ms = self._clock.mono_ms(), self._lease[1]
        pause_ms = self._device.poll_ms
        if until_ms > now_ms:
            pause_ms = min(pause_ms, until_ms - now_ms)
        try:
            async with asyncio.timeout(pause_ms / 1000):
                await self._kick.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        """What is not as wanted is switched, and what came of it read."""
        self._begun += 1
        found = await self._switches.switched()
        wanted = self._wanted(self._clock.mono_ms())
        wrong = [channel for channel, on in found.items() if on == (channel in wanted)]
        for channel in wrong:
            self.hold = replace(self.hold, switched=self.hold.switched + 1)
            await self._switches.switch(channel, channel not in wanted)
        if wrong:
            found = await self._switches.switched()
        self.hold = replace(self.hold, off=frozenset(channel for channel, on in found.items() if not on))
        self._ended = self._begun

    def _wanted(self, now_ms: int) -> frozenset[str]:
        off, until_ms = self._lease
        return off if now_ms < until_ms else frozenset()
