"""The making of a capture: through the running daemon, or by reading the device, until a bound ends it.

The daemon goes first, for many devices talk to one master only, and because only its readings are evidence.
Owns the header and the bounds. It refuses to open a link beside a daemon, and to write to a device.
"""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from gateway.capturefile import Writer
from gateway.clock import Clock, SystemClock
from gateway.device import DeviceTask
from gateway.driver import Plugin
from gateway.errors import ConfigError
from gateway.site import Device, Site
from gateway.tape import Event
from gateway.uplink.local import NoDaemon, ask
from gateway.wiring import Wiring

FETCH_S = 0.5

Begin = Callable[[Mapping[str, Any]], Writer]
Show = Callable[[int, Writer], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be captured, for how long and how much. `mask` None: everything is kept."""

    site: Site
    device: Device
    plugins: dict[str, Plugin]
    profile: Any
    for_ms: int
    size: int
    mask: Callable[[Event], Event] | None

    @property
    def link(self) -> str:
        return f"{self.device.link.partition('://')[0]}://masked" if self.mask else self.device.link

    def header(self, began: Mapping[str, Any], by: str) -> dict[str, Any]:
        device = self.device
        at = datetime.fromtimestamp(began["wall_ms"] / 1000, UTC).isoformat(timespec="milliseconds")
        return {
            "software": f"gridseal {version('gridseal')}",
            "site": self.site.id,
            "device": {
                "name": device.name, "profile": device.profile_name, "link": self.link, "unit": device.unit,
                "poll_ms": device.poll_ms,
            },
            "began": {"at": at, "wall_ms": began["wall_ms"], "clock": began["clock"]},
            "by": by,
            "masked": self.mask is not None,
            "profile_digest": device.profile_digest.hex(),
            "profiles": {d.name: d.profile_digest.hex() for d in self.site.devices},
            "profile": self.profile,
        }  # fmt: skip

    def shown(self, event: Event, began_ms: int) -> Event:
        """As it goes into the file: times from the beginning on, masked."""
        event = {**event, "ms": event["ms"] - began_ms}
        if self.mask and "failed" in event:
            event["failed"] = "masked"  # the words name the place
        return self.mask(event) if self.mask else event


@dataclass(frozen=True, slots=True)
class Done:
    writer: Writer
    digest: str
    why: str
    error: str = ""  # the last of the device, when it did not answer


async def captured(job: Job, begin: Begin, show: Show) -> Done:
    """Until the time, the size or somebody ends it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        try:
            began = await ask(job.site.socket, {"do": "capture", "step": "begin", "device": job.device.name})
        except NoDaemon:
            return await itself(job, begin, show, stop)
        return await by_daemon(job, begin, began, show, stop)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def by_daemon(
    job: Job, begin: Begin, began: Mapping[str, Any], show: Show, stop: asyncio.Event
) -> Done:
    """Fetch page after page of what the daemon records."""
    if began["profile_digest"] != job.device.profile_digest.hex():
        raise ConfigError(f"the daemon runs with another {job.device.profile_name}: start it again")
    writer, clock, why = begin(job.header(began, "daemon")), SystemClock(), ""
    start_ms = clock.mono_ms()
    while not why:
        await _pause(stop)
        spent_ms = clock.mono_ms() - start_ms
        why = _over(job, writer, spent_ms, stop)
        page = await ask(job.site.socket, {"do": "capture", "step": "end" if why else "more"})
        while page["events"] and writer.size < job.size:
            for event in page["events"]:
                writer.event(job.shown(event, began["mono_ms"]))
            page = await ask(job.site.socket, {"do": "capture", "step": "more"})
        why = why or page["why"]
        show(spent_ms, writer)
    return Done(writer, writer.end(clock.mono_ms() - start_ms, why), why)


async def itself(job: Job, begin: Begin, show: Show, stop: asyncio.Event) -> Done:
    """Read the device as the daemon would, and only read."""
    clock: Clock = SystemClock(assume_synchronised=job.site.trust_host_clock)
    now = clock.now()
    writer = begin(job.header({"wall_ms": now.wall_ms, "clock": now.trust.name}, "capture"))
    device, why = replace(job.device, control=False), ""
    async with Wiring(job.plugins, clock) as wiring:
        driver, tap = wiring.driver(device), wiring.taps.get(device.name)
        if tap is None:
            raise ConfigError(wiring.untapped(device))
        tap.sink = lambda event: writer.event(job.shown(event, now.mono_ms))
        task = DeviceTask(
            device, driver, clock, random.random,
            on_points=lambda *_: None, on_sample=lambda _: None, tap=tap,
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(task.run())
            while not why:
                await _pause(stop)
                show(clock.mono_ms() - now.mono_ms, writer)
                why = _over(job, writer, clock.mono_ms() - now.mono_ms, stop)
            tap.sink = None
            reading.cancel()
    return Done(writer, writer.end(clock.mono_ms() - now.mono_ms, why), why, task.health.last_error)


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(FETCH_S):
            await stop.wait()


def _over(job: Job, writer: Writer, spent_ms: int, stop: asyncio.Event) -> str:
    if stop.is_set():
        return "interrupted"
    if writer.size >= job.size:
        return "size"
    return "time" if spent_ms >= job.for_ms else ""
