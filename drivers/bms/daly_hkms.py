"""Daly boards of the H, K, M and S series, on UART, RS485 and Bluetooth: Modbus-like frames 81 03 and 51 03.

A board is asked at 80 hex and its number and answers from 50 hex and its number, so no Modbus master takes it
for an answer. Currents are in 0.1 A above -3000 A, + = charging; a temperature of 255 is a sensor that is not
there. A reply says how many bytes it has and not from where: the three that are asked for differ in length.
The device states no charge or discharge limit, only its two switches. It refuses every other length.
"""

from collections.abc import Mapping
from functools import partial
from struct import unpack_from

from drivers.bms.crc import crc16
from drivers.bms.daly import BOARDS_MAX, FAULTS_BY_BIT, ZERO_C, ZERO_CURRENT, swapped
from drivers.bms.family import Envelope, Family, Frame, Request, Secrets, Values
from drivers.bms.fields import text
from drivers.bms.values import ALARM_FLAGS, BOARD, REQUEST_FLAGS, alarms, cells, enabled, temperatures
from gateway.errors import FrameError

ASKED, ANSWERED, READ = 0x80, 0x50, 0x03
HEAD, CRC = 3, 2
PACK, STATE, VERSIONS = (0x00, 64), (0x41, 62), (0x178, 74)  # first register, how many
CELLS_MAX, SENSORS_MAX, ABSENT = 48, 8, 255
_LENGTHS = frozenset(2 * count for _, count in (PACK, STATE, VERSIONS))

# Levels of three bits, by the lowest of them: 1 is a warning, more an alarm.
_LEVELS: Mapping[int, tuple[str, str]] = {
    0: ("over_volt_warning", "over_volt_alarm"),
    3: ("under_volt_warning", "under_volt_alarm"),
    8: ("voltage_imbalance_warning", "voltage_imbalance_warning"),
    11: ("over_temp_warning", "over_temp_alarm"),
    16: ("under_temp_warning", "under_temp_alarm"),
    19: ("over_temp_warning", "over_temp_alarm"),
    24: ("under_temp_warning", "under_temp_alarm"),
    27: ("temperature_imbalance_warning", "temperature_imbalance_alarm"),
    32: ("over_volt_warning", "over_volt_alarm"),
    35: ("under_volt_warning", "under_volt_alarm"),
    40: ("over_charge_current_warning", "over_charge_current_alarm"),
    43: ("over_discharge_current_warning", "over_discharge_current_alarm"),
    48: ("under_soc_min_warning", "under_soc_min_alarm"),
    51: ("other_warning", "other_warning"),  # health
    56: ("over_temp_warning", "over_temp_alarm"),  # switches
    59: ("other_alarm", "other_alarm"),  # a cell that heats itself
}
_BITS: Mapping[int, str] = {
    **dict.fromkeys((7, 15), "other_warning"),  # charger, load
    **dict.fromkeys((22, 30), "over_temp_warning"),  # switches
    **dict.fromkeys((23, 31), "other_alarm"),  # their sensors
    38: "other_alarm",  # short circuit
    **dict.fromkeys((39, 55, 62, 63), "other_warning"),  # being updated, neighbours, two without a name
    **dict.fromkeys((46, 47), "other_alarm"),  # too low to be charged, too high to be discharged
    **dict.fromkeys(range(64, 88), "other_warning"),  # without a name
    **dict.fromkeys(range(88, 97), "other_alarm"),  # measuring chip, wires, sensors
    **dict.fromkeys((97, 98, 99), "other_warning"),  # memory, clock
    **dict.fromkeys(range(100, 104), "other_alarm"),  # switches, precharge
    **dict.fromkeys((110, 111), "other_warning"),  # current limiter, heating
}
# Boards for energy storage have those of the frames D2 03 instead; the last four bits are only here.
_FAULTS: Mapping[int, str] = {
    **FAULTS_BY_BIT,
    **dict.fromkeys((28, 30), "over_temp_warning"),
    **dict.fromkeys((29, 31), "over_temp_alarm"),
}


def ask(board: int, block: tuple[int, int]) -> bytes:
    first, count = block
    body = bytes([ASKED + board, READ]) + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    return body + crc16(body)


def _open(numbered: bool, frame: bytes) -> Frame | None:
    if crc16(frame[:-CRC]) != frame[-CRC:]:
        raise FrameError("Daly: the CRC is wrong")
    return Frame(frame[2], frame[HEAD:-CRC], frame[0] - ANSWERED if numbered else 0)


def _decode(kind: int, data: bytes) -> Values:
    if len(data) != kind:
        raise FrameError(f"Daly: {len(data)} bytes")
    if kind == 2 * PACK[1]:
        return _pack(data)
    if kind == 2 * STATE[1]:
        return _state(data)
    if kind == 2 * VERSIONS[1]:
        return {}
    raise FrameError(f"Daly: {len(data)} bytes")


def _pack(data: bytes) -> Values:
    voltage, current, soc, _life, count, sensors = unpack_from(">6H", data, 112)
    if count > CELLS_MAX or sensors > SENSORS_MAX:
        raise FrameError(f"Daly: {count} cells and {sensors} sensors")
    there = [raw for raw in unpack_from(f">{sensors}H", data, 96) if raw != ABSENT]
    return {
        "battery_voltage_mv": 100 * voltage,
        "battery_current_ma": -100 * (current - ZERO_CURRENT),
        "battery_soc_bp": 10 * soc,
        **cells(unpack_from(f">{count}H", data, 0)),
        **temperatures([100 * (raw - ZERO_C) for raw in there]),
    }


def _state(data: bytes) -> Values:
    left, cycles = unpack_from(">2H", data, 20)
    charge, discharge = unpack_from(">2H", data, 34)
    (switches,) = unpack_from(">H", data, 50)
    faults = alarms(_FAULTS, int.from_bytes(swapped(data[74:82]), "little"))
    told = {
        "battery_available_mah": 100 * left,
        "battery_cycles_count": cycles,
        REQUEST_FLAGS: enabled(bool(charge), bool(discharge)),
        ALARM_FLAGS: faults | _raised(int.from_bytes(swapped(data[88:102]), "little")),
    }
    return told | ({} if switches == ABSENT else {"battery_board_temperature_cc": 100 * (switches - ZERO_C)})


def _raised(word: int) -> int:
    levels = {at: names[(word >> at & 7) > 1] for at, names in _LEVELS.items() if word >> at & 7}
    return alarms(_BITS, word) | alarms(levels, sum(1 << at for at in levels))


def _texts(kind: int, data: bytes) -> Mapping[str, str]:
    if kind != 2 * VERSIONS[1]:
        return {}
    return {"firmware": text(data[:28]), "model": text(data[28:42]), "serial": text(data[42:70])}


def _places(frame: bytes) -> tuple[range, ...]:
    """Of the versions the serial number, and the codes after it."""
    return (range(HEAD + 42, HEAD + 2 * VERSIONS[1]),) if frame[2] == 2 * VERSIONS[1] else ()


def _measure(head: bytes) -> int:
    return HEAD + head[2] + CRC if head[2] in _LENGTHS else 0


def _request(name: str, board: int, block: tuple[int, int], *, optional: bool = False) -> Request:
    size = 2 * block[1]
    return Request(name, ask(board, block), size, HEAD + size + CRC, optional)


def _family(name: str, boards: range, *, numbered: bool) -> Family:
    """`numbered`: boards that share a wire; else there is one, with the number 1."""
    answers = boards if numbered else range(1, 2)
    starts = tuple(bytes([ANSWERED + board, READ]) for board in answers)
    envelope = Envelope(starts, HEAD, _measure, partial(_open, numbered))

    def board(address: int) -> int:
        return address if numbered else 1

    return Family(
        name=name,
        points=("battery_voltage_mv", "battery_current_ma", "battery_soc_bp", *BOARD),
        envelope=lambda: envelope,
        requests=lambda address: (
            _request("pack", board(address), PACK),
            _request("state", board(address), STATE),
        ),
        introduction=lambda address: (_request("versions", board(address), VERSIONS, optional=True),),
        decode=_decode,
        texts=_texts,
        addresses=boards,
        secrets=Secrets(_places, lambda frame: frame[:-CRC] + crc16(frame[:-CRC]), CRC),
    )


DALY_HKMS = _family("daly_hkms", range(1, BOARDS_MAX + 1), numbered=True)
DALY_HKMS_BLE = _family("daly_hkms_ble", range(1), numbered=False)
