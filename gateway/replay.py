"""Plays a capture to the real driver, offline, and compares what it says with what it said then.

Owns the order: connect, refresh and sample happen where they happened. It opens no link and waits for
nothing; it refuses to judge a capture that no driver here can play.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import yamlfile
from gateway.capturefile import Capture, Points, sample_of
from gateway.driver import Driver, Plugin
from gateway.errors import ConfigError, LinkError
from gateway.model import Quality, Sample
from gateway.site import Device
from gateway.tape import Recordable, Refreshing, Tape, TapeClock

DIFFERENCES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """A reading that is not what it was."""

    at_ms: int
    point: str
    was: tuple[int, Quality] | None
    now: tuple[int, Quality] | None


@dataclass(slots=True)
class Replayed:
    """What a driver made of a capture."""

    identity: Mapping[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    recorded: int = 0  # samples in the capture
    same: int = 0  # readings
    differences: list[Difference] = field(default_factory=list)
    missed: list[tuple[int, str]] = field(default_factory=list)  # of samples that were recorded: ms, why not
    passed: int = 0  # events that nothing asked for
    unconnected: str = ""  # why the last connect failed

    @property
    def faithful(self) -> bool:
        return bool(self.same) and not self.differences and not self.missed


def device_of(
    capture: Capture, plugins: Mapping[str, Plugin], own: tuple[Plugin, Any] | None = None
) -> tuple[Plugin, Device]:
    """The device as it was configured, or with another profile (`own`: its plugin and table)."""
    said, document = capture.device, yamlfile.Document(capture.place, capture.header["profile"])
    kind = document.data.get("driver")
    if own:
        plugin, role, table = own[0], "", own[1]
    elif kind in plugins:
        plugin = plugins[kind]
        profile = yamlfile.validate(document, plugin.profile_model)
        role, table = profile.role, profile.table()
    else:
        raise ConfigError(f"{capture.place}: its driver {kind!r} is not installed")
    device = Device(
        said["name"], said["profile"], plugin.kind, role, said["link"], table,
        unit=said["unit"], poll_ms=max(1, said["poll_ms"]), control=False,
    )  # fmt: skip
    return plugin, device


async def replay(
    capture: Capture, plugins: Mapping[str, Plugin], own: tuple[Plugin, Any] | None = None
) -> Replayed:
    """Play all of it. ConfigError when this cannot be played here."""
    plugin, device = device_of(capture, plugins, own)
    scheme = device.link.partition("://")[0]
    opener: object = next((p for p in plugins.values() if scheme in p.link_schemes), None)
    if not isinstance(opener, Recordable):
        raise ConfigError(f"{capture.place}: no installed driver can play a link like {device.link!r}")
    tape = Tape(capture.events)
    driver = plugin.driver(device, device.profile, opener.replayed(tape), TapeClock(tape))
    found = Replayed()
    known = dict(_recorded(capture))
    found.recorded = len(known)
    while event := tape.ahead("connect", "refresh", "now"):
        await _step(driver, tape, event, known, found)
        if tape.ahead("connect", "refresh", "now") is event:  # the driver did not come so far
            tape.skip_to(*event.keys() & {"connect", "refresh", "now"})
            tape.next()
    found.passed = tape.passed
    return found


def _recorded(capture: Capture) -> list[tuple[int, Points]]:
    return [sample_of(capture.place, event) for event in capture.events if "sample" in event]


async def _step(
    driver: Driver, tape: Tape, event: Mapping[str, Any], known: Mapping[int, Points], found: Replayed
) -> None:
    if "refresh" in event:
        tape.drop("refresh")
        if isinstance(driver, Refreshing):
            driver.refresh()
    elif "connect" in event:
        tape.skip_to("connect")
        tape.next()
        found.identity = await _connect(driver, tape, found)
    else:
        await _sample(driver, tape, event, known, found)


async def _connect(driver: Driver, tape: Tape, found: Replayed) -> Mapping[str, str]:
    tape.connecting, found.unconnected = True, ""
    try:
        return dict(await driver.connect())
    except LinkError as error:
        found.unconnected = str(error)
        await driver.close()  # it may have been so then; what it costs shows in the samples
        return found.identity
    finally:
        tape.connecting = False
        tape.drop("connected")


async def _sample(
    driver: Driver, tape: Tape, event: Mapping[str, Any], known: Mapping[int, Points], found: Replayed
) -> None:
    try:
        sample = await driver.read()
    except LinkError as error:
        if event["now"] in known:
            found.missed.append((event["ms"], found.unconnected or str(error)))
        return
    if was := known.get(sample.stamp.wall_ms):
        found.samples.append(sample)
        compare(sample, was, found)


def compare(sample: Sample, was: Points, found: Replayed) -> None:
    """What is not told today and was then is a difference, and so is the reverse."""
    now = {r.point.name: (r.value, r.quality) for r in sample.readings()}
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) == now.get(name):
            found.same += 1
        elif len(found.differences) < DIFFERENCES_MAX:
            found.differences.append(Difference(sample.stamp.wall_ms, name, was.get(name), now.get(name)))
