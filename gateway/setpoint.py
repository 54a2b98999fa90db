"""The writing half of a device's task: arm, write, read back, refresh, release.

It holds the latest lease in a single slot, so that an old power can never follow a new one, and ends it
by itself when control stops renewing. Invariants kept here: 4 (timer armed and read back before the first
power, refreshed well inside it), 7 (read back), 8 (fallback first), 12 (nothing unchanged rewritten,
budgeted writes only on grant), 14 (foreign writes). It refuses to judge powers: that is the envelope's.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

from gateway.clock import Clock
from gateway.driver import Actuator
from gateway.errors import DeviceRefused, LinkError, Unidentified
from gateway.lease import Hold, Phase, Proven
from gateway.model import CommandClass, ReadBack, SetpointSpec
from gateway.site import Device

REFRESH_PARTS = 4  # a quarter of the timer, so that a slow exchange still ends within a third
FOREIGN_READS = 2  # two reads must agree that a value is not ours: one may be a device's cache
RELEASE_TRIES = 3
ALONE_PARTS = 20  # left alone it keeps its power while what is asked is within a twentieth
OWN_TIMER = frozenset({CommandClass.SELF_EXPIRING, CommandClass.WATCHDOG})


class SetpointWriter:
    """A gateway.lease.Hand. `serve` runs while the device is connected; `unit` is for words."""

    def __init__(self, device: Device, actuator: Actuator, clock: Clock, unit: str = "W") -> None:
        self._device = device
        self._unit = unit
        self._actuator = actuator
        self._clock = clock
        self._hold = Hold(device.name, Phase.UNKNOWN, online=False)
        self._lease: tuple[int, int] | None = None  # power, until
        self._kick = asyncio.Event()
        self._released = asyncio.Event()
        self._serving = self._closed = False
        self._armed = False
        self._arming_ms: int | None = None  # since when the device's timer was asked for and does not run
        self._arm_again_ms = 0
        self._refreshed_ms = self._checked_ms = 0
        self._doubt_ms: int | None = None  # since when a write has not been seen to hold
        self._timer_seen = False
        self._release_tries = 0
        self._release_checked = True
        self._alone_until_ms = 0
        self._distrusted = ""

    @property
    def hold(self) -> Hold:
        return self._hold

    def quantise(self, power_w: int) -> int:
        return self._actuator.quantise(power_w) if self._hold.spec else 0

    def desire(self, power_w: int, until_ms: int) -> None:
        if self._closed or self._hold.fault:
            return
        changed = self._lease is None or self._lease[0] != power_w
        self._lease = (power_w, until_ms)
        if changed:
            self._kick.set()

    def release(self) -> None:
        if self._lease is not None:
            self._lease = None
            self._kick.set()

    def grant(self, writes: int) -> None:
        self._change(allowance=self._hold.allowance + writes)
        self._kick.set()

    def clear(self) -> None:
        if self._hold.fault:
            self._lease = None
            self._release_tries = 0
            self._change(fault=self._distrusted, foreign=False, phase=Phase.UNKNOWN)
            self._kick.set()

    @property
    def distrusted(self) -> str:
        return self._distrusted

    def prove(self, proven: Proven | None) -> None:
        """What its certificate says; what is armed next counts with it."""
        self._change(proven=proven)

    def distrust(self, text: str) -> None:
        """It is not what it was when commissioned: a fault that no operator clears. Empty: it is again."""
        if text == self._distrusted:
            return
        if self._hold.fault and self._hold.fault == self._distrusted:
            self._change(fault="")
        self._distrusted = text
        if text:
            self._fault(text)
        self._kick.set()

    def leave_alone(self, until_ms: int) -> bool:
        """Renew nothing until then, as if the gateway were dead, while reading goes on: so its own timer is
        measured. Only a power that is held under one is; whatever control asks otherwise ends it."""
        if self._hold.phase is not Phase.HELD or self._spec.command_class not in OWN_TIMER:
            return False
        self._alone_until_ms = until_ms
        self._change(alone=True)
        self._kick.set()
        return True

    async def fallback(self, timeout_s: float) -> bool:
        self._lease, self._closed = None, True
        if self._hold.foreign:
            return False  # 14: yielded is yielded
        self._kick.set()
        try:
            async with asyncio.timeout(timeout_s):
                if not self._serving and self._hold.phase is not Phase.RELEASED:
                    with suppress(Unidentified):  # `serve` writes it, if it says in time who it is
                        await self._write_release()
                await self._released.wait()
        except (TimeoutError, LinkError):
            return False
        return True

    def lost(self) -> None:
        """The device is gone: what it holds is not known until it is reached again."""
        self._lease = None
        self._disarm()
        foreign = self._hold.foreign
        self._change(online=False, phase=Phase.YIELDED if foreign else Phase.UNKNOWN, read_back=None)

    async def serve(self) -> None:
        """Serve the lease until cancelled; LinkError when an exchange failed: call again, or reconnect."""
        self._serving = True
        self._change(online=True)
        try:
            while not (self._closed and self._hold.phase is Phase.RELEASED):  # nothing more will be asked
                self._kick.clear()
                if self._hold.spec != self._spec:  # a device may tell its nameplate later than it connects
                    self._change(spec=self._spec)
                now_ms = self._clock.mono_ms()
                if not await self._step(now_ms):
                    await self._wait(now_ms)
        except LinkError:
            # Whatever was under way, the way back begins at zero: control sees that and ramps again.
            self._lease = None
            self._disarm()
            if self._hold.phase is not Phase.YIELDED:
                self._change(phase=Phase.UNKNOWN)
            raise
        finally:
            self._serving = False

    async def _wait(self, now_ms: int) -> None:
        """Until something is due or asked for. At `now_ms` nothing was."""
        pause_ms = self._due_ms(now_ms) - self._clock.mono_ms()
        try:
            async with asyncio.timeout(max(0, pause_ms) / 1000):
                await self._kick.wait()
        except TimeoutError:
            return

    def _due_ms(self, now_ms: int) -> int:
        """When to look again without being asked. What was due by `now_ms` and not done waits for something
        else, so it must not keep this task busy."""
        due = [self._checked_ms + self._device.poll_ms, self._hold.since_ms + self._spec.settle_s * 1000]
        if self._lease is not None:
            due.append(self._lease[1])
        if self._hold.alone:
            due.append(self._alone_until_ms)
        if self._arming_ms is not None:
            due.append(self._arm_again_ms)
        if (refresh_ms := self._refresh_ms()) and self._lease is not None and not self._hold.alone:
            due.append(self._refreshed_ms + refresh_ms)
        return min((d for d in due if d > now_ms), default=now_ms + self._device.poll_ms)

    async def _step(self, now_ms: int) -> bool:
        """Do the one thing that is due most; False when nothing is."""
        if self._hold.foreign:
            return False  # 14: not one write more
        if self._lease is not None and now_ms >= self._lease[1]:
            self._lease = None  # control did not renew it: it is over
        if self._hold.alone:
            self._watch_alone(now_ms)
        if self._lease is None:
            self._arming_ms = None  # given up: the next lease has its own time to arm in
        if self._lease is None or self._hold.phase is Phase.UNKNOWN:  # 8: the fallback comes first
            return await self._release_due(now_ms)
        changed = self._lease[0] != self._hold.power_w or self._hold.phase is Phase.RELEASED
        changed = changed and not self._hold.alone
        if changed or self._refresh_due(now_ms):
            return await self._power_due(now_ms)
        if now_ms - self._checked_ms >= self._device.poll_ms:
            await self._check(now_ms)
            return True
        return False

    def _watch_alone(self, now_ms: int) -> None:
        """8: what it does after it was left alone is not known: the fallback comes before any power. A power
        that is divided among several batteries wanders a little meanwhile."""
        held_w = self._hold.power_w
        asked = self._lease is not None and ALONE_PARTS * abs(self._lease[0] - held_w) <= abs(held_w)
        if not asked or now_ms >= self._alone_until_ms or self._hold.phase is not Phase.HELD:
            self._lease = None
            self._change(alone=False, phase=Phase.UNKNOWN)

    # -- the fallback -----------------------------------------------------------------------------

    async def _release_due(self, now_ms: int) -> bool:
        if self._hold.phase is not Phase.RELEASED:
            await self._write_release()
            return True
        settled_ms = self._hold.since_ms + self._spec.settle_s * 1000
        if self._release_checked or now_ms < settled_ms:
            return False
        self._checked_ms, self._release_checked = now_ms, True
        held = await self._read_back()
        if held.active and not held.rests(self._spec.step_w):
            return self._release_again()
        self._release_tries = 0
        return True

    def _release_again(self) -> bool:
        """It still holds a power after the fallback was written: again, a few times, then say so."""
        self._release_tries += 1
        if self._release_tries >= RELEASE_TRIES:
            self._fault(f"{self._device.name} does not take the fallback", Phase.RELEASED)
        else:
            self._change(phase=Phase.UNKNOWN)
        return True

    async def _write_release(self) -> None:
        self._disarm()
        self._doubt_ms = None
        self._count(power=False)
        try:
            await self._actuator.release()
        except DeviceRefused as error:
            raise LinkError(f"{self._device.name} refused the fallback: {error}") from error
        now_ms = self._clock.mono_ms()
        self._lease = None  # 5: asked before, and from another power: control asks again, and ramps from here
        self._release_checked, self._checked_ms = False, now_ms
        self._change(phase=Phase.RELEASED, power_w=0, since_ms=now_ms, timer_s=0, ends_s=0)

    # -- a power ----------------------------------------------------------------------------------

    async def _power_due(self, now_ms: int) -> bool:
        # An earlier write is looked at before it is overwritten: else a foreign one would never be seen.
        if self._hold.phase in (Phase.HELD, Phase.WRITTEN) and not await self._check(now_ms):
            return True
        if self._spec.writes_per_day and self._hold.allowance < 1:
            return False  # 12: not on the durable count, not written
        if self._arming_ms is not None and now_ms < self._arm_again_ms:
            return False
        try:
            if not self._armed and not await self._arm():
                return bool(self._hold.fault)
            if self._lease is not None and self._clock.mono_ms() < self._lease[1]:  # exchanges took time
                await self._write_power(self._lease[0])
        except DeviceRefused as error:  # a refused value is never tried again
            self._fault(f"{self._device.name} refused a setpoint: {error}")
        return True

    async def _arm(self) -> bool:
        """4: the device's own timer, started and read back before the first power."""
        if self._spec.timeout_s:
            self._count(power=False)
            read_s = await self._actuator.arm(self._spec.timeout_s)
            if read_s <= 0 and self._spec.command_class is CommandClass.SELF_EXPIRING:
                self._not_armed(self._clock.mono_ms())
                return False
            # A watchdog served by writing has nothing to read: its time is the profile's, or measured.
            proven = self._hold.proven or Proven("")
            claimed = (read_s or self._spec.timeout_s, self._device.timer_s)
            known = [s for s in (*claimed, proven.obeyed_s, proven.reverted_s) if s > 0]
            doubt_s = (
                0 if proven.reverted_s else self._spec.ends_s
            )  # sources that disagree, until it is measured
            ends_s = 0 if proven.endless else max(doubt_s, *known, 0)
            self._change(timer_s=min(known, default=0), ends_s=ends_s)
            self._refreshed_ms = self._clock.mono_ms()
        self._armed, self._arming_ms = True, None
        return True

    def _not_armed(self, now_ms: int) -> None:
        """Some devices say only in their next cycle that it runs: asked again until they had settle_s."""
        self._arming_ms = now_ms if self._arming_ms is None else self._arming_ms
        self._arm_again_ms = now_ms + self._device.poll_ms
        if now_ms - self._arming_ms >= self._spec.settle_s * 1000:
            self._fault(f"the reversion timer of {self._device.name} did not start")

    def _disarm(self) -> None:
        self._armed, self._arming_ms = False, None

    async def _write_power(self, power_w: int) -> None:
        now_ms = self._clock.mono_ms()
        since_ms = self._hold.since_ms
        if power_w != self._hold.power_w or self._hold.phase is Phase.RELEASED:
            since_ms = now_ms
        self._count(power=True)
        self._refreshed_ms = now_ms
        self._doubt_ms = now_ms if self._doubt_ms is None else self._doubt_ms
        self._change(phase=Phase.WRITTEN, power_w=power_w, since_ms=since_ms)
        await self._actuator.write_power(power_w)
        self._change(written_ms=self._clock.mono_ms())
        await self._check(self._clock.mono_ms())

    async def _check(self, now_ms: int) -> bool:
        """7, 14: what the device holds against what was written; True while all is well or may become so."""
        self._checked_ms = now_ms
        held = await self._read_back()
        if self._hold.phase is Phase.HELD:
            for _ in range(FOREIGN_READS - 1):
                held = held if self._is_ours(held) else await self._read_back()
        if self._is_ours(held):
            self._doubt_ms = None
            self._change(phase=Phase.HELD)
            return True
        if self._hold.alone and self._its_own(held):
            return True  # what is waited for; who measures it asks for the fallback
        if self._ran_out(held, now_ms):  # away for longer than the timer: the device did as it was told
            self._lease = None
            self._change(phase=Phase.UNKNOWN)
        elif self._hold.phase is Phase.HELD:
            self._foreign(held)
        elif self._doubt_ms is None or now_ms - self._doubt_ms < self._spec.settle_s * 1000:
            return True
        else:
            told = f"{self._hold.power_w} {self._unit}"
            text = f"{self._device.name} holds {self._held(held)} though {told} was written"
            self._fault(text)
        return False

    async def _read_back(self) -> ReadBack:
        held = await self._actuator.read_back()
        self._timer_seen = self._timer_seen or held.timer_s > 0
        self._change(read_back=held)
        return held

    def _is_ours(self, held: ReadBack) -> bool:
        near = held.may_be(self._hold.power_w, self._spec.step_w)
        timed = held.timer_s > 0 or self._hold.timer_s == 0 or not self._timer_seen
        return near and held.active and timed

    def _its_own(self, held: ReadBack) -> bool:
        """Whether it shows that it obeys nobody any more."""
        timed_out = self._timer_seen and held.timer_s == 0
        return not held.active or timed_out or held.rests(self._spec.step_w)

    def _ran_out(self, held: ReadBack, now_ms: int) -> bool:
        timer_ms = self._hold.timer_s * 1000
        return not held.active and 0 < timer_ms <= now_ms - self._refreshed_ms

    # -- faults and figures -----------------------------------------------------------------------

    def _foreign(self, held: ReadBack) -> None:
        """14: another master. Two of them fighting over a register is worse than either."""
        text = f"somebody else controls {self._device.name}: it holds {self._held(held)}, not ours"
        self._lease = None
        self._change(phase=Phase.YIELDED, fault=text, foreign=True)

    def _fault(self, text: str, phase: Phase = Phase.UNKNOWN) -> None:
        """7: latched; the fallback follows at once, and no power until it is cleared."""
        self._lease = None
        self._change(fault=text, phase=phase)

    @property
    def _spec(self) -> SetpointSpec:
        return self._actuator.setpoint

    def _refresh_ms(self) -> int:
        """How often an unchanged power is written again; 0: never."""
        periods = [self._hold.timer_s * 1000 // REFRESH_PARTS, self._spec.refresh_s * 1000]
        return min((p for p in periods if p > 0), default=0) if self._spec.command_class in OWN_TIMER else 0

    def _refresh_due(self, now_ms: int) -> bool:
        refresh_ms = 0 if self._hold.alone else self._refresh_ms()
        return refresh_ms > 0 and now_ms - self._refreshed_ms >= refresh_ms

    def _count(self, *, power: bool) -> None:
        """Counted before it is sent: one that failed may have arrived."""
        hold = self._hold
        budget = hold.allowance - 1 if self._spec.writes_per_day else 0
        self._change(writes=hold.writes + 1, power_writes=hold.power_writes + power, allowance=budget)

    def _change(self, **changes: object) -> None:
        self._hold = replace(self._hold, **changes)  # type: ignore[arg-type]
        if self._hold.phase is Phase.RELEASED:
            self._released.set()
        else:
            self._released.clear()

    def _held(self, held: ReadBack) -> str:
        told = "a power" if held.power_w is None else f"{held.power_w} {self._unit}"
        return told + ("" if held.active else " and does not obey it")
