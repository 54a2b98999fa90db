"""JK (Jikong) boards in their 300-byte records: on Bluetooth, and on RS485 with a Modbus answer after each.

A record is 55 AA EB 90, type, counter, data, sum; little endian. Boards of firmware 11 and later have room
for 32 cells, older ones for 24 and everything after them 32 bytes earlier; on Bluetooth the information
record says which it is, so until it was heard no status is believed. Current is + = charging on the wire. The
settings state the highest currents. One byte of sum for 300 passes too much: a status is also held against
what it says twice. It refuses records of a board whose firmware it cannot read.
"""

from collections.abc import Mapping
from struct import unpack_from

from drivers.bms.crc import crc16
from drivers.bms.family import Envelope, Family, Frame, Request, Secrets, Values
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

START, COMMAND = b"\x55\xaa\xeb\x90", b"\xaa\x55\x90\xeb"
SIZE = 300
SETTINGS, STATUS, ABOUT = 1, 2, 3
ASK_STATUS, ASK_ABOUT = 0x96, 0x97  # on Bluetooth
FIRMWARE_32, FIRMWARE_SENSORS = 11, 14  # the second has four sensors of cells, before there were two
ABSENT_DC = -2000  # a sensor that is not there
SOUND_PERCENT, SOUND_MW, SOUND_MV = 50, 500_000, 50  # power is measured over another time than the current
STEADY: Mapping[str, int] = {"battery_voltage_mv": 2_000, "battery_current_ma": 20_000, "battery_soc_bp": 200}
NARROW = 32  # by how much everything after the cells comes earlier with room for 24

# Bits of the errors; the older boards have theirs 16 bits higher in the same word.
_ERRORS: Mapping[int, str] = {
    0: "other_warning",  # resistance of a wire to a cell
    1: "over_temp_alarm",  # switches
    2: "configuration_alarm",  # number of cells
    3: "other_alarm",  # current sensor
    4: "over_volt_alarm",
    5: "over_volt_alarm",
    6: "over_charge_current_alarm",
    7: "other_alarm",  # short circuit while charging
    8: "over_temp_alarm",
    9: "under_temp_alarm",
    10: "communication_error",  # inside the board
    11: "under_volt_alarm",
    12: "under_volt_alarm",
    13: "over_discharge_current_alarm",
    14: "other_alarm",  # short circuit while discharging
    15: "over_temp_alarm",
}
_SENSORS_32 = ((1, 162), (2, 164), (4, 256), (5, 258))  # bit of presence, place
_SENSORS_24 = ((0, 130), (1, 132))

_POINTS = (
    "battery_voltage_mv",
    "battery_current_ma",
    "battery_soc_bp",
    "battery_soh_bp",
    *BOARD,
    CHARGE,
    DISCHARGE,
)


def command(code: int) -> bytes:
    body = COMMAND + bytes([code]) + bytes(14)
    return body + bytes([sum(body) & 0xFF])


def trigger(address: int, register: int) -> bytes:
    """On RS485 a record is asked for by a Modbus write of 0 to its register."""
    body = bytes([address, 0x10, register >> 8, register & 0xFF, 0, 1, 2, 0, 0])
    return body + crc16(body)


def _whole(record: bytes) -> bytes:
    if START in record[len(START) :]:  # one byte of sum would let one of 256 such pass
        raise FrameError("JK: a record begins inside another")
    if sum(record[:-1]) & 0xFF != record[-1]:
        raise FrameError("JK: the sum is wrong")
    return record


def _status(data: bytes, firmware: int) -> Values:
    shift = 0 if firmware >= FIRMWARE_32 else NARROW
    half = shift // 2  # the cells' own bit mask and what is between lie after voltages only
    present = unpack_from("<I", data, 70 - half)[0]
    room = 24 if shift else 32
    millivolts = [mv for i, mv in enumerate(unpack_from(f"<{room}H", data, 6)) if present >> i & 1]
    voltage, power, current = unpack_from("<IIi", data, 150 - shift)
    soc, left, _, cycles = unpack_from("<BIII", data, 173 - shift)
    charge, discharge = data[198 - shift], data[199 - shift]
    errors = unpack_from("<I", data, 166 - shift)[0]
    spread = unpack_from("<H", data, 76 - half)[0]
    if not _sound(millivolts, spread, voltage, power, current) or charge > 1 or discharge > 1:
        raise FrameError("JK: a status that contradicts itself")
    told = {
        "battery_voltage_mv": voltage,
        "battery_current_ma": -current,
        "battery_soc_bp": 100 * soc,
        "battery_soh_bp": 100 * data[190 - shift],
        "battery_available_mah": left,
        "battery_cycles_count": cycles,
        ALARM_FLAGS: alarms(_ERRORS, errors >> 16 if shift else errors),
        REQUEST_FLAGS: enabled(bool(charge), bool(discharge)),
        **cells(millivolts),
        **temperatures(_sensors(data, shift, firmware)),
    }
    board = unpack_from("<h", data, 134 if shift else 144)[0]
    return told | ({"battery_board_temperature_cc": 10 * board} if board != ABSENT_DC else {})


def _sound(millivolts: list[int], spread: int, voltage: int, power: int, current: int) -> bool:
    """Whether the battery's voltage is that of its cells, their spread what it says, and its power (mW,
    without a sign) voltage by current. A 0 says nothing: not every firmware may tell these."""
    measured = abs(voltage * current) // 1000
    apart = abs(measured - power) - SOUND_MW
    if power and 100 * apart > SOUND_PERCENT * max(measured, power):
        return False
    if spread and millivolts and abs(max(millivolts) - min(millivolts) - spread) > SOUND_MV:
        return False
    return not millivolts or 100 * abs(sum(millivolts) - voltage) <= 5 * voltage


def _sensors(data: bytes, shift: int, firmware: int) -> list[int]:
    """Of the cells, those that are there."""
    there = data[214 - shift]
    places = _SENSORS_24 if shift else _SENSORS_32[: 4 if firmware >= FIRMWARE_SENSORS else 2]
    found = []
    for bit, place in places:
        dc = unpack_from("<h", data, place)[0]
        if there >> bit & 1 and dc != ABSENT_DC:
            found.append(10 * dc)
    return found


def _settings(data: bytes) -> Values:
    charge, discharge = unpack_from("<I8xI", data, 50)
    return {CHARGE: charge, DISCHARGE: discharge}


def _decode(kind: int, data: bytes) -> Values:
    if kind == STATUS and len(data) == SIZE + 1:
        return _status(data, firmware=data[SIZE])
    if len(data) != SIZE:
        raise FrameError(f"JK: a record of {len(data)} bytes")
    if kind == STATUS:
        return _status(data, firmware=FIRMWARE_SENSORS)
    if kind == SETTINGS:
        return _settings(data)
    if kind == ABOUT:
        return {}
    raise FrameError(f"JK: no record of type {kind:#x}")


def _texts(_kind: int, data: bytes) -> Mapping[str, str]:
    return {"model": text(data[6:22]), "firmware": text(data[30:38]), "serial": text(data[86:97])}


def _places(frame: bytes) -> tuple[range, ...]:
    """Of the information all after the firmware: names, passwords, the serial number."""
    return (range(46, SIZE - 1),) if frame.startswith(START) and frame[4:5] == bytes([ABOUT]) else ()


def _sealed(frame: bytes) -> bytes:
    """The frame with the sum of its record made anew."""
    return frame[: SIZE - 1] + bytes([sum(frame[: SIZE - 1]) & 0xFF]) + frame[SIZE:]


class _Air:
    """The envelope of one Bluetooth session: puts the firmware, which the information record said, after each
    status, because its layout follows from it."""

    def __init__(self) -> None:
        self._firmware: bytes | None = None

    def open(self, frame: bytes) -> Frame | None:
        if not frame.startswith(START):
            return None  # a command, or the board's note that it took one
        kind = _whole(frame)[4]
        if kind == ABOUT:
            major = text(frame[30:38]).split(".")[0]
            if not (major.isascii() and major.isdigit()):
                raise FrameError(f"JK: firmware {major!r} is not known")
            self._firmware = bytes([min(int(major), 255)])
        elif kind == STATUS:
            if self._firmware is None:
                raise FrameError("JK: a status before the information that says how it is laid out")
            return Frame(kind, frame + self._firmware)
        return Frame(kind, frame)

    def envelope(self) -> Envelope:
        return Envelope((START, COMMAND), 4, lambda head: SIZE if head == START else 20, self.open)


_REGISTERS = {STATUS: 0x1620, SETTINGS: 0x161E, ABOUT: 0x161C}
_ACKNOWLEDGED = 8  # the Modbus answer to the write, after the record


def _open_wire(frame: bytes) -> Frame | None:
    """A record and the Modbus answer that says whose it is; both must be right and mean the same."""
    record, answer = frame[:SIZE], frame[SIZE:]
    kind = _whole(record)[4]
    register = _REGISTERS.get(kind, 0)
    said = bytes([0x10, register >> 8, register & 0xFF, 0, 1])
    if answer[1:6] != said or crc16(answer[:6]) != answer[6:]:
        raise FrameError("JK: the answer after the record is wrong")
    return Frame(kind, record, answer[0])


_WIRE = Envelope((START,), 4, lambda _head: SIZE + _ACKNOWLEDGED, _open_wire)


def _wire(name: str, address: int, kind: int, *, optional: bool = False) -> Request:
    return Request(name, trigger(address, _REGISTERS[kind]), kind, SIZE + _ACKNOWLEDGED, optional)


JK_PB = Family(
    name="jk_pb",
    points=_POINTS,
    envelope=lambda: _WIRE,
    requests=lambda address: (_wire("status", address, STATUS), _wire("settings", address, SETTINGS)),
    introduction=lambda address: (_wire("information", address, ABOUT, optional=True),),
    decode=_decode,
    texts=_texts,
    addresses=range(16),
    secrets=Secrets(_places, _sealed, 1 + _ACKNOWLEDGED),
    tells_limits=True,
    steady=STEADY,
)
# On Bluetooth one command brings both, and the status again and again after it.
JK_BLE = Family(
    name="jk_ble",
    points=_POINTS,
    envelope=lambda: _Air().envelope(),
    requests=lambda _address: (
        Request("settings", command(ASK_STATUS), SETTINGS, SIZE),
        Request("status", command(ASK_STATUS), STATUS, SIZE),
    ),
    introduction=lambda _address: (Request("information", command(ASK_ABOUT), ABOUT, SIZE),),
    decode=_decode,
    texts=_texts,
    tells_limits=True,
    secrets=Secrets(_places, _sealed, 1),
)
