"""What a device has said so far, and how old each part of it is. Pure: the time is an argument.

Owns the latest value of every slot and the moment it was heard; turns them into a sample's values and
qualities. It refuses to let anything outlive its frame: what is older than its limit is STALE, a limit
that is not GOOD is 0, and a value that was never heard is ABSENT.
"""

from collections.abc import Mapping

from drivers.can.codec import Key, Role, Table, decode
from gateway.driver import CanFrame
from gateway.model import Quality, Quantity

LIMITS = frozenset(
    {
        Quantity.CHARGE_LIMIT_CURRENT,
        Quantity.DISCHARGE_LIMIT_CURRENT,
        Quantity.CHARGE_LIMIT_POWER,
        Quantity.DISCHARGE_LIMIT_POWER,
        Quantity.CHARGE_VOLTAGE_LIMIT,
    }
)
MICRO = 1_000_000  # mV * mA is µW
_UNHEARD = (0, Quality.ABSENT)


class Heard:
    """The latest of every slot. All times are monotonic ms of one clock."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._limit = tuple(name in LIMITS for name in table.points)
        self._slots: dict[int, tuple[int, Quality]] = {}
        self._at_ms: dict[int, int] = {}
        self._texts: dict[tuple[str, int], str] = {}

    def take(self, frame: CanFrame, now_ms: int) -> Key:
        """Believe one frame; returns which it was. FrameError (and nothing changed) when it is not valid."""
        told = decode(self._table, frame)
        for slot, said in told.slots.items():
            self._slots[slot], self._at_ms[slot] = said, now_ms
        self._texts.update(told.texts)
        return told.key

    def expiry_ms(self, after_ms: int) -> int | None:
        """The next moment after `after_ms` at which something heard passes its limit."""
        ends = (at + self._table.slots[slot].stale_ms for slot, at in self._at_ms.items())
        return min((end for end in ends if end > after_ms), default=None)

    def texts(self) -> Mapping[str, str]:
        """What the device says of itself, parts joined."""
        joined: dict[str, str] = {}
        for key, part in sorted(self._texts):
            joined[key] = (joined.get(key, "") + self._texts[key, part]).strip()
        return joined

    def snapshot(self, now_ms: int) -> tuple[tuple[int, ...], bytes]:
        """Values and qualities of all points, as they stand now."""
        values = [0] * len(self._table.points)
        qualities = [Quality.ABSENT] * len(self._table.points)
        for index, slot in enumerate(self._table.slots):
            if slot.role is Role.GATE:
                continue
            value, quality = self._aged(index, now_ms)
            point = slot.point
            if slot.role is Role.VALUE:
                values[point], qualities[point] = value, quality
            elif quality is not Quality.ABSENT:
                known = qualities[point] is not Quality.ABSENT
                values[point] |= value
                qualities[point] = max(qualities[point], quality) if known else quality
        self._close_gates(values, qualities, now_ms)
        self._derive_power(values, qualities)
        return tuple(values), bytes(qualities)

    def _aged(self, index: int, now_ms: int) -> tuple[int, Quality]:
        value, quality = self._slots.get(index, _UNHEARD)
        if quality is not Quality.ABSENT and now_ms - self._at_ms[index] >= self._table.slots[index].stale_ms:
            return value, Quality.STALE
        return value, quality

    def _close_gates(self, values: list[int], qualities: list[Quality], now_ms: int) -> None:
        """An enable bit that was heard and is cleared makes its limit 0; an outdated one makes it STALE."""
        for index, slot in enumerate(self._table.slots):
            if slot.role is Role.GATE and qualities[slot.point] is Quality.GOOD:
                allowed, quality = self._aged(index, now_ms)
                if quality is Quality.STALE:
                    qualities[slot.point] = Quality.STALE
                elif quality is Quality.GOOD and not allowed:
                    values[slot.point] = 0
        for point, is_limit in enumerate(self._limit):
            if is_limit and qualities[point] is not Quality.GOOD:
                values[point] = 0

    def _derive_power(self, values: list[int], qualities: list[Quality]) -> None:
        if self._table.power is None:
            return
        voltage, current, power = self._table.power
        quality = qualities[power] = max(qualities[voltage], qualities[current])
        if quality is not Quality.ABSENT:
            micro_w = values[voltage] * values[current]
            sign = -1 if micro_w < 0 else 1
            values[power] = sign * ((abs(micro_w) + MICRO // 2) // MICRO)
