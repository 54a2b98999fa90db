"""JBD (Jiabaida, Xiaoxiang, Overkill Solar): UART, RS485 and Bluetooth speak the same.

A request is DD A5 command length data checksum 77, a reply DD command status length data checksum 77, big
endian; the checksum leaves out the first two bytes. Current is + = charging on the wire. The device states no
charge or discharge limit, only its two switches. It refuses replies whose length does not fit what they
announce.
"""

from collections.abc import Mapping
from struct import Struct

from drivers.bms.family import NO_SECRETS, Envelope, Family, Frame, Request, Values
from drivers.bms.fields import text
from drivers.bms.values import ALARM_FLAGS, REQUEST_FLAGS, alarms, cells, enabled, temperatures
from gateway.errors import FrameError

START, END = 0xDD, 0x77
READ, WRITE = 0xA5, 0x5A  # of a request, where a reply has its command
BASIC, CELLS, HARDWARE = 0x03, 0x04, 0x05
HEAD, ENVELOPE = 4, 7
KELVIN_DK = 2731
TEMPERATURES_MAX, CELLS_MAX = 16, 48
_BASIC = Struct(
    ">HhHHHHIHBBBBB"
)  # V, I, left, nominal, cycles, date, balance, protection, version ... sensors
_TENFOLD = 0x80  # of the byte after the sensors: current and charge come in 100 mA and 100 mAh

_PROTECTION: Mapping[int, str] = {
    0: "over_volt_alarm",
    1: "under_volt_alarm",
    2: "over_volt_alarm",
    3: "under_volt_alarm",
    4: "over_temp_alarm",
    5: "under_temp_alarm",
    6: "over_temp_alarm",
    7: "under_temp_alarm",
    8: "over_charge_current_alarm",
    9: "over_discharge_current_alarm",
    10: "other_alarm",  # short circuit
    11: "other_alarm",  # measuring chip
    12: "other_alarm",  # switches locked by software
}


def checksum(data: bytes) -> bytes:
    return (-sum(data) & 0xFFFF).to_bytes(2, "big")


def request(command: int) -> bytes:
    body = bytes([command, 0])
    return bytes([START, READ]) + body + checksum(body) + bytes([END])


def _measure(head: bytes) -> int:
    return ENVELOPE + head[3]


def _open(frame: bytes) -> Frame | None:
    command, status, body = frame[1], frame[2], frame[2:-3]
    asked = command in (READ, WRITE)
    if frame[-1] != END or checksum(frame[2:-3]) != frame[-3:-1]:
        raise FrameError("JBD: checksum or end is wrong")
    return None if asked else Frame(command, body[2:], refused=status)


def _basic(data: bytes) -> Values:
    if len(data) < _BASIC.size:
        raise FrameError(f"JBD: basic information of {len(data)} bytes")
    voltage, current, left, _, cycles, _, _, protection, _, soc, switches, _, sensors = _BASIC.unpack_from(
        data
    )
    end = _BASIC.size + 2 * sensors
    if sensors > TEMPERATURES_MAX or len(data) < end:
        raise FrameError(f"JBD: {sensors} sensors do not fit {len(data)} bytes")
    step = 100 if len(data) > end and data[end] & _TENFOLD else 10
    kelvin = [int.from_bytes(data[at : at + 2], "big") for at in range(_BASIC.size, end, 2)]
    return {
        "battery_voltage_mv": voltage * 10,
        "battery_current_ma": -current * step,
        "battery_soc_bp": soc * 100,
        "battery_available_mah": left * step,
        "battery_cycles_count": cycles,
        ALARM_FLAGS: alarms(_PROTECTION, protection),
        REQUEST_FLAGS: enabled(bool(switches & 1), bool(switches & 2)),
        **temperatures([10 * (dk - KELVIN_DK) for dk in kelvin if dk not in (0, 0xFFFF)]),
    }


def _decode(kind: int, data: bytes) -> Values:
    if kind == BASIC:
        return _basic(data)
    if kind == CELLS and data and len(data) % 2 == 0 and len(data) <= 2 * CELLS_MAX:
        return cells([int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)])
    if kind == HARDWARE:
        return {}
    raise FrameError(f"JBD: {len(data)} bytes are no reply to {kind:#04x}")


def _texts(kind: int, data: bytes) -> Mapping[str, str]:
    return {"model": text(data)} if kind == HARDWARE else {}


_ENVELOPE = Envelope((bytes([START]),), HEAD, _measure, _open)
JBD = Family(
    name="jbd",
    points=(
        "battery_voltage_mv",
        "battery_current_ma",
        "battery_soc_bp",
        "battery_available_mah",
        "battery_cycles_count",
        ALARM_FLAGS,
        REQUEST_FLAGS,
        "battery_temperature_cc",
        "battery_temperature_min_cc",
        "battery_temperature_max_cc",
        "battery_cell_min_mv",
        "battery_cell_max_mv",
    ),
    envelope=lambda: _ENVELOPE,
    requests=lambda _address: (
        Request("basic information", request(BASIC), BASIC, ENVELOPE + 64),
        Request("cell voltages", request(CELLS), CELLS, ENVELOPE + 2 * CELLS_MAX),
    ),
    introduction=lambda _address: (
        Request("hardware", request(HARDWARE), HARDWARE, ENVELOPE + 32, optional=True),
    ),
    decode=_decode,
    texts=_texts,
    secrets=NO_SECRETS,  # its name is that of its kind
)
