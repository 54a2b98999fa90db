"""Control's hand on the grid connection: whether the site may be parted from the grid now, and is.

It parts what is connected and at rest, and nothing else; how the house is then fed, and how it comes back, is
the inverter's own. It refuses to part anything that it cannot see: the connection, or the power through it.
"""

from collections.abc import Mapping

from gateway.lease import IslandHand
from gateway.model import Cause, Quantity
from gateway.sense import WRITTEN
from gateway.state import View

REST_W = 200  # an inverter that idles: its relay opens under no load


class Islands:
    """`hands` by device; empty where the site does not allow it."""

    def __init__(self, hands: Mapping[str, IslandHand]) -> None:
        self._hands = hands

    def __bool__(self) -> bool:
        return bool(self._hands)

    @property
    def apart(self) -> bool:
        """Whether a device may be apart by our order."""
        holds = [hand.hold for hand in self._hands.values()]
        return any(hold.apart and hold.phase in WRITTEN for hold in holds)

    def problem(self) -> str:
        """Why no order to island can be carried out here, for a person; empty if one can."""
        if not self._hands:
            return "this site does not allow islanding (`islanding: allowed`)"
        if len(self._hands) > 1:
            return "several inverters are commanded here: islands of more than one are not carried out"
        (hold,) = (hand.hold for hand in self._hands.values())
        if not hold.reached:
            return f"{hold.device} has not been reached yet"
        return "" if hold.able else f"{hold.device} cannot be parted from the grid by order"

    def fault(self, device: str) -> str:
        hand = self._hands.get(device)
        return hand.hold.fault if hand else ""

    def step(self, wanted: bool, view: View, until_ms: int) -> tuple[Cause, ...]:
        """One cycle; why what is wanted is not so."""
        causes: tuple[Cause, ...] = () if self._hands or not wanted else (Cause.OFFLINE,)
        for name, hand in self._hands.items():
            why = _obstacle(hand, view.of(frozenset({name}))) if wanted else None
            if wanted and why is None:
                hand.part(until_ms)
            else:
                hand.release()
            causes += (why,) if why else ()
        return causes

    def release(self) -> None:
        """Connected, if it was parted by us."""
        for hand in self._hands.values():
            hand.release()

    def clear(self) -> None:
        for hand in self._hands.values():
            hand.clear()

    async def fallback(self, timeout_s: float) -> bool:
        """For the daemon's end."""
        taken = [await hand.fallback(timeout_s) for hand in self._hands.values()]
        return all(taken)


def _obstacle(hand: IslandHand, own: View) -> Cause | None:
    """Why the device is not to be parted now; nothing of one that is parted already."""
    hold = hand.hold
    if not (hold.online and hold.able):
        return Cause.OFFLINE
    if hold.apart and hold.phase in WRITTEN:
        return None
    connected, power_w = own.good(Quantity.GRID_CONNECTED), own.good(Quantity.INVERTER_POWER)
    if connected is None or power_w is None:
        return Cause.STALE_LIMIT
    if not connected:
        return Cause.GRID_LOST
    return None if abs(power_w) <= REST_W else Cause.PRIORITY  # what flows comes first
