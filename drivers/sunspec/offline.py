"""The plan of a SunSpec device without the device, for `gridseal check`: a typical chain of its role.

Pure. What a device really has is known only after its chain was scanned, and the plan says so.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from drivers.sunspec.binding import bind, for_role
from drivers.sunspec.blocks import Block, program
from drivers.sunspec.commanded import spec
from drivers.sunspec.driver import SLOW_MS
from drivers.sunspec.scan import Found
from drivers.sunspec.settings import Settings
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
REQUEST_BYTES, REPLY_BYTES = 8, 5  # FC 3 over RTU, without the registers
SILENCE_CHARACTERS, SILENCE_MS_MIN = 3.5, 1.75  # what ends a frame; the standard's floor above 19,200 baud
TURNROUND_MS = 2.0  # an RS-485 transceiver and a slave's interrupt


def plan(device: Device, profile: Settings) -> Plan:
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
        *_slow_note(device.link, polls.slow),
        *(("setpoint by model 704 or 124, whichever the device has",) if commanded else ()),
    )
    return Plan(lines, points, spec(profile, device) if commanded else None, notes)


def _slow_note(link: str, blocks: Sequence[Block]) -> tuple[str, ...]:
    """The reads that are so rare that they are no part of a cycle."""
    if not blocks:
        return ()
    cost_ms = sum(request_ms(link, block.count) for block in blocks)
    reads = f"{len(blocks)} more read{'s' if len(blocks) > 1 else ''}"
    return (f"every {SLOW_MS // 1000} s {reads} for people's points, {cost_ms:.0f} ms",)


def request_ms(link: str, registers: int) -> float:
    """How long one read keeps the link, its `gap` included; a flat figure for Modbus TCP."""
    parts = urlsplit(link)
    options = dict(parse_qsl(parts.query))
    gap_ms = _number(options.get("gap", ""), 0)
    if parts.scheme == "tcp":
        return TCP_MS + gap_ms
    character_ms = CHARACTER_BITS * 1000 / _number(options.get("baud", ""), BAUD)
    silence_ms = max(SILENCE_CHARACTERS * character_ms, SILENCE_MS_MIN)
    characters = REQUEST_BYTES + REPLY_BYTES + 2 * registers
    return characters * character_ms + silence_ms + max(silence_ms, gap_ms) + TURNROUND_MS


def _number(text: str, default: int) -> int:
    """A whole number above 0; whether the URL is right as a whole, the link's own package says."""
    return int(text) if text.isascii() and text.isdigit() and int(text) else default
