"""One task per device: reaches it, polls it on a fixed grid, writes its setpoint, says how it is.

A device that does not answer is expected: it is counted, left alone for a growing, jittered while, and
reached again, and it never holds up another. It owns the driver from connect to close. It refuses to
interpret samples: they go to `on_sample` as they come, and what that raises ends the task.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.beside import BesideWriter
from gateway.clock import Clock
from gateway.driver import Actuator, Driver, IslandActuator, Named, ReactiveActuator, Switches
from gateway.errors import LinkError, Unidentified
from gateway.model import Points, Sample
from gateway.reactive import ReactiveWriter
from gateway.relay import RelayWriter
from gateway.separation import SeparationWriter
from gateway.setpoint import SetpointWriter
from gateway.site import Device
from gateway.standing import NOBODY, Standing
from gateway.tape import Tap

PAUSE_FIRST_S = 1.0
PAUSE_MOST_S = 30.0  # a device that is back is used again within half a minute
MISSES_MAX = 3  # in a row: one lost poll is noise on a wire, three are an absence
CONNECT_S_MAX = 120.0  # a SunSpec scan over slow RTU takes tens of seconds


@dataclass(frozen=True, slots=True)
class Health:
    """How a device is. Times are monotonic ms; `failures` counts in a row, `misses` since the start."""

    device: str
    online: bool = False
    since_ms: int = 0
    failures: int = 0
    misses: int = 0
    samples: int = 0
    skipped: int = 0  # polls left out because the one before took too long
    last_error: str = ""
    stranger: bool = False  # another device answered in its place since it went
    found_at: str = ""  # the link to where it is, when that is not what site.yaml says
    identity: Mapping[str, str] = field(default_factory=dict)


class Stranger(LinkError):
    """Another device answers than the one that site.yaml names."""


class DeviceTask:
    """`on_identity(device, identity)` and `on_points(device, points, poll_ms)` are called at each connect,
    `on_sample` for each sample; all are synchronous. `tap` hears of both. `standing` is told on which
    connection the device was identified. `random` gives [0, 1)."""

    def __init__(
        self,
        device: Device,
        driver: Driver,
        clock: Clock,
        random: Callable[[], float],
        *,
        on_identity: Callable[[str, Mapping[str, str]], None] = lambda _name, _identity: None,
        on_points: Callable[[str, Points, int], None],
        on_sample: Callable[[Sample], None],
        tap: Tap | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._device = device
        self._driver = driver
        self._clock = clock
        self._random = random
        self._on_identity = on_identity
        self._on_points = on_points
        self._on_sample = on_sample
        self._tap = tap or Tap(clock)
        self._standing = standing or Standing()
        self._attempts = 0
        self._home = device.link
        self._again = asyncio.Event()  # there is a reason not to wait longer
        self.health = Health(device.name, since_ms=clock.mono_ms())
        commanded = device.control and isinstance(driver, Actuator)
        self.hand = SetpointWriter(device, driver, clock) if commanded else None  # type: ignore[arg-type]
        reacts = commanded and isinstance(driver, ReactiveActuator)
        self.reactive = ReactiveWriter(device, driver, clock) if reacts else None  # type: ignore[arg-type]
        parts = commanded and isinstance(driver, IslandActuator)
        self.connection = SeparationWriter(device, driver, clock) if parts else None  # type: ignore[arg-type]
        self.relays = RelayWriter(device, driver, clock) if isinstance(driver, Switches) else None

    async def run(self) -> None:
        """Until cancelled. LinkErrors are the device's affair and stay here."""
        while True:
            try:
                await self._session()
            except LinkError as error:
                self._went(error)
                for hand in self._writers():
                    hand.lost()
                await self._driver.close()
            await self._pause()

    @property
    def device(self) -> Device:
        """As it is reached now: its link is where it was found last."""
        return self._device

    def moved(self, link: str) -> None:
        """Its link leads there from now on; who answers is identified like anybody."""
        self._device = replace(self._device, link=link)
        self._attempts = 0
        self._note(found_at="" if link == self._home else link, stranger=False)
        self._again.set()

    async def _session(self) -> None:
        """From connect to the failure that ends it."""
        self._standing.identified = NOBODY
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                identity = await self._identify()
        except TimeoutError as error:
            raise LinkError(f"{self._device.name} was not identified in {CONNECT_S_MAX:.0f} s") from error
        self._on_identity(self._device.name, identity)
        self._on_points(self._device.name, self._driver.points, self._device.poll_ms)
        now_ms = self._clock.mono_ms()
        self._note(online=True, since_ms=now_ms, failures=0, stranger=False, identity=dict(identity))
        works = [self._listen() if self._driver.pushed else self._poll()]
        works += [self._serve(hand) for hand in self._writers()]
        await _together(works)

    async def _identify(self) -> Mapping[str, str]:
        """Reach it, and know on which connection it said who it is: one that was made meanwhile may lead to
        somebody else. So the serial number is asked for once more on the one that there is then."""
        before = self._standing.connects()
        self._tap.connecting()
        identity = await self._driver.connect()
        self._tap.connected()
        check_serial(self._device, identity)
        on = self._standing.connects()
        if self._device.serial and on != before:
            check_serial(self._device, {"serial": await self._serial_number()})
            if self._standing.connects() != on:
                raise LinkError(f"{self._device.name}: the connection was lost while it was identified")
        self._standing.identified = on
        return identity

    async def _serial_number(self) -> str:
        if isinstance(self._driver, Named):
            return await self._driver.serial_number()
        return (await self._driver.connect()).get("serial", "")

    def _writers(self) -> list[SetpointWriter | BesideWriter | RelayWriter]:
        hands = (self.hand, self.reactive, self.connection, self.relays)
        return [hand for hand in hands if hand is not None]

    async def _listen(self) -> None:
        """A device that speaks by itself: the end of its bus is the end of the session."""
        while True:
            self._take(await self._driver.read())

    async def _poll(self) -> None:
        """On the grid of the first poll: no drift, and what cannot be kept up with is left out."""
        slot_ms = self._clock.mono_ms()
        while True:
            try:
                self._take(await self._driver.read())
            except LinkError as error:
                self._missed(error)
            slot_ms = self._next_slot_ms(slot_ms)
            await asyncio.sleep((slot_ms - self._clock.mono_ms()) / 1000)

    def _next_slot_ms(self, slot_ms: int) -> int:
        late_ms = self._clock.mono_ms() - slot_ms
        passed = late_ms // self._device.poll_ms
        self._note(skipped=self.health.skipped + passed)
        return slot_ms + (passed + 1) * self._device.poll_ms

    async def _serve(self, hand: SetpointWriter | BesideWriter | RelayWriter) -> None:
        while True:
            try:
                await hand.serve()
                return  # closed, with the fallback written; or this device has nothing of the kind
            except LinkError as error:
                self._missed(error)
                await asyncio.sleep(self._device.poll_ms / 1000)

    def _take(self, sample: Sample) -> None:
        self._attempts = 0  # not at the connect: a device may say who it is, and nothing more
        self._note(samples=self.health.samples + 1, failures=0)
        self._on_sample(sample)
        self._tap.sample(sample)

    def _missed(self, error: LinkError) -> None:
        """A new connection may lead to another device: one that must be a certain one is identified anew."""
        self._note(failures=self.health.failures + 1, misses=self.health.misses + 1, last_error=str(error))
        if self.health.failures >= MISSES_MAX or isinstance(error, Unidentified):
            raise error

    def _went(self, error: LinkError) -> None:
        """Offline; the moment it went is kept through the attempts that follow."""
        since_ms = self._clock.mono_ms() if self.health.online else self.health.since_ms
        self._attempts += 1
        failures = self.health.failures + (0 if self.health.online else 1)  # online: the miss was counted
        stranger = self.health.stranger or isinstance(error, Stranger)
        self._note(
            online=False, since_ms=since_ms, failures=failures, last_error=str(error), stranger=stranger
        )

    async def _pause(self) -> None:
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_s()):
                await self._again.wait()

    def _pause_s(self) -> float:
        longest_s: float = min(PAUSE_MOST_S, PAUSE_FIRST_S * 2 ** min(self._attempts - 1, 16))
        return longest_s * (0.5 + self._random() / 2)

    def _note(self, **changes: Any) -> None:
        self.health = replace(self.health, **changes)


def check_serial(device: Device, identity: Mapping[str, str]) -> None:
    """Stranger when what answers is not the device that site.yaml names: nothing of it is believed."""
    said = identity.get("serial", "")
    if device.serial and said != device.serial:
        who = f"serial number {said}" if said else "a device that says no serial number"
        how = "it is looked for" if device.find else "gridseal scan finds it"
        raise Stranger(
            f"{device.name}: {who} answers at {device.link}, not {device.serial}: another device has its "
            f"address; {how}"
        )


async def _together(works: list[Coroutine[Any, Any, None]]) -> None:
    """Run all, none of which returns; when one fails, cancel the others and raise its error: a bug before
    a LinkError. The first runs in this task: Python 3.11 counts a cancellation too many when a group fails
    while nothing but the group is waited for, and every timeout further out would then miss its mark."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works[1:]:
                group.create_task(work)
            await works[0]
    except ExceptionGroup as failed:
        bugs = [e for e in failed.exceptions if not isinstance(e, LinkError)]
        raise (bugs or failed.exceptions)[0] from None
