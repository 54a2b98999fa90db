"""Control's hand on reactive power: what the orders want together, to the inverters that take it.

Each gets its part in leases, within what its apparent rating leaves beside its active power. It refuses to
know services, and inverters whose active power is not measured.
"""

from collections.abc import Mapping

from gateway import reactive_limit
from gateway.lease import Hold, ReactiveHand
from gateway.model import Cause, Quantity
from gateway.sense import WRITTEN
from gateway.state import View


class Support:
    """`hands` by device; empty for most sites, which then pay nothing."""

    def __init__(self, hands: Mapping[str, ReactiveHand]) -> None:
        self._hands = hands
        self.var = 0  # what all are told together

    def __bool__(self) -> bool:
        return bool(self._hands)

    @property
    def able_var(self) -> int:
        """What all that were reached can do, each way, by nameplate."""
        return sum(hand.hold.spec.var_max for hand in self._hands.values() if hand.hold.spec)

    @property
    def complete(self) -> bool:
        """Whether all were reached, so that there are no more var to come."""
        return all(hand.hold.reached for hand in self._hands.values())

    def fault(self, device: str) -> str:
        """What went wrong with a device's reactive power, for a person; empty if nothing."""
        hand = self._hands.get(device)
        return hand.hold.fault if hand else ""

    def step(self, wanted_var: int, able: Mapping[str, Hold], view: View, until_ms: int) -> tuple[Cause, ...]:
        """One cycle for the devices in `able` (by name: what their power is); why it is not `wanted_var`."""
        plates = {n: s for n, h in self._hands.items() if n in able and (s := h.hold.spec) and h.hold.online}
        parts = reactive_limit.divided(wanted_var, [spec.var_max for spec in plates.values()])
        causes: tuple[Cause, ...] = () if plates or not wanted_var else (Cause.OFFLINE,)
        total_var = 0
        for (name, spec), part in zip(plates.items(), parts, strict=True):
            var, why = reactive_limit.bounded(part, spec, _active_w(able[name], view))
            total_var, causes = total_var + var, causes + why
            if Cause.STALE_LIMIT in why:
                self._hands[name].release()
            else:
                self._hands[name].desire_reactive(var, until_ms)
        for name in self._hands.keys() - plates.keys():
            self._hands[name].release()
        self.var = total_var
        return tuple(dict.fromkeys(causes))

    def take_up(self) -> None:
        """A process before this one may have told var and died: the fallback comes first."""
        for hand in self._hands.values():
            hand.take_up()

    def release(self) -> None:
        """All to their own control."""
        self.var = 0
        for hand in self._hands.values():
            hand.release()

    def clear(self) -> None:
        """A person has dealt with the faults."""
        for hand in self._hands.values():
            hand.clear()

    async def fallback(self, timeout_s: float) -> bool:
        """For the daemon's end."""
        self.var = 0
        taken = [await hand.fallback(timeout_s) for hand in self._hands.values()]
        return all(taken)


def _active_w(hold: Hold, view: View) -> int | None:
    """The active power to reckon with: what is measured, or what was just told, if that is more."""
    measured_w = view.of(frozenset({hold.device})).good(Quantity.INVERTER_POWER)
    if measured_w is None:
        return None
    return max(abs(measured_w), abs(hold.power_w) if hold.phase in WRITTEN else 0)
