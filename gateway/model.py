"""The vocabulary of Gridseal: what is measured, ordered, decided and signed.

Everything here is frozen, holds integers in one canonical unit per quantity, and does no I/O. Floats
appear only on screens. It refuses to know devices, files, clocks and chains.

Signs, everywhere: battery power and current + = discharging; grid power + = importing; pv power + =
producing; load power + = consuming, so load = pv + battery + grid. Inverter power + = out of the
inverter's AC side towards the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from functools import cached_property

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
UNKNOWN = 2**32 - 1  # of a Delivery's response and error

# The suffix of a point's name is its unit: (symbol on screens, decimal places between it and the integer).
UNITS: Mapping[str, tuple[str, int]] = {
    "w": ("W", 0),
    "var": ("var", 0),
    "va": ("VA", 0),
    "wh": ("Wh", 0),
    "mv": ("V", 3),
    "ma": ("A", 3),
    "mah": ("Ah", 3),
    "mhz": ("Hz", 3),
    "cc": ("°C", 2),
    "bp": ("%", 2),
    "s": ("s", 0),
    "ms": ("ms", 0),
    "count": ("", 0),
    "code": ("", 0),
    "flags": ("", 0),
}


class Quantity(StrEnum):
    """What control, evidence and contracts understand. A point of one of these names *is* that quantity."""

    BATTERY_POWER = "battery_power_w"
    BATTERY_VOLTAGE = "battery_voltage_mv"
    BATTERY_CURRENT = "battery_current_ma"
    BATTERY_SOC = "battery_soc_bp"
    BATTERY_SOH = "battery_soh_bp"
    BATTERY_TEMPERATURE = "battery_temperature_cc"
    BATTERY_CAPACITY = "battery_capacity_wh"
    BATTERY_AVAILABLE = "battery_available_wh"
    BATTERY_CHARGED = "battery_charged_wh"
    BATTERY_DISCHARGED = "battery_discharged_wh"
    BATTERY_CELL_MIN = "battery_cell_min_mv"
    BATTERY_CELL_MAX = "battery_cell_max_mv"
    BATTERY_ALARMS = "battery_alarms_flags"
    # Limits are magnitudes: never negative, whatever the direction.
    CHARGE_LIMIT_CURRENT = "charge_limit_ma"
    DISCHARGE_LIMIT_CURRENT = "discharge_limit_ma"
    CHARGE_LIMIT_POWER = "charge_limit_w"
    DISCHARGE_LIMIT_POWER = "discharge_limit_w"
    CHARGE_VOLTAGE_LIMIT = "charge_voltage_limit_mv"
    INVERTER_POWER = "inverter_power_w"
    INVERTER_REACTIVE = "inverter_reactive_var"
    INVERTER_STATE = "inverter_state_code"
    INVERTER_TEMPERATURE = "inverter_temperature_cc"
    PV_POWER = "pv_power_w"
    PV_ENERGY = "pv_energy_wh"
    GRID_POWER = "grid_power_w"
    GRID_REACTIVE = "grid_reactive_var"
    GRID_VOLTAGE = "grid_voltage_mv"
    GRID_FREQUENCY = "grid_frequency_mhz"
    GRID_IMPORTED = "grid_imported_wh"
    GRID_EXPORTED = "grid_exported_wh"
    LOAD_POWER = "load_power_w"
    EMERGENCY_STOP = "emergency_stop_code"  # 1: the contact says stop
    GRID_CONNECTED = "grid_connected_code"  # 1: connected, 0: not, whether islanded or off

    @property
    def unit(self) -> str:
        return self.value.rsplit("_", 1)[1]


QUANTITIES: Mapping[str, Quantity] = {q.value: q for q in Quantity}


class Quality(IntEnum):
    """How far a value may be believed. Only GOOD is ever used by a control law."""

    GOOD = 0
    STALE = 1  # not refreshed within its limit
    INVALID = 2  # arrived, but out of its plausible range
    ABSENT = 3  # the device says it has none


@dataclass(frozen=True)
class Point:
    """One measured value of one device. `name` ends in its unit (a key of UNITS)."""

    device: str
    name: str
    evidence: bool = True  # goes into the Merkle root of its interval

    @cached_property
    def key(self) -> str:
        """Name on the site, and the `point` string of a Merkle leaf: "inverter/battery_power_w"."""
        return f"{self.device}/{self.name}"

    @cached_property
    def quantity(self) -> Quantity | None:
        return QUANTITIES.get(self.name)

    @property
    def unit(self) -> str:
        return self.name.rsplit("_", 1)[1]


Points = tuple[Point, ...]


class ClockTrust(IntEnum):
    """What is known of the wall clock at a moment."""

    UNTRUSTED = 0
    TRUSTED = 1
    BACKDATED = 2  # taken untrusted, dated later from the first trusted moment


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment: order and age by `mono_ms`; calendar by `wall_ms` (Unix), as far as `trust` says."""

    mono_ms: int
    wall_ms: int
    trust: ClockTrust


@dataclass(frozen=True, slots=True)
class Sample:
    """What one device said at one moment: parallel tuples, because a site makes 10,000 of these an hour.

    `values[i]` is in the unit of `points[i]`, and 0 where `qualities[i]` is ABSENT. A sample may hold a
    part of the device's points (fast and slow polls). `points` is the same object each time.
    """

    device: str
    stamp: Stamp
    points: Points
    values: tuple[int, ...]
    qualities: bytes

    def readings(self) -> tuple["Reading", ...]:
        return tuple(
            Reading(p, v, Quality(q), self.stamp.wall_ms)
            for p, v, q in zip(self.points, self.values, self.qualities, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one point, as people, exports and Merkle leaves see it."""

    point: Point
    value: int
    quality: Quality
    at_ms: int


class CommandClass(StrEnum):
    """What a device does with a setpoint when nobody speaks to it any more."""

    SELF_EXPIRING = "self-expiring"  # each write carries or restarts a time after which it ends
    WATCHDOG = "watchdog"  # a separate register or heartbeat must be served
    LATCHING = "latching"  # stays until overwritten: the daemon is the only dead-man
    LATCHING_EEPROM = "latching-eeprom"  # the same, and each write wears the device


@dataclass(frozen=True, slots=True)
class SetpointSpec:
    """How a device takes a battery power setpoint. Powers are magnitudes in W.

    `step_w` is one least significant bit; `timeout_s` is the device's own reversion time (0: none), `ends_s`
    what it may be at the longest (0: the same); `refresh_s` at most a third of it.
    """

    command_class: CommandClass
    charge_max_w: int
    discharge_max_w: int
    step_w: int = 1
    timeout_s: int = 0
    refresh_s: int = 0
    settle_s: int = 5
    writes_per_day: int = 0  # 0: no budget needed
    ends_s: int = 0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What the device itself holds after a write: its setpoint, whether it obeys it, its dead-man timer.

    `power_w` None: it obeys a power and does not tell which: only that the battery follows says so.
    """

    power_w: int | None
    active: bool
    timer_s: int = 0  # 0: the device has no timer, or it is off

    def may_be(self, power_w: int, step_w: int) -> bool:
        return self.power_w is None or abs(self.power_w - power_w) <= step_w

    def rests(self, step_w: int) -> bool:
        """It says itself that it holds 0."""
        return self.power_w is not None and abs(self.power_w) <= step_w


class Source(IntEnum):
    """Who orders. A lower number wins; a higher one only narrows."""

    TRIP = 0
    GRID_LIMIT = 1
    OPERATOR = 2
    CHAIN = 3
    REMOTE = 4  # MQTT, HTTP
    SCHEDULE = 5


class ServiceKind(StrEnum):
    FIXED_POWER = "fixed-power"
    FREQUENCY = "frequency"
    PEAK_SHAVING = "peak-shaving"
    GRID_LIMIT = "grid-limit"
    SELF_CONSUMPTION = "self-consumption"
    RESERVE = "reserve"
    VOLTAGE = "voltage"
    REACTIVE = "reactive"
    DEMAND_RESPONSE = "demand-response"
    TRIGGERED = "triggered"
    ISLAND = "island"
    RECONNECT = "reconnect"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Command:
    """An order with an end. `id` is 32 bytes in hex, unique for ever; times are Unix ms.

    `parameters` are the integers of the service (canonical units), in its own order of names. A `shared`
    order leaves the battery's remaining power to other shared ones; one that is not has it alone.
    """

    id: str
    source: Source
    kind: ServiceKind
    not_before_ms: int
    not_after_ms: int
    parameters: Mapping[str, int] = field(default_factory=dict)
    origin: str = ""  # who or where from, for people: "contract 0x12…/service 4", "user ada"
    shared: bool = False


class CommandState(StrEnum):
    REFUSED = "refused"
    ADMITTED = "admitted"  # durable, not begun
    RUNNING = "running"  # durably begun; its moment may be seconds ahead, and until then it has not acted
    DONE = "done"
    CUT_SHORT = "cut-short"  # ended early: stop, fault, restart past its window


@dataclass(frozen=True, slots=True)
class Verdict:
    """What admission said. `reason` is for a person, and empty when admitted."""

    admitted: bool
    reason: str = ""


class Cause(StrEnum):
    """What curtailed a setpoint in a cycle. Nothing is clamped without one of these.

    Their order is signed (bit i of a delivery's causes): new ones go to the end.
    """

    INVERTER = "inverter limit"
    BMS = "bms limit"
    STALE_LIMIT = "limit unknown"
    SITE = "site limit"
    GRID = "grid limit"
    CONTRACT = "contract limit"
    SOC = "state of charge"
    TEMPERATURE = "temperature"
    RAMP = "ramp"
    DWELL = "direction dwell"
    ROUNDING = "device resolution"
    EXPIRED = "command ended"
    BUDGET = "write budget"
    FAULT = "latched fault"
    STOP = "stop"
    PRIORITY = "higher source"
    OFFLINE = "device away"
    CELL = "cell voltage"
    RECOVERY = "limit recovering"  # it was lower lately and is relaxed slowly
    GRID_LOST = "grid lost"  # or not back for long enough


@dataclass(frozen=True, slots=True)
class Limits:
    """A window for battery power: charge_w and discharge_w are magnitudes, 0 forbids."""

    charge_w: int
    discharge_w: int


NOTHING = Limits(0, 0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one command asked and what the battery did; the body of a signed delivery record.

    docs/attestation.md defines each figure. With `start_ms` 0 its date is not known: it lasted `end_ms`.
    """

    command_id: str
    start_ms: int
    end_ms: int
    requested_wh: int  # signed: + discharge
    delivered_wh: int
    power_min_w: int
    power_max_w: int
    power_mean_w: int
    response_ms: int  # UNKNOWN: it never came
    error_mean_w: int  # where the service is defined, battery or grid meter; UNKNOWN: not measured
    available_bp: int
    curtailed_ms: int
    curtailments: tuple[tuple[Cause, int], ...]  # each cause once, and for how many ms
    outcome: CommandState
    merkle_root: bytes = bytes(32)
    count: int = 0

    @property
    def causes(self) -> tuple[Cause, ...]:
        return tuple(cause for cause, _ in self.curtailments)


@dataclass(frozen=True, slots=True)
class Interval:
    """The aggregates of one attested period; the body of a signed interval record. Energies in Wh."""

    start_ms: int
    end_ms: int
    count: int
    merkle_root: bytes
    charged_wh: int
    discharged_wh: int
    imported_wh: int
    exported_wh: int
    produced_wh: int
    consumed_wh: int
    soc_bp: int
    soh_bp: int
    available_wh: int
    frequency_mhz: int  # mean, 0 when not measured
    voltage_mv: int
    clock: ClockTrust
    flags: int


class IntervalFlag(int, Enum):
    """Bits of Interval.flags: what a payer should know before trusting the figures."""

    PARTIAL = 1  # began or ended off its grid: start, stop
    GAP = 2  # samples were missing for part of it
    SOC_UNKNOWN = 4
    ENERGY_INTEGRATED = 8  # energy from power, the device has no counters
    READINGS_DROPPED = 16  # readings of an earlier period were lost or dropped


@dataclass(frozen=True, slots=True)
class Record:
    """A signed link of the hash chain: `digest` is the EIP-712 digest, `body` its canonical JSON."""

    sequence: int
    previous: bytes
    digest: bytes
    kind: str  # of gateway.evidence.typed.KINDS
    body: str
    signature: bytes = b""  # r || s || v, 65 bytes; empty until signed
