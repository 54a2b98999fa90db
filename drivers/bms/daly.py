"""Daly boards: A5 frames on UART and RS485, Modbus-like D2 frames on Bluetooth; those of the H, K, M and S
series have a third kind (drivers.bms.daly_hkms).

A request on the wire is A5, asker, command, 08, eight bytes, sum; the asker is 40 hex for the first board and
one more for each after it, and the board answers with its own number. Currents are in 0.1 A above -3000 A: on
the wire + = discharging, on Bluetooth + = charging. The device states no charge or discharge limit, only its
two switches. It refuses every other length.
"""

from collections.abc import Mapping
from struct import unpack, unpack_from

from drivers.bms.crc import crc16
from drivers.bms.family import NO_SECRETS, Envelope, Family, Frame, Request, Secrets, Values
from drivers.bms.fields import text
from drivers.bms.values import ALARM_FLAGS, REQUEST_FLAGS, alarms, cells, enabled, temperatures
from gateway.errors import FrameError

START, ASKER, SIZE, CARRIED = 0xA5, 0x40, 13, 8
PACK, CELLS, SENSORS, SWITCHES, FAULTS = 0x90, 0x91, 0x92, 0x93, 0x98
BOARDS_MAX = 16  # answers come from these numbers, requests from far above
ZERO_CURRENT, ZERO_C = 30_000, 40
SOC_FULL, CELL_MV_MAX = 1_000, 5_000
DISCHARGING = 2  # the last of its states; 0 at rest, 1 charging
LEFT_MAX = 5_000_000  # mAh
STEADY: Mapping[str, int] = {
    "battery_voltage_mv": 2_000,
    "battery_current_ma": 20_000,
    "battery_soc_bp": 200,
    "battery_available_mah": 10_000,
}
CELL_MIN, CELL_MAX = "battery_cell_min_mv", "battery_cell_max_mv"

# Bits of the eight fault bytes, first byte lowest.
FAULTS_BY_BIT: Mapping[int, str] = {
    0: "over_volt_warning",
    1: "over_volt_alarm",
    2: "under_volt_warning",
    3: "under_volt_alarm",
    4: "over_volt_warning",
    5: "over_volt_alarm",
    6: "under_volt_warning",
    7: "under_volt_alarm",
    8: "over_temp_warning",
    9: "over_temp_alarm",
    10: "under_temp_warning",
    11: "under_temp_alarm",
    12: "over_temp_warning",
    13: "over_temp_alarm",
    14: "under_temp_warning",
    15: "under_temp_alarm",
    16: "over_charge_current_warning",
    17: "over_charge_current_alarm",
    18: "over_discharge_current_warning",
    19: "over_discharge_current_alarm",
    20: "over_soc_max_warning",
    21: "over_soc_max_alarm",
    22: "under_soc_min_warning",
    23: "under_soc_min_alarm",
    24: "voltage_imbalance_warning",
    25: "voltage_imbalance_warning",
    26: "temperature_imbalance_warning",
    27: "temperature_imbalance_alarm",
    32: "over_temp_warning",  # switches
    33: "over_temp_warning",
    **dict.fromkeys(range(34, 40), "other_alarm"),  # switches: sensors, welded, open
    **dict.fromkeys((40, 41, 42, 45), "other_alarm"),  # measuring chip, cell wires, sensors, precharge
    **dict.fromkeys((43, 44, 46, 47), "other_warning"),  # memory, clock, communication
    **dict.fromkeys(range(48, 52), "other_alarm"),  # current, sum, short circuit, too low to be charged
}
_POINTS = (
    "battery_voltage_mv",
    "battery_current_ma",
    "battery_soc_bp",
    "battery_available_mah",
    CELL_MIN,
    CELL_MAX,
    "battery_temperature_cc",
    "battery_temperature_min_cc",
    "battery_temperature_max_cc",
    ALARM_FLAGS,
    REQUEST_FLAGS,
)


def request(board: int, command: int) -> bytes:
    body = bytes([START, ASKER + board - 1, command, CARRIED]) + bytes(CARRIED)
    return body + bytes([sum(body) & 0xFF])


def _open(frame: bytes) -> Frame | None:
    if sum(frame[:-1]) & 0xFF != frame[-1]:
        raise FrameError("Daly: the sum is wrong")
    if any(frame[at] == START and frame[at + 3] == CARRIED and frame[at + 2] >= PACK for at in range(1, 10)):
        raise FrameError("Daly: a frame begins inside another")  # one byte of sum would let some pass
    return None if frame[1] > BOARDS_MAX else Frame(frame[2], frame[4:-1], frame[1])


def _must(sound: bool) -> None:
    """One byte of sum passes one of 256 frames of noise: what no board says is one of those."""
    if not sound:
        raise FrameError("Daly: no board says this")


def _decode(kind: int, data: bytes) -> Values:
    if len(data) != CARRIED:
        raise FrameError(f"Daly: {len(data)} bytes")
    if kind == PACK:
        voltage, _, current, soc = unpack(">4H", data)
        _must(soc <= SOC_FULL)
        return {
            "battery_voltage_mv": 100 * voltage,
            "battery_current_ma": 100 * (current - ZERO_CURRENT),
            "battery_soc_bp": 10 * soc,
        }
    if kind == CELLS:
        most, _, least, _ = unpack(">HBHBxx", data)
        _must(least <= most <= CELL_MV_MAX)
        return {CELL_MIN: least, CELL_MAX: most}
    if kind == SENSORS:
        _must(data[2] <= data[0])
        return temperatures([100 * (data[0] - ZERO_C), 100 * (data[2] - ZERO_C)])
    if kind == SWITCHES:
        state, charge, discharge, _, left = unpack(">BBBBI", data)
        _must(state <= DISCHARGING and charge <= 1 and discharge <= 1 and left <= LEFT_MAX)
        return {
            "battery_available_mah": left,
            REQUEST_FLAGS: enabled(bool(charge), bool(discharge)),
        }
    if kind == FAULTS:
        return {ALARM_FLAGS: alarms(FAULTS_BY_BIT, int.from_bytes(data, "little"))}
    raise FrameError(f"Daly: no reply to {kind:#04x}")


_WIRE = Envelope((bytes([START]),), 4, lambda head: SIZE if head[3] == CARRIED else 0, _open)
_ASKED = (("pack", PACK), ("cells", CELLS), ("sensors", SENSORS), ("switches", SWITCHES), ("faults", FAULTS))
DALY = Family(
    name="daly",
    points=_POINTS,
    envelope=lambda: _WIRE,
    requests=lambda board: tuple(Request(name, request(board, kind), kind, SIZE) for name, kind in _ASKED),
    decode=_decode,
    addresses=range(1, BOARDS_MAX + 1),
    secrets=NO_SECRETS,
    steady=STEADY,
)

AIR, READ, REGISTERS = 0xD2, 0x03, 62
VERSIONS = 0xA9, 32  # first register, how many
CELLS_MAX, SENSORS_MAX, ABSENT = 32, 8, 255


def ask(first: int, count: int) -> bytes:
    body = bytes([AIR, READ]) + first.to_bytes(2, "big") + count.to_bytes(2, "big")
    return body + crc16(body)


def _open_air(frame: bytes) -> Frame | None:
    if crc16(frame[:-2]) != frame[-2:]:
        raise FrameError("Daly: the CRC is wrong")
    return Frame(frame[2], frame[3:-2])


def _decode_air(kind: int, data: bytes) -> Values:
    """A reply says how many bytes it has and not from where: the two that are asked for differ in length."""
    if len(data) != kind or kind not in (2 * REGISTERS, 2 * VERSIONS[1]):
        raise FrameError(f"Daly: {len(data)} bytes")
    if kind == 2 * VERSIONS[1]:
        return {}
    voltage, current, soc = unpack_from(">3H", data, 80)
    left, count, sensors, cycles = unpack_from(">4H", data, 96)
    charge, discharge = unpack_from(">2H", data, 106)
    if count > CELLS_MAX or sensors > SENSORS_MAX:
        raise FrameError(f"Daly: {count} cells and {sensors} sensors")
    there = [raw for raw in unpack_from(f">{sensors}H", data, 64) if raw != ABSENT]
    return {
        "battery_voltage_mv": 100 * voltage,
        "battery_current_ma": -100 * (current - ZERO_CURRENT),
        "battery_soc_bp": 10 * soc,
        "battery_available_mah": 100 * left,
        "battery_cycles_count": cycles,
        REQUEST_FLAGS: enabled(bool(charge), bool(discharge)),
        ALARM_FLAGS: alarms(FAULTS_BY_BIT, int.from_bytes(swapped(data[116:124]), "little")),
        **cells(unpack_from(f">{count}H", data, 0)),
        **temperatures([100 * (raw - ZERO_C) for raw in there]),
    }


def swapped(data: bytes) -> bytes:
    """The fault bytes as they are on the wire: here each register has the later one first."""
    return bytes(data[at ^ 1] for at in range(len(data)))


def _texts_air(_kind: int, data: bytes) -> Mapping[str, str]:
    return {"firmware": text(data[:16])}


def _places(frame: bytes) -> tuple[range, ...]:
    """Of the versions all but the first: a code of the very board is among them."""
    return (range(3 + 16, 3 + 2 * VERSIONS[1]),) if frame[2] == 2 * VERSIONS[1] else ()


_AIR = Envelope((bytes([AIR, READ]),), 3, lambda head: 5 + head[2] if head[2] in (64, 124) else 0, _open_air)
DALY_BLE = Family(
    name="daly_ble",
    points=(*_POINTS, "battery_cycles_count"),
    envelope=lambda: _AIR,
    requests=lambda _address: (Request("registers", ask(0, REGISTERS), 2 * REGISTERS, 5 + 2 * REGISTERS),),
    introduction=lambda _address: (
        Request("versions", ask(*VERSIONS), 2 * VERSIONS[1], 5 + 2 * VERSIONS[1], optional=True),
    ),
    decode=_decode_air,
    texts=_texts_air,
    secrets=Secrets(_places, lambda frame: frame[:-2] + crc16(frame[:-2]), 2),
)
