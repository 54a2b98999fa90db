"""What an OPC UA device is asked, worked out without it, and whether its link may be written on at all.

The time on the wire is an estimate of a LAN and a small server. Nothing here loads the library.
"""

from collections.abc import Sequence

from drivers.command import notes, spec
from drivers.opcua.codec import Field
from drivers.opcua.driver import PACE_MS, SLOW_MS
from drivers.opcua.sequence import step_w
from drivers.opcua.table import NODES_A_READ, Table
from drivers.opcua.url import OpcUaUrl
from gateway.driver import Plan, PlanLine
from gateway.errors import ConfigError
from gateway.model import Point
from gateway.site import Device

REQUEST_MS = 5.0


def make_plan(device: Device, profile: Table, where: OpcUaUrl) -> Plan:
    """ConfigError for a device that may be commanded over a link on which anybody could speak."""
    commanded = profile.setpoint is not None and device.control
    if commanded and not where.trusted:
        raise ConfigError(
            f"link {where.url!r}: {device.profile_name} takes setpoints, and these need a link that knows "
            "whom it speaks to: write mode=encrypt&server=sha256:…, or control: false for readings only"
        )
    lines = _told(profile, device) if profile.subscribed else _asked(profile)
    points = tuple(Point(device.name, field.name) for field in profile.fast + profile.slow)
    model = profile.setpoint if commanded else None
    setpoint = spec(device, model, step_w(model.write), {}) if model else None
    known = tuple(_notes(profile, where, commanded))
    return Plan(tuple(lines), points, setpoint, known, named="serial" in profile.identity)


def _asked(profile: Table) -> list[PlanLine]:
    lines = [_line("read", fields, "") for fields in _parts(profile.fast)]
    return lines + [_line("read", fields, f", every {SLOW_MS // 1000} s") for fields in _parts(profile.slow)]


def _told(profile: Table, device: Device) -> list[PlanLine]:
    pace = f", sent each {min(device.poll_ms, PACE_MS) / 1000:g} s if they changed"
    lines = [_line("hear", profile.fast, pace)]
    slow = f", sampled every {SLOW_MS // 1000} s"
    return lines + ([_line("hear", profile.slow, slow)] if profile.slow else [])


def _parts(fields: Sequence[Field]) -> list[Sequence[Field]]:
    return [fields[at : at + NODES_A_READ] for at in range(0, len(fields), NODES_A_READ)]


def _line(how: str, fields: Sequence[Field], when: str) -> PlanLine:
    first, last = fields[0].node, fields[-1].node
    which = str(first) if len(fields) == 1 else f"{first} … {last}"
    nodes = "1 node" if len(fields) == 1 else f"{len(fields)} nodes"
    return PlanLine(f"{how} {nodes}: {which}{when}", REQUEST_MS, len(fields))


def _notes(profile: Table, where: OpcUaUrl, commanded: bool) -> list[str]:
    known = [f"{profile.vendor} {profile.model}: {profile.proof}"]
    if profile.enable:
        known.append(f"before: {profile.enable}")
    if not where.trusted:
        known.append(
            "nothing is encrypted and nobody is authenticated: whoever is on this network can read and forge "
            "what the device says; it is given no setpoints"
        )
    elif where.mode == "sign":
        known.append("signed, not encrypted: whoever is on this network can read what the device says")
    if profile.setpoint is not None and commanded:
        known += notes(profile.setpoint)
    return known
