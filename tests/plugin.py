"""A driver family for tests of the gateway alone: a mock that stands for no device and says so.

It has one profile, `mock`, with a battery it can be told to charge; its link answers from a dictionary.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivers.profile import ProfileBase
from gateway.driver import Plan, PlanLine
from gateway.model import CommandClass, Point, SetpointSpec

PROFILE = """\
driver: mock
role: inverter
vendor: nobody
model: mock
sources: [this test]
proof: simulated
"""


@dataclass(frozen=True)
class MockTable:
    nameplate_w: int


class MockProfile(ProfileBase):
    driver: Literal["mock"]
    nameplate_w: int = 5000

    def table(self):
        return MockTable(self.nameplate_w)


class MockPlugin:
    kind = "mock"
    schemes = frozenset({"mock", "other"})
    link_schemes = frozenset({"mock"})
    profile_model = MockProfile

    def __init__(self, profiles: Path) -> None:
        self.profiles = profiles
        self.closed = []
        (profiles / "mock.yaml").write_text(PROFILE)

    def place(self, url):
        return url.partition("?")[0]

    def open_link(self, url, clock):
        return MockLink(url, self.closed)

    def driver(self, device, profile, link, clock):
        return MockDriver(device.name, link, self.closed)

    def plan(self, device, profile):
        points = (Point(device.name, "battery_power_w"), Point(device.name, "battery_soc_bp"))
        spec = SetpointSpec(CommandClass.LATCHING, profile.nameplate_w, profile.nameplate_w)
        return Plan((PlanLine("holding 0-9", 12.5, 2),), points, spec, ("a note",))


class MockLink:
    def __init__(self, url, closed):
        self.url, self._closed = url, closed

    async def close(self):
        self._closed.append(self.url)


class MockDriver:
    def __init__(self, name, link, closed):
        self.name, self.link, self._closed = name, link, closed

    async def close(self):
        self._closed.append(self.name)
