"""JK (Jikong) boards of the older kind on UART or RS485: 4E 57 length terminal command source type data.

Big endian. The reply to "read all" is a chain of registers: number, then as many bytes as that number has.
Current comes in two ways, and register C0 says in which. The protection currents set in the board are
what it takes. It refuses a chain with a register that it does not know: where the next one begins would be a
guess.
"""

from collections.abc import Mapping

from drivers.bms.family import Envelope, Family, Frame, Request, Secrets, Values
from drivers.bms.fields import Fields, text
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

START, END = b"\x4e\x57", 0x68
READ_ALL, REPLY = 0x06, 0x01
HEAD, TAIL = 11, 9  # before the data; record number, end, nothing, sum
LENGTH_MIN, LENGTH_MAX = HEAD + TAIL - 2, 512  # counted without the start
CELLS, VERSION = 0x79, 0xC0
PRIVATE = frozenset({0xB2, 0xB4, 0xBA})  # password, and what people call it
SIGNED = 0x01  # of VERSION: the current's upper bit means charging
ZERO_CURRENT = 10_000  # before that: what no current is
COLD_C = 100  # temperatures above it are negative

_SIZES: Mapping[int, int] = {
    **dict.fromkeys((0x80, 0x81, 0x82, 0x83, 0x84, 0x87, 0x8A, 0x8B, 0x8C, 0xAD, 0xB0), 2),
    **dict.fromkeys(range(0x8E, 0x9D), 2),
    **dict.fromkeys(range(0x9E, 0xA9), 2),
    **dict.fromkeys((0x85, 0x86, 0x9D, 0xA9, 0xAB, 0xAC, 0xAE, 0xAF, 0xB1, 0xB3, 0xB8, VERSION), 1),
    **dict.fromkeys((0x89, 0xAA, 0xB5, 0xB6, 0xB9), 4),
    0xB2: 10,
    0xB4: 8,
    0xB7: 15,
    0xBA: 24,
}
_ALARMS: Mapping[int, str] = {
    0: "under_soc_min_warning",
    1: "over_temp_alarm",
    2: "over_volt_alarm",
    3: "under_volt_alarm",
    4: "over_temp_alarm",
    5: "over_charge_current_alarm",
    6: "over_discharge_current_alarm",
    7: "voltage_imbalance_warning",
    8: "over_temp_alarm",
    9: "under_temp_alarm",
    10: "over_volt_alarm",
    11: "under_volt_alarm",
    12: "other_alarm",
    13: "other_alarm",
}


def checksum(data: bytes) -> bytes:
    return (sum(data) & 0xFFFF).to_bytes(4, "big")


def request() -> bytes:
    body = START + bytes([0, 19, 0, 0, 0, 0, READ_ALL, 3, 0, 0, 0, 0, 0, 0, END])
    return body + checksum(body)


def _measure(head: bytes) -> int:
    length = int.from_bytes(head[2:4], "big")
    return length + 2 if LENGTH_MIN <= length <= LENGTH_MAX else 0


def _open(frame: bytes) -> Frame | None:
    if frame[-5] != END or checksum(frame[:-4]) != frame[-4:]:
        raise FrameError("JK: sum or end is wrong")
    if frame[10] != REPLY:
        return None
    return Frame(frame[8], frame[HEAD:-TAIL])


def _registers(data: bytes) -> dict[int, bytes]:
    fields, found = Fields(data, "JK, registers"), dict[int, bytes]()
    while fields.left:
        number = fields.number(1)
        size = fields.number(1) if number == CELLS else _SIZES.get(number, 0)
        if not size or number in found:
            raise FrameError(f"JK: register {number:#04x} is not known here")
        found[number] = fields.take(size)
    return found


def _decode(kind: int, data: bytes) -> Values:
    if kind != READ_ALL:
        raise FrameError(f"JK: no reply to {kind:#04x}")
    found = _registers(data)
    try:
        return _told(found)
    except KeyError as missing:
        raise FrameError(f"JK: register {missing} is missing") from None


def _told(found: Mapping[int, bytes]) -> Values:
    number = {register: int.from_bytes(raw, "big") for register, raw in found.items()}
    if len(found[CELLS]) % 3:
        raise FrameError("JK: cells come in three bytes each")
    voltages = [int.from_bytes(found[CELLS][at + 1 : at + 3], "big") for at in range(0, len(found[CELLS]), 3)]
    soc, switches = number[0x85], number[0x8C]
    return {
        "battery_voltage_mv": 10 * number[0x83],
        "battery_current_ma": 10 * _current(number[0x84], number[VERSION]),
        "battery_soc_bp": 100 * soc,
        "battery_available_mah": 10 * soc * number[0xAA],
        "battery_cycles_count": number[0x87],
        "battery_board_temperature_cc": _celsius(number[0x80]),
        ALARM_FLAGS: alarms(_ALARMS, number[0x8B]),
        REQUEST_FLAGS: enabled(bool(switches & 1), bool(switches & 2)),
        CHARGE: 1000 * number[0x99],
        DISCHARGE: 1000 * number[0x97],
        **cells(voltages),
        **temperatures([_celsius(number[0x81]), _celsius(number[0x82])][: number[0x86]]),
    }


def _current(raw: int, version: int) -> int:
    """+ = discharging."""
    if version == SIGNED:
        return -(raw & 0x7FFF) if raw & 0x8000 else raw
    return raw - ZERO_CURRENT


def _celsius(raw: int) -> int:
    return 100 * (raw if raw <= COLD_C else COLD_C - raw)


def _texts(_kind: int, data: bytes) -> Mapping[str, str]:
    found = _registers(data)
    names = {"model": 0xB4, "firmware": 0xB7, "name": 0xBA}
    return {key: text(found[register]) for key, register in names.items() if register in found}


def _places(frame: bytes) -> tuple[range, ...]:
    """Of the registers those that people write, and the password; as far as the chain came."""
    found, at = [], HEAD
    while at + 1 < len(frame):
        size = 1 + frame[at + 1] if frame[at] == CELLS else _SIZES.get(frame[at], 0)
        if not size:
            break
        if frame[at] in PRIVATE:
            found.append(range(at + 1, at + 1 + size))
        at += 1 + size
    return tuple(found)


_ENVELOPE = Envelope((START,), 4, _measure, _open)
_ALL = Request("all registers", request(), READ_ALL, LENGTH_MAX)
JK = Family(
    name="jk",
    points=(
        "battery_voltage_mv",
        "battery_current_ma",
        "battery_soc_bp",
        *BOARD,
        CHARGE,
        DISCHARGE,
    ),
    envelope=lambda: _ENVELOPE,
    requests=lambda _address: (_ALL,),
    introduction=lambda _address: (_ALL,),
    decode=_decode,
    texts=_texts,
    tells_limits=True,
    secrets=Secrets(_places, lambda frame: frame[:-4] + checksum(frame[:-4]), 4),
)
