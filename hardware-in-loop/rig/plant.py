"""One site in time: physics stepped on a fixed grid, whoever looks and whenever.

Owns the state, the grid of steps and the witness. Time comes in as monotonic milliseconds with every
call, so the same calls give the same site, on sockets or in virtual time. It refuses to run by itself.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from rig.physics import Order, SiteSpec, State, begin, step, to_ac
from rig.series import Series, Surroundings, surroundings
from rig.witness import Witness

STEP_MS = 100
CATCH_UP_MAX = 200_000  # steps in one call (5 h at 100 ms): a longer gap is a clock gone wrong
KINDS_JUDGED = frozenset({"battery", "ac", "idle"})  # a grid target closes its own loop; its window is judged

Control = Callable[[int], Order]


class Plant:
    """Physics, its clock and its witness. `control` is asked for the order of the moment at each step."""

    def __init__(
        self,
        spec: SiteSpec | None = None,
        *,
        seed: int = 1,
        soc: float = 0.5,
        start_minute: int = 12 * 60,
        speed: float = 1.0,
        step_ms: int = STEP_MS,
        world: Surroundings | None = None,
    ) -> None:
        self.spec = spec or SiteSpec()
        self.seed = seed
        self.random = Random(seed)
        self.serial = f"RIG{self.random.randrange(10**6):06d}"
        self.world = world or surroundings()
        self.speed = speed
        self.step_ms = step_ms
        self.state: State = begin(self.spec, soc=soc, second=start_minute * 60.0, surroundings=self.world)
        self.witness = Witness(self.spec.charge_max_w, self.spec.discharge_max_w)
        self.control: Control = lambda _now_ms: Order()
        self.publishes = True  # registers show the limits; False when the BMS speaks for itself
        self.together: Callable[[int], None] | None = None  # of several at one site: steps them all
        self._next_ms: int | None = None

    def advance(self, now_ms: int) -> State:
        """Step up to `now_ms` (the first call only sets the origin). Time that goes back does nothing."""
        if self.together:
            self.together(now_ms)
        else:
            while self.due(now_ms):
                self.step()
        return self.state

    def due(self, now_ms: int) -> bool:
        """Whether a step is due by then."""
        if self._next_ms is None:
            self._next_ms = now_ms + self.step_ms
            self._publish(now_ms)
        if now_ms - self._next_ms > CATCH_UP_MAX * self.step_ms:
            raise ValueError(f"the rig was asked to jump {now_ms - self._next_ms} ms at once")
        return self._next_ms <= now_ms

    def step(self) -> None:
        """The one that is due."""
        assert self._next_ms is not None
        order = self.control(self._next_ms)
        step(self.state, self.spec, self.world, order, dt_ms=self.step_ms, speed=self.speed)
        self._publish(self._next_ms)
        self._next_ms += self.step_ms

    def _publish(self, now_ms: int) -> None:
        if self.publishes:
            self.witness.publish(now_ms, self.state.charge_limit_w, self.state.discharge_limit_w)

    def set_soc(self, soc: float) -> None:
        """For scenarios: the battery as if it had been charged to this share elsewhere."""
        if not 0 <= soc <= 1:
            raise ValueError("soc is a share between 0 and 1")
        full_j = self.spec.capacity_wh * 3600 * self.spec.soh
        self.state.lost_j -= soc * full_j - self.state.stored_j  # keeps the energy balance closed
        self.state.stored_j, self.state.soc = soc * full_j, soc

    def set_frequency(self, mhz: int | None) -> None:
        """For scenarios: the grid at this frequency from now on; None: the measured series again."""
        measured = surroundings().frequency_uhz
        held = measured if mhz is None else Series(1, ((mhz - 50_000) * 1000,))
        self.world = replace(self.world, frequency_uhz=held)
        if mhz is not None:
            self.state.frequency_mhz = mhz  # at once, not with the next step

    def set_load(self, load_w: int | None) -> None:
        """For scenarios: the household takes this from the next step on; None: the measured series again."""
        held = surroundings().load_w if load_w is None else Series(1, (load_w,))
        self.world = replace(self.world, load_w=held)

    def set_grid(self, connected: bool) -> None:
        """For scenarios: cut the site from the grid, or give it back. The inverter does the rest."""
        self.state.connected = connected

    def demand_w(self, order: Order) -> int | None:
        """Battery power that this order itself asks for; None while it leaves the power to the device."""
        forced = order.power_w if order.kind in KINDS_JUDGED else None
        if order.kind == "idle":
            forced = 0
        if order.kind == "ac" and self.spec.hybrid:
            forced = order.power_w - self.state.pv_w
        if order.low_w is not None and (order.low_w > 0 or forced is not None):
            forced = max(order.low_w, forced if forced is not None else 0)
        if order.high_w is not None and (order.high_w < 0 or forced is not None):
            forced = min(order.high_w, forced if forced is not None else 0)
        return forced

    def report(self) -> dict[str, Any]:
        """The state in the gateway's canonical units and signs, for the control channel and for tests."""
        s = self.state
        return {
            "second": int(s.second),
            "battery_soc_bp": round(s.soc * 10_000),
            "battery_soh_bp": round(s.soh * 10_000),
            "battery_power_w": round(s.battery_w),
            "battery_ac_w": s.battery_ac_w,
            "battery_voltage_mv": round(s.voltage_v * 1000),
            "battery_current_ma": round(s.current_a * 1000),
            "battery_temperature_cc": round(s.temperature_c * 100),
            "battery_charged_wh": int(s.charged_j / 3600),
            "battery_discharged_wh": int(s.discharged_j / 3600),
            "charge_limit_w": s.charge_limit_w,
            "discharge_limit_w": s.discharge_limit_w,
            "pv_power_w": s.pv_w,
            "load_power_w": s.load_w,
            "grid_power_w": s.grid_w,
            "grid_reactive_var": s.grid_var,
            "grid_connected": s.connected,
            "inverter_reactive_var": s.inverter_var,
            "grid_voltage_mv": s.grid_mv,
            "grid_frequency_mhz": s.frequency_mhz,
            "grid_imported_wh": int(s.imported_j / 3600),
            "grid_exported_wh": int(s.exported_j / 3600),
            "order": s.order.kind,
            "order_power_w": s.order.power_w,
            "discharge_ac_max_w": min(self.spec.discharge_max_w, to_ac(s.discharge_limit_w, self.spec)),
            **self.witness.summary(),
        }
