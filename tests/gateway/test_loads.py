"""Loads: what an order wants shed, told to the relays that are there; what counts is what they say."""

from gateway.loads import Loads
from gateway.site import Load
from tests.gateway.test_relay import Bench, bench

FOREVER = 10**9


def test_loads_count_only_what_the_relays_say() -> None:
    async def script(b: Bench) -> None:
        boiler = Load("boiler", "relays", "1", 2000, priority=2)
        pump = Load("pump", "relays", "2", 1000, priority=1)
        loads = Loads((boiler, pump), {"relays": b.hand}, lambda: 0.0)
        assert loads and loads.able_w == 3000
        assert loads.step(1500, 0, FOREVER) == 0  # not reached
        assert loads.off == ()
        await b.serve(1)
        assert loads.step(1500, 1000, FOREVER) == 0  # told, not yet done
        await b.serve(1)
        assert (loads.step(1500, 2000, FOREVER), loads.off) == (2000, ("boiler",))
        b.hand.lost()
        assert loads.step(1500, 3000, FOREVER) == 0
        assert await loads.fallback(1.0)
        assert loads.off == ()
        assert b.mock.on == {"1": True, "2": True}

    bench(script)


def test_a_site_without_loads_has_nothing_to_do() -> None:
    assert not Loads((), {}, lambda: 0.0)
