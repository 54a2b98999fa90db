"""Whatever registers a device shows, and however they change: a LinkError or a result, nothing else."""

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sunspec import commanded
from drivers.sunspec.commanded import Commanded
from drivers.sunspec.driver import SLOW_MS, SunSpec
from gateway.errors import LinkError
from gateway.model import INT64_MAX
from tests.drivers.sunspec_image import (
    BANK_802,
    COMMON,
    CONTROL_704,
    INVERTER_103,
    METER_203,
    NAMEPLATE_120,
    PORTS_714,
    STORAGE_124,
    STORAGE_713,
    Image,
    StepClock,
    device,
    model_bytes,
)
from tests.drivers.test_sunspec_binding import profile

EDGES = (0, 1, 2, 3, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
POWERS_W = (-(10**9), -5000, -1, 0, 1, 777, 10**9)
OPTIONS = {
    "role": ("inverter", "battery", "meter"),
    "setpoint": ("auto", "704", "124"),
    "battery_dc": ("auto", "714", "160-34", "802", "none", "elsewhere"),
    "bank_positive": ("charge", None),
    "charge_grid": (True, False),
    "islanding": ("123", "none"),
}
RELAY_123 = model_bytes(123, {"Conn_RvrtTms": 0, "Conn": 1})
STATE_701 = model_bytes(701, {"ConnSt": 1})


OTHERS = (
    INVERTER_103, NAMEPLATE_120, STORAGE_124, CONTROL_704, STORAGE_713, PORTS_714, METER_203, BANK_802,
    RELAY_123, STATE_701,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _no_pause() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commanded, "TIMER_PAUSE_S", 0)
        yield


def spoil(image: Image, chance: random.Random) -> None:
    for at in chance.sample(sorted(image.registers), chance.choice((0, 0, 1, 2, 5, 40))):
        image.registers[at] = chance.choice((*EDGES, chance.randrange(0x10000)))


async def act(actuator: Commanded, what: str, chance: random.Random) -> None:
    if what == "read":
        sample = await actuator.read()
        assert len(sample.values) == len(sample.qualities) == len(sample.points)
        assert all(type(v) is int and abs(v) <= INT64_MAX for v in sample.values)
    elif what == "arm":
        await actuator.arm(chance.choice((10, 60, 86_400)))
    elif what == "arm island":
        assert await actuator.arm_island(chance.choice((10, 60, 86_400))) >= 0
    elif what == "write":
        await actuator.write_power(actuator.quantise(chance.choice(POWERS_W)))
    else:
        plain = {"connect": actuator.connect, "read back": actuator.read_back, "release": actuator.release}
        plain |= {"part": actuator.part, "rejoin": actuator.rejoin, "read island": actuator.read_island}
        await plain[what]()


POWER = ["arm", "write", "read back", "release"]
ACTIONS = st.sampled_from(["connect", "read", *POWER, "arm island", "part", "rejoin", "read island"])


@given(st.integers(0, 2**32), st.lists(ACTIONS, min_size=1, max_size=10))
async def test_nothing_but_link_errors(seed: int, actions: list[str]) -> None:
    chance = random.Random(seed)
    image = Image.of(COMMON, *chance.sample(OTHERS, chance.randrange(1, len(OTHERS))))
    stated = profile(**{name: chance.choice(choices) for name, choices in OPTIONS.items()})  # type: ignore[arg-type]
    here, clock = device(stated), StepClock()
    actuator = Commanded(SunSpec(here, stated, image, clock), stated, here)
    for what in ("connect", *actions):
        with suppress(LinkError):
            await act(actuator, what, chance)
        for power_w in POWERS_W:
            held = actuator.quantise(power_w)
            assert abs(held) <= abs(power_w) and held * power_w >= 0
        spoil(image, chance)
        clock.at_ms += chance.choice((1000, SLOW_MS))
