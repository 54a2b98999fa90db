"""What a Bluetooth battery is asked at each poll, worked out without it; and whether this computer can ask.

Times are of a connection as these modules make it: 20 bytes a packet, one packet each 30 ms.
"""

from drivers.ble.table import BleTable
from drivers.ble.url import BleUrl
from drivers.bms.families import FAMILIES
from drivers.bms.values import names
from gateway.driver import Plan, PlanLine
from gateway.model import Point
from gateway.site import Device

PACKET_BYTES = 20
PACKET_MS = 30.0
NOTE = "the connection is kept between polls: a telephone with the maker's app cannot connect meanwhile"


def make_plan(device: Device, table: BleTable, where: BleUrl) -> Plan:
    """ConfigError when the family's library is missing, or this Python is too old for it."""
    notes = [NOTE, f"address {where.address}, by {where.adapter}"]
    if table.allowance is not None:
        charge, discharge = table.allowance.charge_ma / 1000, table.allowance.discharge_ma / 1000
        notes.append(
            f"the battery states no limits: while it allows it, {charge:g} A charging and {discharge:g} A "
            "discharging count, by its profile"
        )
    if table.gatt is None:
        from drivers.ble.foreign import need
        from drivers.ble.translate import FOREIGN

        need(table.family)
        asked, points = f"whatever aiobmsble asks ({table.family.partition(':')[2]})", names(FOREIGN)
        line = PlanLine(asked, 0.0, len(points))
    else:
        family = FAMILIES[table.family]
        requests, points = family.requests(0), names(family)
        if table.streams:  # it is listened to; what it does not repeat is asked for once a minute
            requests = tuple(request for request in requests if request.name in table.streams)
        bus_ms = sum(_ms(len(request.data)) + _ms(request.reply_max) for request in requests)
        verb = "hear" if table.streams else "ask"
        line = PlanLine(f"{verb} {', '.join(request.name for request in requests)}", bus_ms, len(points))
    named = tuple(Point(device.name, name) for name in points)
    return Plan((line,), named, None, tuple(notes), f"the device {where.address}")


def _ms(size: int) -> float:
    return -(-size // PACKET_BYTES) * PACKET_MS
