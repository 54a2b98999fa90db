"""Seplos BMS 3.0 (XZH) on RS485: Modbus RTU replies of functions 4 and 1, at the pack's own address, also 0.

Beside the registers it has its events and switches as coils, of which a limit alone does not tell: of each
event the odd bit is a protection. Current is + = charging on the wire. A reply has no address of what was
read: those that are asked for differ in function and length. It refuses every other.
"""

from collections.abc import Mapping
from struct import unpack

from drivers.bms.crc import crc16
from drivers.bms.family import ANY, Envelope, Family, Frame, Request, Secrets, Values
from drivers.bms.fields import text
from drivers.bms.values import (
    ALARM_FLAGS,
    BOARD,
    CHARGE,
    DISCHARGE,
    REQUEST_FLAGS,
    alarms,
    cells,
    enabled,
    temperatures,
)
from gateway.errors import FrameError

COILS, REGISTERS, REFUSED = 0x01, 0x04, 0x80
ADDRESSES = 16  # by its switches
HEAD, CRC = 3, 2
# Function, first, how many, and the bytes that answer.
PACK = REGISTERS, 0x1000, 0x12, 0x24
EVENTS = COILS, 0x1200, 0x90, 0x12
MODEL = REGISTERS, 0x170A, 10, 20
SERIAL = REGISTERS, 0x1715, 15, 30
_KINDS = {function << 8 | size for function, _, _, size in (PACK, EVENTS, MODEL, SERIAL)}
ABSENT = 0xFFFF
KELVIN_DK = 2731

# By the coil's place behind 1200 hex.
_EVENTS: Mapping[int, str] = {
    **dict.fromkeys(range(16), "under_volt_warning"),  # of each cell
    **dict.fromkeys(range(16, 32), "over_volt_warning"),
    **dict.fromkeys(range(32, 40), "under_temp_warning"),
    **dict.fromkeys(range(40, 48), "over_temp_warning"),
    **dict.fromkeys((72, 76), "over_volt_warning"),
    **dict.fromkeys((73, 77), "over_volt_alarm"),
    **dict.fromkeys((74, 78), "under_volt_warning"),
    **dict.fromkeys((75, 79), "under_volt_alarm"),
    **dict.fromkeys((80, 84, 88, 92), "over_temp_warning"),  # charging, discharging, ambient, switches
    **dict.fromkeys((81, 85, 89, 93), "over_temp_alarm"),
    **dict.fromkeys((82, 86, 90), "under_temp_warning"),
    **dict.fromkeys((83, 87, 91), "under_temp_alarm"),
    96: "over_charge_current_warning",
    **dict.fromkeys((97, 98), "over_charge_current_alarm"),
    99: "over_discharge_current_warning",
    **dict.fromkeys((100, 101), "over_discharge_current_alarm"),
    102: "other_alarm",  # short circuit
    **dict.fromkeys(range(104, 112), "other_alarm"),  # locked by it, reversed
    114: "under_soc_min_warning",
    115: "under_soc_min_alarm",
    116: "voltage_imbalance_warning",
    118: "other_alarm",  # moved
    132: "other_alarm",  # a cell
    **dict.fromkeys(range(136, 142), "other_alarm"),  # sensors, measuring chip, switches, cells, wires
    142: "other_warning",  # key
    143: "other_alarm",  # fire suppression
}
_DISCHARGES, _CHARGES = 120, 121  # switches that are closed


def ask(address: int, function: int, first: int, count: int) -> bytes:
    body = bytes([address, function]) + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    return body + crc16(body)


def _measure(head: bytes) -> int:
    if head[1] & REFUSED:
        return HEAD + CRC
    return HEAD + head[2] + CRC if head[1] << 8 | head[2] in _KINDS else 0


def _open(frame: bytes) -> Frame | None:
    if crc16(frame[:-CRC]) != frame[-CRC:]:
        raise FrameError("Seplos: the CRC is wrong")
    address, function, size = frame[:HEAD]
    if function & REFUSED:
        return Frame(ANY, b"", address, refused=size)
    return Frame(function << 8 | size, frame[HEAD:-CRC], address)


def _decode(kind: int, data: bytes) -> Values:
    if kind not in _KINDS or len(data) != kind & 0xFF:
        raise FrameError(f"Seplos: {len(data)} bytes are no reply to {kind:#06x}")
    if kind == _kind(PACK):
        return _pack(data)
    return _events(data) if kind == _kind(EVENTS) else {}


def _pack(data: bytes) -> Values:
    voltage, current, left, _, _, soc, soh, cycles, _, _, most, least, hot, cold, _, discharge, charge, _ = (
        unpack(">Hh16H", data)
    )
    told = {
        "battery_voltage_mv": 10 * voltage,
        "battery_current_ma": -10 * current,
        "battery_soc_bp": 10 * soc,
        "battery_soh_bp": 10 * soh,
        "battery_available_mah": 10 * left,
        "battery_cycles_count": cycles,
        **cells([mv for mv in (least, most) if mv != ABSENT]),
        **temperatures([10 * (dk - KELVIN_DK) for dk in (hot, cold) if dk not in (0, ABSENT)]),
    }
    limits = {CHARGE: charge, DISCHARGE: discharge}
    return told | {name: 1000 * amperes for name, amperes in limits.items() if amperes != ABSENT}


def _events(data: bytes) -> Values:
    coils = int.from_bytes(data, "little")
    return {
        ALARM_FLAGS: alarms(_EVENTS, coils),
        REQUEST_FLAGS: enabled(bool(coils >> _CHARGES & 1), bool(coils >> _DISCHARGES & 1)),
    }


def _texts(kind: int, data: bytes) -> Mapping[str, str]:
    return {"serial" if kind == _kind(SERIAL) else "model": text(data)}


def _kind(block: tuple[int, int, int, int]) -> int:
    return block[0] << 8 | block[3]


def _request(name: str, address: int, block: tuple[int, int, int, int], *, optional: bool = False) -> Request:
    return Request(name, ask(address, *block[:3]), _kind(block), HEAD + block[3] + CRC, optional)


def _places(frame: bytes) -> tuple[range, ...]:
    is_serial = frame[1] << 8 | frame[2] == _kind(SERIAL)
    return (range(HEAD, HEAD + SERIAL[3]),) if is_serial else ()


_FUNCTIONS = COILS, REGISTERS, COILS | REFUSED, REGISTERS | REFUSED
_STARTS = tuple(bytes([address, function]) for address in range(ADDRESSES) for function in _FUNCTIONS)
_ENVELOPE = Envelope(_STARTS, HEAD, _measure, _open)
SEPLOS_V3 = Family(
    name="seplos_v3",
    points=(
        "battery_voltage_mv",
        "battery_current_ma",
        "battery_soc_bp",
        "battery_soh_bp",
        *(name for name in BOARD if name != "battery_board_temperature_cc"),
        CHARGE,
        DISCHARGE,
    ),
    envelope=lambda: _ENVELOPE,
    requests=lambda address: (_request("pack", address, PACK), _request("events", address, EVENTS)),
    introduction=lambda address: (
        _request("model", address, MODEL, optional=True),
        _request("serial number", address, SERIAL, optional=True),
    ),
    decode=_decode,
    texts=_texts,
    addresses=range(ADDRESSES),
    tells_limits=True,
    secrets=Secrets(_places, lambda frame: frame[:-CRC] + crc16(frame[:-CRC]), CRC),
)
