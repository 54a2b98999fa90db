"""What the CAN tests share: the profile and its table, recorded sets, and a battery on a virtual bus."""

import asyncio
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import yaml

from drivers.can import PLUGIN
from drivers.can.codec import Table
from drivers.can.profile import CanProfile
from drivers.can.table import CanTable
from gateway import profilefile, yamlfile
from gateway.driver import CanFrame
from gateway.errors import LinkError
from gateway.model import Quality
from gateway.site import Device

RECORDED = Path(__file__).parent.parent / "recorded"
SETS = yaml.safe_load((RECORDED / "can_pylontech_family.yaml").read_text())
JK = yaml.safe_load((RECORDED / "can_jk.yaml").read_text())


@cache
def profile(name: str = "pylontech_can") -> CanProfile:
    _, found = profilefile.load(name, Path("/nonexistent"), {"can": PLUGIN})
    return found


def shipped(name: str = "pylontech_can") -> dict:
    """What the files of a shipped profile say."""
    return profilefile.find(name, Path("/nonexistent"), {"can": PLUGIN}).data


def own(data: dict) -> CanProfile:
    """A profile as it is read, or ConfigError."""
    return yamlfile.validate(yamlfile.parse(yaml.safe_dump(data, sort_keys=False), "own.yaml"), CanProfile)


@cache
def table(name: str = "pylontech_can") -> Table:
    return profile(name).table().codec


def frame(id: int, text: str, *, extended: bool = False) -> CanFrame:
    return CanFrame(id, bytes.fromhex(text), extended or id > 0x7FF)


def frames(name: str) -> list[CanFrame]:
    """The recorded set whose name contains `name`."""
    (found,) = [s for s in SETS if name in s["name"]]
    return [frame(id, text) for id, text in found["frames"].items()]


def device(link: str = "vbus://bench", poll_ms: int = 1000, spoken: CanTable | None = None) -> Device:
    """`spoken`: another table than that of the shipped profile."""
    profile_table = spoken or profile().table()
    return Device("bms", "pylontech_can", "can", "battery", link, profile_table, poll_ms=poll_ms)


def as_dict(points, values, qualities) -> dict[str, tuple[int, str]]:
    """Point name to (value, quality name); names may be Points or strings."""
    return {
        getattr(p, "name", p): (v, Quality(q).name) for p, v, q in zip(points, values, qualities, strict=True)
    }


class Battery:
    """Sends a burst each second, in the order given, 3 ms apart; can be silenced; keeps what it hears."""

    def __init__(self, clock, burst, every_s=1.0, late=lambda: 0.0, gap_s=0.003):
        self.link = PLUGIN.open_link("vbus://bench", clock)
        self.clock, self.burst, self.every_s, self.late, self.gap_s = clock, burst, every_s, late, gap_s
        self.on, self.sent_ms = True, 0
        self.heard = []  # (ms, frame)

    async def speak(self):
        while True:
            for one in self.burst:
                await asyncio.sleep(self.gap_s)
                if self.on:
                    await self.link.send(one)
                    self.sent_ms = self.clock.mono_ms()
            await asyncio.sleep(self.every_s - self.gap_s * len(self.burst) + self.late())

    async def hear(self):
        while True:
            try:
                async for one in self.link.listen(frozenset({0x305})):
                    self.heard.append((self.clock.mono_ms(), one))
            except LinkError:  # the wire is cut
                await asyncio.sleep(0.1)


@asynccontextmanager
async def site(clock, burst, **options):
    """A battery that speaks and a driver that is not connected yet."""
    spoken = options.pop("spoken", None)
    poll_ms = options.pop("poll_ms", 1000)
    battery = Battery(clock, burst, **options)
    link = PLUGIN.open_link("vbus://bench", clock)
    bms = device(poll_ms=poll_ms, spoken=spoken)
    driver = PLUGIN.driver(bms, bms.profile, link, clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(battery.speak()), group.create_task(battery.hear())]
        yield battery, driver
        for task in tasks:
            task.cancel()
    await driver.close()
    await link.close()
    await battery.link.close()


def values(sample) -> dict[str, tuple[int, str]]:
    return as_dict(sample.points, sample.values, sample.qualities)


async def read_on(driver, most=50):
    """Samples until the driver fails, and what it failed with."""
    samples = []
    try:
        while len(samples) < most:
            samples.append(await driver.read())
    except LinkError as error:
        return samples, str(error)
    return samples, ""
