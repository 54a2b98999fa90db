"""The bits that a battery's alarms and requests have, whatever bus it speaks on.

Owns the names and numbers that profiles and codecs share. It refuses to judge: what an alarm forbids is
decided by whoever makes the limits.
"""

from collections.abc import Mapping

# Bits of battery_alarms_flags: those of SunSpec model 802 point Evt1, so that a battery says the same on
# every bus. Alarms and warnings have bits of their own.
ALARMS: Mapping[str, int] = {
    "communication_error": 0,
    "over_temp_alarm": 1,
    "over_temp_warning": 2,
    "under_temp_alarm": 3,
    "under_temp_warning": 4,
    "over_charge_current_alarm": 5,
    "over_charge_current_warning": 6,
    "over_discharge_current_alarm": 7,
    "over_discharge_current_warning": 8,
    "over_volt_alarm": 9,
    "over_volt_warning": 10,
    "under_volt_alarm": 11,
    "under_volt_warning": 12,
    "under_soc_min_alarm": 13,
    "under_soc_min_warning": 14,
    "over_soc_max_alarm": 15,
    "over_soc_max_warning": 16,
    "voltage_imbalance_warning": 17,
    "temperature_imbalance_alarm": 18,
    "temperature_imbalance_warning": 19,
    "contactor_error": 20,
    "fan_error": 21,
    "ground_fault": 22,
    "open_door_error": 23,
    "current_imbalance_warning": 24,
    "other_alarm": 25,
    "other_warning": 26,
    "configuration_alarm": 28,
    "configuration_warning": 29,
}
# Bits of battery_requests_flags: what a BMS asks of its inverter.
REQUESTS: Mapping[str, int] = {
    "charge_enabled": 0,
    "discharge_enabled": 1,
    "force_charge": 2,
    "force_charge_2": 3,
    "full_charge": 4,
}
FLAGS: Mapping[str, Mapping[str, int]] = {
    "battery_alarms_flags": ALARMS,
    "battery_requests_flags": REQUESTS,
}
