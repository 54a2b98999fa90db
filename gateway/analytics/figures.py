"""The figures of a period that owners, contracts and maintenance ask for, and the alerts made of them.

Vocabulary only: frozen, integers in canonical units, no I/O. docs/analytics.md defines each figure with its
formula, source and limits. It refuses to invent: a figure that the stored readings do not support is None.
"""

from dataclasses import dataclass
from enum import StrEnum


class AlertCode(StrEnum):
    """What a maintenance alert is about. The values are stored and published: they are never renamed."""

    SOH_LOW = "soh-low"
    FADE_FAST = "capacity-fade"
    EFFICIENCY_LOW = "efficiency-low"
    IMBALANCE = "cell-imbalance"
    HOT = "temperature-high"
    COLD = "temperature-low"
    COMMS = "comms-flapping"
    FAN = "fan"
    INSULATION = "insulation"
    CONTACTOR = "contactor"
    DEVICE_ALARM = "device-alarm"


class Severity(StrEnum):
    NOTICE = "notice"  # plan a visit
    WARNING = "warning"  # visit soon
    CRITICAL = "critical"  # now


@dataclass(frozen=True, slots=True)
class Alert:
    """Something for a technician. `since_ms`: the start of the period in which its condition began."""

    code: AlertCode
    severity: Severity
    since_ms: int
    text: str  # one sentence for people, without the code


@dataclass(frozen=True, slots=True)
class Performance:
    """The figures of all batteries of a site over [start_ms, end_ms). None: not known.

    Energies are at the point where the device measures them (docs/analytics.md). `cycles_milli` is in
    thousandths of a full cycle, `capacity_error_bp` the part of `capacity_wh` that it may be wrong by.
    """

    start_ms: int
    end_ms: int
    charged_wh: int
    discharged_wh: int
    cycles_milli: int | None
    efficiency_bp: int | None  # round trip
    capacity_wh: int | None  # usable, measured over swings of the charge
    capacity_error_bp: int | None
    rated_wh: int | None  # as the devices say
    soh_bp: int | None  # as the devices say
    soh_measured_bp: int | None  # measured capacity against the rated one
    imbalance_mv: int | None  # largest difference of two cells
    imbalance_rest_mv: int | None  # the same, while the battery rested
    imbalance_ms: int  # for how long two cells differed by more than 100 mV
    temperature_min_cc: int | None
    temperature_max_cc: int | None
    availability_bp: int | None
    faults: int  # times that an alarm of battery or inverter began
    losses: int  # times that a device fell silent
    battery_alarms_flags: int  # each bit that was seen: SunSpec 802 Evt1
    inverter_alarms_flags: int  # SunSpec 701 Alrm

    @property
    def throughput_wh(self) -> int:
        return self.charged_wh + self.discharged_wh
