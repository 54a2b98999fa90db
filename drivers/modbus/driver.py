"""A register-map device as a Driver: polls its points and says what it is.

It owns the poll classes (fast each time, slow every few seconds) and the sample's shape. It never writes;
a device that can be commanded is a drivers.modbus.actuator.Commanded around this. `offline` works out a
poll without the device.
"""

from collections.abc import Mapping

from drivers.modbus.actuator import describe
from drivers.modbus.plan import Block
from drivers.modbus.reader import Reader
from drivers.modbus.table import Table, Text
from drivers.modbus.url import LinkUrl, parse
from gateway.clock import Clock
from gateway.driver import Plan, PlanLine, RegisterLink
from gateway.errors import DeviceRefused
from gateway.model import Point, Points, Quality, Sample
from gateway.site import Device

SLOW_MS = 4_000  # a value older than 5 s counts as stale, so the slow ones come just before that

# Bus time of one request, for `gridseal check`.
TCP_REQUEST_MS = 5.0  # a LAN round trip and an embedded TCP stack; measured inverters take 2 to 30 ms
TURNROUND_MS = 2.0  # an RS-485 transceiver and a slave's interrupt
_REQUEST_CHARS, _REPLY_CHARS = 8, 5  # a read's frame; unit, function, length and CRC around its reply


class ModbusDriver:
    """gateway.driver.Driver over a RegisterLink."""

    pushed = False

    def __init__(self, device: Device, profile: Table, link: RegisterLink, clock: Clock) -> None:
        self._device, self._profile, self._link, self._clock = device, profile, link, clock
        self._timeout_s = device.timeout_ms / 1000
        self._fast, self._slow = _readers(device, profile)
        self._fast_points = _points(device, self._fast)
        self.points: Points = self._fast_points + _points(device, self._slow)
        self._slow_due_ms = 0

    async def connect(self) -> Mapping[str, str]:
        """Read what the profile says of identity, and every point once, so a wrong profile shows now."""
        self._fast, self._slow = _readers(self._device, self._profile)
        found = {"vendor": self._profile.vendor, "model": self._profile.model}
        for name, text in self._profile.identity.items():
            if said := await self._text(text):
                found[name] = said
        self._slow_due_ms = self._clock.mono_ms()
        sample = await self.read()
        if all(q == Quality.ABSENT for q in sample.qualities):
            raise DeviceRefused(
                f"{self._device.name}: the device has none of the points of {self._device.profile_name}; "
                "is the profile the right one, and the unit id?",
                code=2,
            )
        return found

    async def read(self) -> Sample:
        """One poll. The slow points come along when they are due."""
        stamp = self._clock.now()  # before the wire: an age is never understated
        values, qualities = await self._fast.read(self._link, self._timeout_s)
        points = self._fast_points
        if stamp.mono_ms >= self._slow_due_ms and self._slow.blocks:
            more, marks = await self._slow.read(self._link, self._timeout_s)
            values, qualities, points = values + more, qualities + marks, self.points
            self._slow_due_ms = stamp.mono_ms + SLOW_MS
        return Sample(self._device.name, stamp, points, tuple(values), qualities)

    async def serial_number(self) -> str:
        text = self._profile.identity.get("serial")
        return await self._text(text) if text else ""

    def refresh(self) -> None:
        """The next poll brings the slow points too."""
        self._slow_due_ms = 0

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    async def _text(self, text: Text) -> str:
        unit = self._device.unit if text.unit is None else text.unit
        try:
            data = await self._link.read(
                unit, text.table, text.address, text.count, timeout_s=self._timeout_s
            )
        except DeviceRefused:
            return ""
        return text.said(data)


def _readers(device: Device, profile: Table) -> tuple[Reader, Reader]:
    common = profile.forbidden, profile.hole_max, profile.compounds
    fast = Reader(device.unit, profile.fast, *common)
    return fast, Reader(device.unit, profile.slow, *common)


def _points(device: Device, reader: Reader) -> Points:
    return tuple(Point(device.name, name) for name in reader.names)


def offline(device: Device, profile: Table) -> Plan:
    """What a poll asks and costs, slow points included, without the device."""
    fast, slow = _readers(device, profile)
    where = parse(device.link)
    lines = [_line(where, block, "") for block in fast.blocks]
    lines += [_line(where, block, f", every {SLOW_MS // 1000} s") for block in slow.blocks]
    setpoint, notes = describe(device, profile)
    points = _points(device, fast) + _points(device, slow)
    return Plan(tuple(lines), points, setpoint, notes, named="serial" in profile.identity)


def _line(where: LinkUrl, block: Block, when: str) -> PlanLine:
    return PlanLine(f"{block}{when}", request_ms(where, block.count), len(block.fields))


def request_ms(where: LinkUrl, count: int) -> float:
    """How long one read of `count` registers keeps the link."""
    if where.scheme == "tcp":
        return TCP_REQUEST_MS + where.gap_ms
    chars = _REQUEST_CHARS + _REPLY_CHARS + 2 * count
    return chars * where.char_ms + where.silence_ms + max(where.silence_ms, where.gap_ms) + TURNROUND_MS
