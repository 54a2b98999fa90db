"""What the daemon tells of a device's points: value, quality, age; nothing of one that was never reached."""

from types import SimpleNamespace

import pytest

from gateway.device import Health
from gateway.errors import ServiceRefused
from gateway.model import ClockTrust, Point, Quality, Sample, Stamp
from gateway.points import Points
from gateway.state import SiteState
from tests.sim import mocks

POINTS = (Point("meter", "grid_power_w"), Point("meter", "grid_voltage_mv"))


class Clock:
    ms = 1000

    def mono_ms(self):
        return self.ms


async def test_values_with_quality_and_age():
    clock = Clock()
    state = SiteState(mocks.site(), clock)
    meter = SimpleNamespace(health=Health("meter"))
    points = Points(state, {"meter": meter})
    assert await points.answer({"device": "meter"}) == {"identity": {}, "trouble": "connecting", "points": {}}
    meter.health = Health("meter", last_error="no answer")
    assert (await points.answer({"device": "meter"}))["trouble"] == "no answer"
    meter.health = Health("meter", online=True, last_error="no answer", identity={"model": "One"})
    state.declare("meter", POINTS, 1000)
    stamp = Stamp(1000, 5, ClockTrust.TRUSTED)
    state.put(Sample("meter", stamp, POINTS, (-7, 0), bytes((Quality.GOOD, Quality.ABSENT))))
    clock.ms = 1200
    assert await points.answer({"device": "meter"}) == {
        "identity": {"model": "One"},
        "trouble": "",
        "points": {"grid_power_w": [-7, "GOOD", 200], "grid_voltage_mv": [0, "ABSENT", 200]},
    }
    clock.ms = 60_000
    assert (await points.answer({"device": "meter"}))["points"]["grid_power_w"][1] == "STALE"
    with pytest.raises(ServiceRefused, match="no device 'bms': it was started with another"):
        await points.answer({"device": "bms"})
