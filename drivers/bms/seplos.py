"""Seplos BMS 2.0 on RS485, in the ASCII frames of drivers.bms.ascii.

Current is + = charging on the wire. The device states no charge or discharge limit, only two switches. Of
each event the even bit is a warning, the odd one a protection. It refuses replies whose length does not fit
the cells and sensors that they announce.
"""

from collections.abc import Mapping

from drivers.bms import ascii
from drivers.bms.family import NO_SECRETS, Family, Request, Values
from drivers.bms.fields import Fields, text
from drivers.bms.values import ALARM_FLAGS, BOARD, REQUEST_FLAGS, alarms, cells, enabled, temperatures
from gateway.errors import FrameError

TELEMETRY, SIGNALS, VENDOR = 0x42, 0x44, 0x51
GROUP = b"\x01"
VENDOR_SIZE = 32  # model, version, maker
KELVIN_DK = 2731
CELLS_MAX, SENSORS_MAX, APART = 24, 8, 2  # the last two sensors are ambient and switches
REST = 8  # reserved, at the end of the telemetry

# Bits over events 1 to 6, event 1 lowest.
_EVENTS: Mapping[int, str] = {
    **dict.fromkeys(range(7), "other_alarm"),  # sensors, key switch, cells, switches
    7: "other_warning",  # current limiter
    8: "over_volt_warning",
    9: "over_volt_alarm",
    10: "under_volt_warning",
    11: "under_volt_alarm",
    12: "over_volt_warning",
    13: "over_volt_alarm",
    14: "under_volt_warning",
    15: "under_volt_alarm",
    16: "over_temp_warning",
    17: "over_temp_alarm",
    18: "under_temp_warning",
    19: "under_temp_alarm",
    20: "over_temp_warning",
    21: "over_temp_alarm",
    22: "under_temp_warning",
    23: "under_temp_alarm",
    24: "over_temp_warning",
    25: "over_temp_alarm",
    26: "under_temp_warning",
    27: "under_temp_alarm",
    28: "over_temp_alarm",
    29: "over_temp_warning",
    32: "over_charge_current_warning",
    33: "over_charge_current_alarm",
    34: "over_discharge_current_warning",
    35: "over_discharge_current_alarm",
    **dict.fromkeys(range(36, 40), "other_alarm"),  # transient current, short circuit, and locked by them
    40: "over_volt_alarm",
    42: "under_soc_min_warning",
    43: "under_soc_min_alarm",
    44: "other_alarm",  # too low to be charged
    45: "other_alarm",
    46: "other_alarm",
}


def _telemetry(data: bytes) -> Values:
    fields = Fields(data, "Seplos, telemetry")
    fields.take(2)  # flag, group
    millivolts = fields.numbers(fields.counted(CELLS_MAX), 2)
    kelvin = fields.numbers(fields.counted(SENSORS_MAX), 2)
    current, voltage, left = fields.number(2, signed=True), fields.number(2), fields.number(2)
    fields.take(1 + 2)  # number of items of its own, capacity
    soc, _rated, cycles, soh = fields.numbers(4, 2)
    fields.take(2 + REST)  # port voltage
    fields.end()
    if not millivolts or len(kelvin) <= APART:
        raise FrameError("Seplos: neither cells nor sensors")
    sensors = [10 * (dk - KELVIN_DK) for dk in kelvin]
    return {
        "battery_voltage_mv": 10 * voltage,
        "battery_current_ma": -10 * current,
        "battery_soc_bp": 10 * soc,
        "battery_soh_bp": 10 * soh,
        "battery_available_mah": 10 * left,
        "battery_cycles_count": cycles,
        "battery_board_temperature_cc": sensors[-1],
        **cells(millivolts),
        **temperatures(sensors[:-APART]),
    }


def _signals(data: bytes) -> Values:
    fields = Fields(data, "Seplos, signals")
    fields.take(2)
    voltages = fields.take(fields.counted(CELLS_MAX))
    sensors = fields.take(fields.counted(SENSORS_MAX))
    fields.take(2 + 1)  # current, voltage, number of what follows
    events = int.from_bytes(fields.take(6), "little")
    switches = fields.number(1)
    if not voltages or not sensors or fields.left != 13:
        raise FrameError(f"Seplos: signals of {len(data)} bytes")
    return {
        ALARM_FLAGS: alarms(_EVENTS, events),
        REQUEST_FLAGS: enabled(charge=bool(switches & 2), discharge=bool(switches & 1)),
    }


def _vendor(data: bytes) -> Values:
    if len(data) != VENDOR_SIZE:
        raise FrameError(f"Seplos: vendor information of {len(data)} bytes")
    return {}


_DECODERS = {TELEMETRY: _telemetry, SIGNALS: _signals, VENDOR: _vendor}


def _texts(_kind: int, data: bytes) -> Mapping[str, str]:
    return {
        "model": text(data[:10]),
        "firmware": f"{data[10]}.{data[11]}",
    }


SEPLOS_V2 = Family(
    name="seplos_v2",
    points=(
        "battery_voltage_mv",
        "battery_current_ma",
        "battery_soc_bp",
        "battery_soh_bp",
        *BOARD,
    ),
    envelope=lambda: ascii.ENVELOPE,
    requests=lambda address: (
        Request("telemetry", ascii.request(address, TELEMETRY, GROUP), TELEMETRY, ascii.reply_max(107)),
        Request("signals", ascii.request(address, SIGNALS, GROUP), SIGNALS, ascii.reply_max(57)),
    ),
    introduction=lambda address: (
        Request(
            "vendor", ascii.request(address, VENDOR), VENDOR, ascii.reply_max(VENDOR_SIZE), optional=True
        ),
    ),
    decode=lambda kind, data: _DECODERS[kind](data),
    texts=_texts,
    addresses=range(16),
    secrets=NO_SECRETS,
)
