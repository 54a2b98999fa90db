"""Judges reactive power: what is written in var, and what is held.

It is a Judge whose powers are var, so that windows, stops, lives and the device's own timer are judged by the
same lines. Ramp and rest are not promised for var; that it leaves room for the power is.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rig.witness import Entry

from gateway.model import ServiceKind
from tests.sim.judge import Judge, Order

LOOKED_MS = 6_000  # the power that a decision looked at is at most so old
STEP_VAR = 2


def order_var(kind: ServiceKind, parameters: Mapping[str, int], most_var: int) -> tuple[int, int]:
    """The most var that an order of this kind can mean, absorbed and injected; 0 of those that mean none."""
    if kind is ServiceKind.VOLTAGE:
        return parameters["limit_var"], parameters["limit_var"]
    if kind is not ServiceKind.REACTIVE:
        return 0, 0
    var = parameters["reactive_var"] or (most_var if parameters["power_factor_bp"] > 0 else -most_var)
    return max(0, -var), max(0, var)


@dataclass
class VarJudge(Judge):
    """`limit_w` is the rating in var, `addresses` are the registers that mean var."""

    apparent_va: int = 0
    addresses: frozenset[int] = frozenset()
    _powers: deque[tuple[int, int]] = field(default_factory=deque)

    def asked_var(self, order: Order, now_ms: int, wall_ms: int, admitted: bool | None) -> None:
        charge_var, discharge_var = order_var(order.kind, order.parameters, self.limit_w)
        if charge_var or discharge_var:
            given = replace(order, charge_w=charge_var, discharge_w=discharge_var)
            self.asked(given, now_ms, wall_ms, None if admitted else admitted)

    def wrote(self, entry: Entry) -> None:
        self._powers.append((entry.at_ms, abs(entry.demand_w or 0)))
        if entry.address not in self.addresses:
            return
        before = self._demand_w
        super().wrote(replace(entry, demand_w=entry.var or None))
        if entry.var and entry.var != before:
            self._rated(entry.at_ms, entry.var)

    def flowed(self, now_ms: int, power_w: int) -> None:
        """The active power at its AC side, each second."""
        self._powers.append((now_ms, abs(power_w)))
        while self._powers[0][0] < now_ms - LOOKED_MS:
            self._powers.popleft()

    def _rated(self, now_ms: int, var: int) -> None:
        least_w = min((w for at_ms, w in self._powers if at_ms >= now_ms - LOOKED_MS), default=0)
        apart = self.apparent_va**2 - least_w**2 < (abs(var) - STEP_VAR) ** 2
        if abs(var) > self.limit_w or apart:
            self._complain("var", f"{var} var beside {least_w} W of {self.apparent_va} VA at {now_ms}")

    def _moved(self, now_ms: int, power_w: int) -> None:
        """Var may step."""

    def _complain(self, kind: str, text: str) -> None:
        super()._complain("var", text if kind == "var" else f"{kind} (var): {text}")
