"""For how long the batteries were there: heard, without a fault, with known limits; and how often they went.

Pure: a fold over samples in order of time. A device is heard for as long as it may be silent after each
sample. It refuses to guess about the rest: time in which nothing was stored is time in which the battery was
away, whether it or the gateway was the cause.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.model import Quality, Quantity, Sample

BATTERY_ALARMS, INVERTER_ALARMS = Quantity.BATTERY_ALARMS.value, "inverter_alarms_flags"
# What has to be known of a battery before it can be used; a device that has none of its own is not asked.
VITAL = frozenset(
    q.value
    for q in (
        Quantity.BATTERY_SOC,
        Quantity.CHARGE_LIMIT_CURRENT,
        Quantity.DISCHARGE_LIMIT_CURRENT,
        Quantity.CHARGE_LIMIT_POWER,
        Quantity.DISCHARGE_LIMIT_POWER,
    )
)
# Bits of battery_alarms_flags (SunSpec 802 Evt1) that end its service: alarms, not warnings, of
# communication, temperature, current, voltage, contactor, insulation, door, imbalance of temperature,
# configuration, others. Empty and full are alarms to some devices and every day's business to us; a fan is a
# matter of maintenance.
BATTERY_FAULTS = sum(1 << bit for bit in (0, 1, 3, 5, 7, 9, 11, 18, 20, 22, 23, 25, 28))
# Bits of inverter_alarms_flags (SunSpec 701 Alrm): all but those that speak of the grid (4, 8 to 11).
INVERTER_FAULTS = sum(1 << bit for bit in (0, 1, 2, 3, 5, 6, 7, 12, 13, 14, 15, 16))
_FAULTS: Mapping[str, int] = {BATTERY_ALARMS: BATTERY_FAULTS, INVERTER_ALARMS: INVERTER_FAULTS}


@dataclass(slots=True)
class _Device:
    silence_ms: int
    until_ms: int  # heard until then
    asked: bool  # speaks for a battery: without it, the battery is away
    spoke: bool = False
    known: dict[str, bool] = field(default_factory=dict)  # vital point -> whether it is GOOD
    alarms: dict[str, int] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        faulted = any(bits & _FAULTS[name] for name, bits in self.alarms.items())
        return not faulted and all(self.known.values())

    def note(self, name: str, value: int, quality: int) -> None:
        if name in VITAL:
            if quality != Quality.ABSENT or name in self.known:
                self.known[name] = quality == Quality.GOOD
        elif quality == Quality.GOOD and value >= 0:
            self.alarms[name] = value


@dataclass(slots=True)
class Presence:
    """`silence_ms`: the devices of the batteries, and how long each may be silent. `batteries`: who belongs
    together; their times are averaged. `certain`: those that speak for a battery; of the others, only one
    that says something of a battery does (an inverter of the PV alone may sleep at night). `standing`: alarm
    bits that were there before, and are not new."""

    start_ms: int
    end_ms: int
    silence_ms: Mapping[str, int]
    batteries: Sequence[frozenset[str]]
    certain: frozenset[str]
    standing: dict[str, int] = field(default_factory=dict)
    reached_ms: int = 0  # summed over the batteries until close
    available_ms: int = 0
    faults: int = 0
    losses: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    at_ms: int = field(init=False)
    devices: dict[str, _Device] = field(init=False)

    def __post_init__(self) -> None:
        self.at_ms = self.start_ms
        self.devices = {
            name: _Device(ms, self.start_ms, name in self.certain) for name, ms in self.silence_ms.items()
        }

    def add(self, sample: Sample, wanted: Sequence[int], of_battery: bool) -> None:
        """One sample; `wanted`: the places in it of points that this fold asks for; `of_battery`: whether it
        says anything of a battery."""
        device = self.devices.get(sample.device)
        if device is None:
            return
        at_ms = sample.stamp.wall_ms
        self._advance(at_ms)
        if device.asked and device.spoke and at_ms > device.until_ms:
            self.losses += 1
        device.spoke, device.asked = True, device.asked or of_battery
        device.until_ms = max(device.until_ms, at_ms + device.silence_ms)
        for place in wanted:
            device.note(sample.points[place].name, sample.values[place], sample.qualities[place])
        self._alarms(at_ms >= self.start_ms)

    def _alarms(self, counted: bool) -> None:
        """Each bit that was not there a moment ago is one more fault, if it is one that ends service."""
        for name, faults in _FAULTS.items():
            said = [d.alarms[name] for d in self.devices.values() if name in d.alarms]
            if not said:
                continue
            bits = 0
            for value in said:
                bits |= value
            if counted:
                self.faults += (bits & ~self.standing.get(name, 0) & faults).bit_count()
                self.seen[name] = self.seen.get(name, 0) | bits
            self.standing[name] = bits

    def _advance(self, to_ms: int) -> None:
        to_ms = min(to_ms, self.end_ms)
        if to_ms <= self.at_ms:
            return
        for names in self.batteries:
            devices = [d for name in names if (d := self.devices.get(name)) and d.asked]
            heard_ms = min((d.until_ms for d in devices), default=self.at_ms)
            span_ms = max(0, min(to_ms, heard_ms) - self.at_ms)
            self.reached_ms += span_ms
            self.available_ms += span_ms if all(d.usable for d in devices) else 0
        self.at_ms = to_ms

    def close(self) -> tuple[int, int]:
        """How long the batteries were reached, and available, ms: the mean of them."""
        self._advance(self.end_ms)
        self.losses += sum(d.asked and d.spoke and d.until_ms < self.end_ms for d in self.devices.values())
        count = max(1, len(self.batteries))
        return self.reached_ms // count, self.available_ms // count
