"""No false alarm: nothing that a sound battery says in a day is doubted, nor anything that real ones said.

The day is the rig's physics under measured households and grids, with orders that fill, empty and heat the
battery; its words pass through real CAN frames and the shipped profile. The recorded devices say what they
said, for ten minutes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml
from rig.bms import Bms
from rig.physics import Order, SiteSpec
from rig.plant import Plant

from drivers.can.codec import Role, decode
from gateway import plausible, sense
from gateway.driver import CanFrame
from gateway.model import Point, Quality, Quantity, Sample
from gateway.plausible import Memory
from gateway.site import Device
from gateway.state import SiteState
from tests.drivers.can_bench import table
from tests.gateway.stores import HandClock
from tests.sim.mocks import SPEC, site

RECORDED = Path(__file__).parents[1] / "recorded"
CYCLE_MS = 4000
DAY_MS = 86_400_000
ALL = frozenset({"inverter", "bms", "meter"})


class Bench:
    """A site's state, told by hand, and what is doubted of it."""

    def __init__(self, cells: int = 0) -> None:
        self.clock = HandClock(1_000_000)
        inverter, _, meter = site().devices
        bms = Device("bms", "p", "can", "battery", "vbus://x", None, cells=cells)
        self.site = site(devices=(inverter, bms, meter))
        self.state = SiteState(self.site, self.clock)
        self.sets: dict[tuple[str, tuple[str, ...]], tuple[Point, ...]] = {}
        self.memory = Memory()

    def say(self, device: str, values: dict[str, int]) -> None:
        key = device, tuple(values)
        if key not in self.sets:
            self.sets[key] = tuple(Point(device, name) for name in values)
            self.state.declare(device, self.sets[key], 1000)
        points, qualities = self.sets[key], bytes([Quality.GOOD] * len(values))
        self.state.put(Sample(device, self.clock.now(), points, tuple(values.values()), qualities))

    def cycle(self) -> set[str]:
        seen = sense.seen(self.state.view(), self.site, ALL, SPEC)
        self.memory = plausible.judge(self.memory, seen)
        return set(plausible.doubts(self.memory).values())


def orders(random: Random) -> Iterator[Order]:
    """Each half hour another: full power both ways, its own control, rest."""
    while True:
        some_w = random.randint(-12_000, 12_000)
        full = Order("battery", 12_000), Order("battery", -12_000), Order("battery", some_w)
        yield random.choice((*full, Order("grid", some_w // 4), Order(), Order("idle")))


@pytest.mark.parametrize(
    ("seed", "spec"),
    [
        (1, SiteSpec(ambient_c=18.0)),
        (2, SiteSpec(ambient_c=3.0, capacity_wh=5_120, cooling_w_per_k=30.0)),  # 2C, and half of it when cool
        (3, SiteSpec(ambient_c=38.0, capacity_wh=10_240, cooling_w_per_k=2.0)),  # through every step of heat
    ],
    ids=["temperate", "cold and small", "hot"],
)
def test_a_sound_battery_is_believed_all_day(seed: int, spec: SiteSpec) -> None:
    random = Random(seed)
    plant = Plant(spec, seed=seed, step_ms=CYCLE_MS)
    bms, bench, choice = Bms(plant), Bench(cells=spec.cells), orders(random)
    bms.bind()
    order, soc_of_inverter, silent_until_ms, socs = Order(), 5000, 0, []
    plant.control = lambda _: order
    while bench.clock.mono < 1_000_000 + DAY_MS:
        now_ms = bench.clock.mono
        if now_ms % 1_800_000 < CYCLE_MS:
            order = next(choice)
        if random.random() < 0.002:
            silent_until_ms = now_ms + random.choice((5_000, 30_000, 600_000))  # a loose plug
        frames = bms.frames(now_ms)
        if now_ms >= silent_until_ms:
            bench.say("bms", heard(frames))
        if now_ms % 60_000 < CYCLE_MS:  # shown once a minute, in whole percents
            soc_of_inverter = int(plant.state.soc * 100) * 100
        bench.say(
            "inverter",
            {Quantity.BATTERY_SOC: soc_of_inverter, Quantity.BATTERY_CAPACITY: spec.capacity_wh},
        )
        assert bench.cycle() == set(), f"{now_ms - 1_000_000} ms"
        socs.append(plant.state.soc)
        bench.clock.mono += CYCLE_MS
    assert max(socs) - min(socs) > 0.5  # it was a day worth judging
    assert len(bench.memory.watches) >= 6


def heard(frames: list[tuple[int, bytes]]) -> dict[str, int]:
    """The frames of one second as the shipped profile reads them."""
    found = {}
    for identifier, data in frames:
        frame = CanFrame(identifier, data)
        if (identifier, False) in table().frames:
            for slot, (value, quality) in decode(table(), frame).slots.items():
                if quality is Quality.GOOD and table().slots[slot].role is Role.VALUE:
                    found[table().points[table().slots[slot].point]] = value
    return found


def recorded() -> Iterator[tuple[str, str, dict[str, int]]]:
    """(what, role, what it said in canonical units, decoded by hand) of each recorded battery."""
    for case in yaml.safe_load((RECORDED / "can_pylontech_family.yaml").read_text("utf-8")):
        yield case["name"], "bms", case["good"]
    for case in yaml.safe_load((RECORDED / "can_jk.yaml").read_text("utf-8")):
        yield f"JK, {case['name']}", "bms", case["good"]
    for kind in ("huawei_luna2000", "solaredge_storedge"):
        for case in yaml.safe_load((RECORDED / f"modbus_{kind}.yaml").read_text("utf-8")):
            if "good" in case:
                yield f"{kind}: {case['name']}", "inverter", case["good"]


@pytest.mark.parametrize(("device", "good"), [pytest.param(d, g, id=n) for n, d, g in recorded()])
def test_what_real_devices_said_is_believed(device: str, good: dict[str, int]) -> None:
    bench = Bench()
    for _ in range(600):
        bench.say(device, good)
        assert bench.cycle() == set(), json.dumps(good)
        bench.clock.mono += 1000


def test_the_recorded_batteries_say_what_can_be_judged() -> None:
    names = [set(good) for _, _, good in recorded()]
    assert len(names) >= 6
    for wanted in ("battery_soc_bp", "charge_limit_ma", "charge_voltage_limit_mv", "battery_cell_max_mv"):
        assert any(wanted in said for said in names), wanted
