"""Control's hand on the loads: what an order wants shed, to the relays that can do it.

It keeps which loads are off and tells each relay device in leases. A load whose relay is away does not count
as shed: another goes instead. It refuses to know services: it is given watts.
"""

from collections.abc import Callable, Mapping, Sequence

from gateway import shedding
from gateway.relay import RelayWriter
from gateway.shedding import Shed
from gateway.site import Load


class Loads:
    """`hands` by device; `random` gives [0, 1)."""

    def __init__(
        self, loads: Sequence[Load], hands: Mapping[str, RelayWriter], random: Callable[[], float]
    ) -> None:
        self._loads = loads
        self._hands = hands
        self._random = random
        self._shed = Shed()

    def __bool__(self) -> bool:
        return bool(self._loads)

    @property
    def off(self) -> tuple[str, ...]:
        """Names of the loads that are meant to be off."""
        return tuple(load.name for load in self._loads if load.name in self._shed.off)

    @property
    def able_w(self) -> int:
        """What could be shed at all, by nameplate."""
        return sum(load.power_w for load in self._loads)

    def step(self, wanted_w: int, now_ms: int, until_ms: int) -> int:
        """One cycle; the nameplate power of the loads that their relays say are off."""
        there = [load for load in self._loads if self._hands[load.device].hold.online]
        self._shed = shedding.step(there, self._shed, wanted_w, now_ms, self._random())
        for device, hand in self._hands.items():
            off = (
                load.channel for load in self._loads if load.device == device and load.name in self._shed.off
            )
            hand.desire(frozenset(off), until_ms)
        return sum(load.power_w for load in there if self._is_off(load))

    def _is_off(self, load: Load) -> bool:
        off = self._hands[load.device].hold.off
        return off is not None and load.channel in off

    async def fallback(self, timeout_s: float) -> bool:
        """All loads on, for the daemon's end."""
        self._shed = Shed()
        taken = [await hand.fallback(timeout_s) for hand in self._hands.values()]
        return all(taken)
