"""The physics of one site: battery, inverter, sun, household, grid. Pure: `step` is given the time.

Owns energy, voltage, temperature and the limits that follow from them, and the law by which the inverter
turns an Order into power. Signs are those of the gateway: battery + = discharging, grid + = importing, so
load = pv + battery + grid holds in whole watts at the AC side at every step. It refuses to know registers,
timers and wires. The sun is synthetic (a clear day); household and grid are measured (`series.py`).

Battery: 16 LFP cells in series behind one resistance, with coulombic loss on charging. Converter: one
efficiency each way. What leaves is accounted: imported + produced = consumed + exported + stored + lost.
"""

import itertools
from dataclasses import dataclass, field
from math import isqrt, pi, sin, sqrt

from rig.series import Surroundings

J_PER_WH = 3600.0
DAY_S = 86_400
# Open-circuit voltage of one LFP cell over state of charge, typical of data sheets.
OCV_V = (
    (0.0, 2.90),
    (0.05, 3.12),
    (0.10, 3.20),
    (0.20, 3.25),
    (0.50, 3.29),
    (0.90, 3.34),
    (0.97, 3.38),
    (1.0, 3.45),
)
FULL, TAPER_FULL = 0.999, 0.95  # no charge above the first; less and less above the second
EMPTY, TAPER_EMPTY = 0.03, 0.10
TAPER_FLOOR = 0.03  # a BMS ends its taper at a few percent, not at a hair above zero
COLD_C, COOL_C, WARM_C, HOT_C = 0.0, 10.0, 45.0, 55.0


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """The site's nameplates. Powers in W at the AC side, magnitudes."""

    capacity_wh: int = 20_480
    soh: float = 0.98
    charge_max_w: int = 10_000
    discharge_max_w: int = 10_000
    ac_max_w: int = 10_000  # what the inverter's AC side can carry, with DC-coupled PV in it; VA too
    var_max: int = 6_000  # reactive power each way
    cells: int = 16
    nominal_v: float = 51.2
    current_max_a: float = 200.0
    resistance_ohm: float = 0.004
    converter_efficiency: float = 0.975
    coulombic_efficiency: float = 0.99
    ramp_w_per_s: int = 5_000
    pv_peak_w: int = 4_000
    hybrid: bool = False  # True: PV on this inverter's DC side. False: on an inverter of its own
    ambient_c: float = 18.0
    heat_capacity_j_per_k: float = 180_000.0  # about 200 kg of cells
    cooling_w_per_k: float = 12.0
    sunrise_s: int = 8 * 3600
    sunset_s: int = 18 * 3600


@dataclass(frozen=True, slots=True)
class Order:
    """What the device's control wants, before any physical limit.

    kind: "self" (hold the grid at 0), "grid" (hold it at power_w), "battery" (DC power), "ac" (power of
    the inverter's AC side), "idle". `low_w`/`high_w` bound the battery power (+ = discharge) whatever
    the kind: a negative `high_w` forces charging.
    """

    kind: str = "self"
    power_w: int = 0
    low_w: int | None = None
    high_w: int | None = None
    from_grid: bool = True  # False: charge from PV only
    var: int = 0  # reactive power to inject, - = absorb
    apart: bool = False  # its own relay to the grid is open


@dataclass(slots=True)
class State:
    """Everything a register may show. AC powers are whole watts; energies are joules, ever rising."""

    second: float  # of the simulated time; 0 is midnight of the first day
    stored_j: float
    temperature_c: float
    soc: float = 0.0
    soh: float = 1.0
    pv_w: int = 0
    load_w: int = 0
    shed_w: int = 0  # of the house, switched off by relays; as much as there is
    beside_w: int = 0  # what leaves the site's other inverters (`fleet.py`)
    load_var: int = 0
    grid_w: int = 0
    grid_var: int = 0  # + = imported
    inverter_var: int = 0  # + = injected
    connected: bool = True  # to the grid; else the inverter makes an island of the house
    battery_ac_w: int = 0
    battery_w: float = 0.0  # DC terminals
    current_a: float = 0.0  # + = discharging
    voltage_v: float = 0.0
    grid_mv: int = 230_000
    frequency_mhz: int = 50_000
    charge_limit_a: float = 0.0
    discharge_limit_a: float = 0.0
    charged_j: float = 0.0  # DC
    discharged_j: float = 0.0
    ac_in_j: float = 0.0  # inverter AC side
    ac_out_j: float = 0.0
    imported_j: float = 0.0
    exported_j: float = 0.0
    produced_j: float = 0.0
    consumed_j: float = 0.0
    lost_j: float = 0.0
    order: Order = field(default_factory=Order)

    @property
    def on_grid(self) -> bool:
        return self.connected and not self.order.apart

    @property
    def charge_limit_w(self) -> int:
        return int(self.charge_limit_a * self.voltage_v)

    @property
    def discharge_limit_w(self) -> int:
        return int(self.discharge_limit_a * self.voltage_v)


def begin(spec: SiteSpec, *, soc: float, second: float, surroundings: Surroundings) -> State:
    """A site at rest, its instruments already showing this moment."""
    state = State(
        second=second, stored_j=spec.capacity_wh * J_PER_WH * spec.soh * soc, temperature_c=spec.ambient_c
    )
    state.soh = spec.soh
    step(state, spec, surroundings, Order("idle"), dt_ms=0, speed=1.0)
    return state


def step(
    state: State, spec: SiteSpec, surroundings: Surroundings, order: Order, *, dt_ms: int, speed: float
) -> None:
    """Advance by `dt_ms`. `speed` hastens day, energy and heat, but not the inverter's ramp."""
    slow_s = dt_ms / 1000 * speed
    state.second += slow_s
    state.order = order
    _observe(state, spec, surroundings)
    _limit(state, spec, slow_s)
    wanted = target_w(state, spec, order)
    reach = spec.ramp_w_per_s * dt_ms // 1000
    ramped = min(max(wanted, state.battery_ac_w - reach), state.battery_ac_w + reach)
    _flow(state, spec, clamp_w(ramped, state, spec) if state.on_grid else _island(state, spec))
    _react(state, spec, order.var)
    _account(state, spec, slow_s)


def clear_sky_w(spec: SiteSpec, second: float) -> int:
    """A synthetic clear day: a sine between sunrise and sunset, flattened at the ends."""
    day = (second % DAY_S - spec.sunrise_s) / (spec.sunset_s - spec.sunrise_s)
    return int(spec.pv_peak_w * sin(pi * day) ** 1.3) if 0 < day < 1 else 0


def open_circuit_v(spec: SiteSpec, soc: float) -> float:
    """Voltage of the resting battery, from the cell table."""
    for (left, low), (right, high) in itertools.pairwise(OCV_V):
        if soc <= right:
            return spec.cells * (low + (high - low) * (max(soc, left) - left) / (right - left))
    return spec.cells * OCV_V[-1][1]


def to_dc(ac_w: float, spec: SiteSpec) -> float:
    """Power at the battery's terminals for a power at the AC side."""
    return ac_w / spec.converter_efficiency if ac_w > 0 else ac_w * spec.converter_efficiency


def to_ac(dc_w: float, spec: SiteSpec) -> int:
    """The largest whole AC power (toward zero) that needs no more than `dc_w` at the terminals."""
    return int(dc_w * spec.converter_efficiency if dc_w > 0 else dc_w / spec.converter_efficiency)


def target_w(state: State, spec: SiteSpec, order: Order) -> int:
    """Battery power at the AC side that this order asks for now, before ramp and limits."""
    if order.kind == "battery":
        wanted = to_ac(order.power_w, spec)
    elif order.kind == "ac":
        wanted = order.power_w - (state.pv_w if spec.hybrid else 0)
    elif order.kind == "idle":
        wanted = 0
    else:  # "self" is "grid" at 0
        wanted = house_w(state) - (order.power_w if order.kind == "grid" else 0)
    if order.low_w is not None:
        wanted = max(wanted, order.low_w)
    if order.high_w is not None:
        wanted = min(wanted, order.high_w)
    return wanted if order.from_grid else max(wanted, -state.pv_w)


def clamp_w(wanted_w: int, state: State, spec: SiteSpec) -> int:
    """What the hardware lets through: nameplate, AC side, BMS. Each only narrows."""
    room_out = spec.ac_max_w - (state.pv_w if spec.hybrid else 0)
    top = min(spec.discharge_max_w, max(room_out, 0), to_ac(state.discharge_limit_w, spec))
    bottom = min(spec.charge_max_w, -to_ac(-state.charge_limit_w, spec))
    return max(-bottom, min(top, wanted_w))


def _island(state: State, spec: SiteSpec) -> int:
    """Without a grid the battery carries the house, at once and whatever was ordered. What it cannot carry
    goes dark, what it cannot take is not produced."""
    needed = house_w(state)
    carried = clamp_w(needed, state, spec)
    state.load_w -= max(0, needed - carried)
    state.pv_w -= max(0, carried - needed)
    return carried


def _react(state: State, spec: SiteSpec, wanted_var: int) -> None:
    """Active power first; an island's reactive power is the house's."""
    active_w = inverter_w(state, spec)
    most = min(spec.var_max, isqrt(max(0, spec.ac_max_w**2 - active_w**2)))
    wanted = wanted_var if state.on_grid else state.load_var
    state.inverter_var = max(-most, min(most, wanted))
    state.grid_var = state.load_var - state.inverter_var if state.on_grid else 0


def house_w(state: State) -> int:
    """What the grid would carry without this battery."""
    return state.load_w - state.pv_w - state.beside_w


def inverter_w(state: State, spec: SiteSpec) -> int:
    """What leaves its AC side."""
    return state.battery_ac_w + (state.pv_w if spec.hybrid else 0)


def _observe(state: State, spec: SiteSpec, surroundings: Surroundings) -> None:
    state.pv_w = clear_sky_w(spec, state.second)
    state.load_w = max(0, surroundings.load_w.held(state.second) - state.shed_w)
    state.load_var = surroundings.load_var.held(state.second)
    state.grid_mv = surroundings.voltage_mv.held(state.second)
    state.frequency_mhz = 50_000 + round(surroundings.frequency_uhz.between(state.second) / 1000)


def _limit(state: State, spec: SiteSpec, slow_s: float) -> None:
    """The BMS: current limits from charge and temperature, never more than this step could move."""
    full_j = spec.capacity_wh * J_PER_WH * spec.soh
    state.soc = state.stored_j / full_j
    state.voltage_v = state.voltage_v or open_circuit_v(spec, state.soc)
    charge, discharge = (
        charge_share(state.soc, state.temperature_c),
        discharge_share(state.soc, state.temperature_c),
    )
    state.charge_limit_a, state.discharge_limit_a = (
        spec.current_max_a * charge,
        spec.current_max_a * discharge,
    )
    if slow_s > 0:  # only large accelerated steps ever meet this bound
        ocv = open_circuit_v(spec, state.soc) * slow_s
        state.discharge_limit_a = min(state.discharge_limit_a, 0.8 * state.stored_j / ocv)
        state.charge_limit_a = min(state.charge_limit_a, 0.8 * max(full_j - state.stored_j, 0.0) / ocv)


def charge_share(soc: float, temperature_c: float) -> float:
    """Part of the largest current a BMS allows for charging: 0 when full or frozen, tapered near both."""
    if soc >= FULL or not COLD_C < temperature_c < HOT_C:
        return 0.0
    by_charge = 1.0 if soc <= TAPER_FULL else max(TAPER_FLOOR, (1.0 - soc) / (1.0 - TAPER_FULL))
    by_heat = 0.5 if temperature_c < COOL_C or temperature_c > WARM_C else 1.0
    return min(by_charge, by_heat)


def discharge_share(soc: float, temperature_c: float) -> float:
    """The same for discharging: 0 when empty or too hot."""
    if soc <= EMPTY or temperature_c >= HOT_C:
        return 0.0
    by_charge = 1.0 if soc >= TAPER_EMPTY else max(TAPER_FLOOR, (soc - EMPTY) / (TAPER_EMPTY - EMPTY))
    return min(by_charge, 0.5 if temperature_c > WARM_C else 1.0)


def _flow(state: State, spec: SiteSpec, battery_ac_w: int) -> None:
    """Currents and voltages for this battery power, and the balance of the site."""
    state.battery_ac_w = battery_ac_w
    state.battery_w = to_dc(battery_ac_w, spec)
    ocv, ohm = open_circuit_v(spec, state.soc), spec.resistance_ohm
    # P = (ocv - I R) I; below the short-circuit power the smaller root is the working point.
    state.current_a = (ocv - sqrt(max(ocv * ocv - 4 * ohm * state.battery_w, 0.0))) / (2 * ohm)
    state.voltage_v = ocv - state.current_a * ohm
    state.grid_w = house_w(state) - battery_ac_w


def _account(state: State, spec: SiteSpec, slow_s: float) -> None:
    ocv = open_circuit_v(spec, state.soc)
    chemical_w = ocv * state.current_a
    if chemical_w < 0:
        chemical_w *= spec.coulombic_efficiency
    state.stored_j -= chemical_w * slow_s
    lost_w = chemical_w - state.battery_ac_w  # converter, resistance, coulombs
    state.lost_j += lost_w * slow_s
    surplus_w = lost_w - spec.cooling_w_per_k * (state.temperature_c - spec.ambient_c)
    state.temperature_c += surplus_w * slow_s / spec.heat_capacity_j_per_k
    state.soc = state.stored_j / (spec.capacity_wh * J_PER_WH * spec.soh)
    out_w = inverter_w(state, spec)
    for name, power in (
        ("discharged_j", state.battery_w),
        ("charged_j", -state.battery_w),
        ("ac_out_j", out_w),
        ("ac_in_j", -out_w),
        ("imported_j", state.grid_w),
        ("exported_j", -state.grid_w),
        ("produced_j", state.pv_w),
        ("consumed_j", state.load_w),
    ):
        if power > 0:
            setattr(state, name, getattr(state, name) + power * slow_s)
