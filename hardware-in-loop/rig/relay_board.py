"""A relay board beside the site: coils that switch parts of the house off, inputs that a scenario closes.

Owns its coils and inputs, and tells the plant how much of the house is off. It has no registers: what asks
for one is refused, as is a coil that it does not have.
"""

from collections.abc import Sequence

from rig.bank import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, NO_TARGET, Refusal
from rig.plant import Plant


class RelayBoard:
    """Served like a Bank. Coil n on: a load of `loads_w[n]` is off. `switched` counts what changed."""

    def __init__(self, plant: Plant, loads_w: Sequence[int], *, inputs: int = 8, unit: int = 1) -> None:
        self.plant, self.units = plant, frozenset({unit})
        self._loads_w = tuple(loads_w)
        self.coils = [False] * len(self._loads_w)
        self.inputs = [False] * inputs
        self.switched = 0

    def freeze(self, frozen: bool) -> None:
        """It measures nothing that could stand still."""

    def read(self, unit: int, table: str, address: int, count: int, now_ms: int) -> bytes:
        raise Refusal(ILLEGAL_FUNCTION)

    def write(self, unit: int, address: int, registers: Sequence[int], now_ms: int) -> None:
        raise Refusal(ILLEGAL_FUNCTION)

    def read_bits(self, unit: int, table: str, address: int, count: int, now_ms: int) -> list[bool]:
        """`count` bits of "coils" or "discrete". Refusal when the device would."""
        bits = self.coils if table == "coils" else self.inputs
        self._must_have(unit, bits, address + count)
        return bits[address : address + count]

    def write_coil(self, unit: int, address: int, on: bool, now_ms: int) -> None:
        """Pull or release one relay; the house follows with the plant's next step."""
        self._must_have(unit, self.coils, address + 1)
        self.plant.advance(now_ms)
        self.switched += self.coils[address] != on
        self.coils[address] = on
        off = (watts for watts, pulled in zip(self._loads_w, self.coils, strict=True) if pulled)
        self.plant.state.shed_w = sum(off)

    def _must_have(self, unit: int, bits: Sequence[bool], end: int) -> None:
        if unit not in self.units:
            raise Refusal(NO_TARGET)
        if end > len(bits):
            raise Refusal(ILLEGAL_ADDRESS)
