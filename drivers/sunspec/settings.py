"""What a SunSpec profile states, as the driver takes it: plain and frozen; drivers.sunspec.profile makes it.

What each means is said there, where a person writes it. Nothing is checked here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """All powers in W, times in s."""

    role: str  # inverter | battery | meter
    base: int | None
    battery_dc: str  # auto | 714 | 160-34 | 802 | none | elsewhere
    ess_port_positive: str  # charge | discharge
    bank_positive: str | None  # charge | discharge
    meter_positive: str  # import | export
    meter_swapped: bool
    meter_exported: str  # up | down
    setpoint: str  # auto | 704 | 124 | none
    timeout_s: int
    charge_grid: bool
    charge_max_w: int
    discharge_max_w: int
    islanding: str  # 123 | none
