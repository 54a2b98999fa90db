"""Pylontech low-voltage batteries (US2000, US3000, US5000, UP2500) on RS485, in their ASCII frames.

One address is one battery: the first of a group has 2, and it speaks for no other. Current is + = charging on
the wire. Its management reply states what it takes now and whether it may be charged at all. It refuses
replies whose length does not fit the cells and sensors that they announce.
"""

from collections.abc import Mapping

from drivers.bms import ascii
from drivers.bms.family import Family, Request, Secrets, Values
from drivers.bms.fields import Fields, text
from drivers.bms.values import (
    ALARM_FLAGS,
    BOARD,
    CHARGE,
    DISCHARGE,
    REQUEST_FLAGS,
    alarms,
    cells,
    temperatures,
)
from drivers.flags import ALARMS, REQUESTS
from gateway.errors import FrameError

ANALOG, ALARM, MANAGEMENT, SERIAL = 0x42, 0x44, 0x92, 0x93
SERIAL_SIZE = 17  # address, text
KELVIN_DK = 2731
CELLS_MAX, SENSORS_MAX = 24, 8
STATUS_MAX = 6  # five bytes of status by the protocol; a US2000C sends one more
WIDE = 2  # more user-defined items than this: charges above 65 Ah follow in three bytes

# A place of the alarm reply says below or above its limit (a warning), or something else.
BELOW, ABOVE, OTHER = 0x01, 0x02, 0xF0
_PROTECTED: Mapping[int, str] = {  # status 1
    0: "over_volt_alarm",
    1: "under_volt_alarm",
    2: "over_charge_current_alarm",
    4: "over_discharge_current_alarm",
    5: "over_temp_alarm",
    6: "over_temp_alarm",
    7: "under_volt_alarm",
}
_REQUESTED: Mapping[int, str] = {  # status of the management reply
    7: "charge_enabled",
    6: "discharge_enabled",
    5: "force_charge",
    4: "force_charge_2",
    3: "full_charge",
}


def _analog(data: bytes) -> Values:
    fields = Fields(data, "Pylontech, analog values")
    fields.take(2)  # flag, module
    millivolts = fields.numbers(fields.counted(CELLS_MAX), 2)
    kelvin = fields.numbers(fields.counted(SENSORS_MAX), 2)
    current, voltage = fields.number(2, signed=True), fields.number(2)
    left, items, total, cycles = (fields.number(size) for size in (2, 1, 2, 2))
    if items > WIDE:
        left, total = fields.number(3), fields.number(3)
    fields.end()
    if not millivolts or not kelvin:
        raise FrameError("Pylontech: neither cells nor sensors")
    board, *sensors = (10 * (dk - KELVIN_DK) for dk in kelvin)
    told = {
        "battery_voltage_mv": voltage,
        "battery_current_ma": -100 * current,
        "battery_available_mah": left,
        "battery_cycles_count": cycles,
        "battery_board_temperature_cc": board,
        **cells(millivolts),
        **temperatures(sensors),
    }
    return told | ({"battery_soc_bp": 10_000 * left // total} if total else {})


def _alarm(data: bytes) -> Values:
    fields = Fields(data, "Pylontech, alarms")
    fields.take(2)
    voltages = fields.take(fields.counted(CELLS_MAX))
    sensors = fields.take(fields.counted(SENSORS_MAX))
    charge, voltage, discharge = fields.take(3)
    protected = fields.take(STATUS_MAX if fields.left == STATUS_MAX else STATUS_MAX - 1)[0]
    fields.end()
    if not voltages or not sensors:
        raise FrameError("Pylontech: neither cells nor sensors")
    raised = alarms(_PROTECTED, protected)
    for place, below, above in (
        *((place, "under_volt_warning", "over_volt_warning") for place in (*voltages, voltage)),
        *((place, "under_temp_warning", "over_temp_warning") for place in sensors),
        (charge, "over_charge_current_warning", "over_charge_current_warning"),
        (discharge, "over_discharge_current_warning", "over_discharge_current_warning"),
    ):
        name = {0: "", BELOW: below, ABOVE: above}.get(place, "other_alarm")
        raised |= 1 << ALARMS[name] if name else 0
    return {ALARM_FLAGS: raised}


def _management(data: bytes) -> Values:
    fields = Fields(data, "Pylontech, management")
    fields.take(1)
    most, least = fields.number(2), fields.number(2)
    charge, discharge = fields.number(2, signed=True), fields.number(2, signed=True)
    status = fields.number(1)
    fields.end()
    return {
        "charge_voltage_limit_mv": most,
        "discharge_voltage_limit_mv": least,
        CHARGE: abs(100 * charge),
        DISCHARGE: abs(100 * discharge),
        REQUEST_FLAGS: sum(1 << REQUESTS[name] for bit, name in _REQUESTED.items() if status >> bit & 1),
    }


def _serial(data: bytes) -> Values:
    if len(data) != SERIAL_SIZE:
        raise FrameError(f"Pylontech: a serial number of {len(data)} bytes")
    return {}


def _places(frame: bytes) -> tuple[range, ...]:
    """Of a serial number all after the address, by its length: a reply does not say what it answers."""
    digits = int(frame[ascii.HEAD - 4 : ascii.HEAD], 16) & 0xFFF
    return (range(ascii.HEAD + 2, ascii.HEAD + digits),) if digits == 2 * SERIAL_SIZE else ()


_DECODERS = {ANALOG: _analog, ALARM: _alarm, MANAGEMENT: _management, SERIAL: _serial}


def _request(name: str, address: int, command: int, data: int, *, optional: bool = False) -> Request:
    asked = ascii.request(address, command, bytes([address]))
    return Request(name, asked, command, ascii.reply_max(data), optional)


PYLONTECH = Family(
    name="pylontech",
    points=(
        "battery_voltage_mv",
        "battery_current_ma",
        "battery_soc_bp",
        *BOARD,
        "charge_voltage_limit_mv",
        "discharge_voltage_limit_mv",
        CHARGE,
        DISCHARGE,
    ),
    envelope=lambda: ascii.ENVELOPE,
    requests=lambda address: (
        _request("analog values", address, ANALOG, 19 + 2 * (CELLS_MAX + SENSORS_MAX)),
        _request("alarms", address, ALARM, 7 + STATUS_MAX + CELLS_MAX + SENSORS_MAX, optional=True),
        _request("management", address, MANAGEMENT, 10, optional=True),
    ),
    introduction=lambda address: (_request("serial number", address, SERIAL, SERIAL_SIZE, optional=True),),
    decode=lambda kind, data: _DECODERS[kind](data),
    texts=lambda _kind, data: {"serial": text(data[1:])},
    addresses=range(1, 248),
    secrets=Secrets(_places, ascii.seal, ascii.TAIL, b"58"),
    tells_limits=True,
)
