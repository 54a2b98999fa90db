"""What the invariants of control are played with: powers, a device's exchanges, what was written when."""

from hypothesis import settings
from hypothesis import strategies as st

from tests.sim.world import World

few = settings(max_examples=6, deadline=None)
CYCLE_MS = 1000
EXCHANGE_MS = 200  # a handful of mocked exchanges
powers = st.integers(-100, 100).map(lambda n: n * 60).filter(bool)


def nonzero(w: World) -> list[tuple[int, int]]:
    """The powers written that let something flow, as (ms, W)."""
    return [(ms, power) for ms, power in w.inverter.writes if power]
