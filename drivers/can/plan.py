"""What a CAN device is expected to send, and how long its frames hold the wire. Pure.

Times are the worst case of classic CAN: longest accepted length, every possible stuff bit.
"""

from drivers.can.codec import FrameSpec, Table
from drivers.can.table import CanTable
from drivers.can.url import CanUrl
from gateway.driver import Plan, PlanLine
from gateway.errors import ConfigError
from gateway.model import Point
from gateway.site import Device


def frame_bits(length: int, *, extended: bool) -> int:
    """Bits on the wire of a data frame with `length` bytes, stuffing and the gap of 3 included."""
    fixed, stuffable = (67, 54) if extended else (47, 34)
    return fixed + 8 * length + (stuffable + 8 * length - 1) // 4


def make_plan(device: Device, profile: CanTable, where: CanUrl) -> Plan:
    """The frames of one cycle with their points. ConfigError for an adapter at another bit rate than the
    device's: it would hear nothing, and disturb everybody."""
    bitrate = profile.bitrate
    if where.bitrate not in (None, bitrate):
        raise ConfigError(
            f"link {where.url!r}: it runs at {where.bitrate} bit/s, but {device.profile_name} "
            f"says {bitrate}: write bitrate={bitrate}"
        )
    lines = [_line(frame, profile.codec, bitrate) for frame in profile.codec.frames.values()]
    if profile.keep_alive:
        alive = profile.keep_alive
        bits = frame_bits(len(alive.data), extended=alive.extended)
        text = f"send {alive.id:#05x}: keep-alive each {alive.every_ms} ms, unless another node does"
        lines.append(PlanLine(text, bits * 1000 / bitrate, 0))
    points = tuple(Point(device.name, name) for name in profile.codec.points)
    notes = ["the device sends by itself; frames that it does not have stay absent"]
    seat = f"the frames of {device.profile_name}"  # a bus has no units
    return Plan(tuple(lines), points, None, tuple(notes), seat)


def _line(frame: FrameSpec, table: Table, bitrate: int) -> PlanLine:
    places = [field.slot for field in frame.fields] + [flags.slot for flags in frame.flags]
    slots = [table.slots[place] for place in places]
    names = list(dict.fromkeys(table.points[slot.point] for slot in slots))
    shown = names + [text.key for text in frame.texts]
    text = f"hear {frame.id:#05x}: {', '.join(shown)}"
    if slots:
        text += f"; stale after {slots[0].stale_ms / 1000:g} s"
    return PlanLine(
        text, frame_bits(max(frame.lengths), extended=frame.extended) * 1000 / bitrate, len(names)
    )
