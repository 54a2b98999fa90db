"""The plan of a SunSpec device without the device, for `gridseal check`: a typical chain of its role.

Pure. What a device really has is known only after its chain was scanned, and the plan says so.
"""

from urllib.parse import parse_qs, urlsplit

from drivers.sunspec.binding import bind, for_role
from drivers.sunspec.blocks import program
from drivers.sunspec.commanded import spec
from drivers.sunspec.profile import SunSpecProfile
from drivers.sunspec.scan import Found
from gateway.driver import Plan, PlanLine
from gateway.model import Point
from gateway.site import Device

# (model, L) in the order that devices of the field show them.
TYPICAL = {
    "inverter": ((1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (160, 88), (124, 24)),
    "battery": ((1, 66), (802, 62), (803, 26)),
    "meter": ((1, 66), (203, 105)),
}
FIRST_ADDRESS = 40002
TCP_MS = 10.0  # one request to an inverter's TCP server in a quiet network
BAUD = 9600
CHARACTER_BITS = 11
REQUEST_BYTES, REPLY_BYTES, SILENCE_BYTES = 8, 5, 7  # FC 3 over RTU; two silences of 3.5 characters


def plan(device: Device, profile: SunSpecProfile) -> Plan:
    """What a poll of such a device costs on its link, with a note that the models are not known yet."""
    address, found = FIRST_ADDRESS, []
    for model, length in TYPICAL[profile.role]:
        found.append(Found(model, address, length))
        address = found[-1].end
    bounds = bind(for_role(found, profile.role), {}, profile)
    polls = program(bounds)
    lines = tuple(
        PlanLine(
            f"holding {block.address}..{block.address + block.count - 1}: models "
            + ", ".join(str(f.model) for f in found if f.address in block.models),
            request_ms(device.link, block.count),
            sum(b.fast and b.terms[0].model.found.address in block.models for b in bounds),
        )
        for block in polls.fast
    )
    points = tuple(
        Point(device.name, b.name, evidence=b.fast) for b in sorted(bounds, key=lambda b: not b.fast)
    )
    commanded = device.control and profile.role == "inverter" and profile.setpoint != "none"
    chain = ", ".join(str(f.model) for f in found)
    notes = (
        f"SunSpec: models and points are found at connect; this is the plan for a chain of {chain}",
        *(("setpoint by model 704 or 124, whichever the device has",) if commanded else ()),
    )
    return Plan(lines, points, spec(profile, device) if commanded else None, notes)


def request_ms(link: str, registers: int) -> float:
    """How long one read takes on the wire; a flat figure for Modbus TCP."""
    parts = urlsplit(link)
    if parts.scheme == "tcp":
        return TCP_MS
    baud = parse_qs(parts.query).get("baud", [str(BAUD)])[0]
    characters = REQUEST_BYTES + REPLY_BYTES + SILENCE_BYTES + 2 * registers
    return characters * CHARACTER_BITS * 1000 / (int(baud) if baud.isdigit() and int(baud) else BAUD)
