"""What a driver is: the protocols between the gateway, which knows no vendor, and the packages that do.

Drivers are found by the entry-point group `gridseal.drivers`; each entry is a Plugin. A plugin owns its
link schemes, its profiles and its decoding; it refuses to know control, store or chain. A driver that
also implements Actuator can be commanded.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any, Protocol, runtime_checkable

from gateway.beside_model import IslandBack, IslandSpec, ReactiveBack, ReactiveSpec
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.model import Points, ReadBack, Sample, SetpointSpec
from gateway.site import Curve, Device

GROUP = "gridseal.drivers"


class Link(Protocol):
    """One wire, port or socket, shared by all devices whose `link` URL is the same.

    A link connects when it is first used and again when it was lost; it never retries a request. Any
    failure is a LinkError. `close` may be called at any time, also on a link that never opened.
    """

    url: str

    async def close(self) -> None: ...


@runtime_checkable
class Movable(Link, Protocol):
    """A link to a host, which can go to another one while it is used."""

    @property
    def peer(self) -> str:
        """The IP address of the connection that there is; empty without one."""
        ...

    async def move(self, url: str) -> None:
        """Go there from the next request on."""
        ...

    async def hang_up(self) -> None:
        """End the connection that there is; the next request makes another."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A link that counts what happens on it, in a dataclass of integers: for metrics."""

    @property
    def counters(self) -> Any: ...


@runtime_checkable
class Dropping(Protocol):
    """A driver that counts the frames of its device which it could not believe."""

    @property
    def dropped(self) -> int: ...


class RegisterLink(Link, Protocol):
    """Modbus-like: one request at a time on the whole link, whatever the unit; writes go before reads."""

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        """Registers as sent (big endian, 2 * count bytes). `table` is "holding" or "input"."""
        ...

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        """Write holding registers with FC 16 (`single`: one, with FC 6) and check the echo."""
        ...


class CoilLink(Link, Protocol):
    """The bits of a Modbus-like link, in the same queue as its registers."""

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        """`count` bits from `address` on. `table` is "coils" or "discrete"."""
        ...

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        """Write one coil (FC 5) and check the echo."""
        ...


@dataclass(frozen=True, slots=True)
class CanFrame:
    """A classic CAN data frame: 11-bit (or 29-bit when `extended`) id and up to 8 bytes."""

    id: int
    data: bytes
    extended: bool = False


class FrameLink(Link, Protocol):
    """CAN-like: everyone hears everything. Each listener has a bounded queue of its own."""

    def listen(self, ids: frozenset[int]) -> AsyncIterator[CanFrame]:
        """Frames with these ids (none: with all) from now on; ends in LinkError when the bus is lost."""
        ...

    async def send(self, frame: CanFrame) -> None: ...


class Driver(Protocol):
    """One device. `connect` identifies it; after that `points` is known. All failures are LinkErrors."""

    @property
    def points(self) -> Points: ...

    @property
    def pushed(self) -> bool:
        """True: `read` waits for what the device sends. False: `read` asks, and answers at once."""
        ...

    async def connect(self) -> Mapping[str, str]:
        """Reach the device and learn what it is: vendor, model, serial, firmware where it says so."""
        ...

    async def read(self) -> Sample:
        """The next sample. A pushed driver answers at latest when its frame limit passed: then with the
        values it has, marked STALE."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Named(Protocol):
    """A driver that can ask its device for the serial number and for nothing else, before `connect` too."""

    async def serial_number(self) -> str:
        """As the device says it now; empty where it says none."""
        ...


@runtime_checkable
class Actuator(Protocol):
    """A driver that can be given battery power (+ = discharge, W). Sequences of writes are the driver's."""

    @property
    def setpoint(self) -> SetpointSpec:
        """Known after connect: class, nameplate, resolution, the device's own timeout."""
        ...

    def quantise(self, power_w: int) -> int:
        """The nearest power toward zero that the device can hold; 0 while that is not known. Control asks in
        the middle of a cycle, whatever the link does: never a LinkError."""
        ...

    async def arm(self, timeout_s: int) -> int:
        """Start or set the device's own reversion timer; returns what reads back (0: it has none)."""
        ...

    async def write_power(self, power_w: int) -> None:
        """Command this power and refresh the device's timer. `power_w` is already quantised."""
        ...

    async def read_back(self) -> ReadBack:
        """What the device holds now, read from it, not remembered."""
        ...

    async def release(self) -> None:
        """The fallback: hand the battery back to the device's own control (its revert sequence)."""
        ...


@runtime_checkable
class ReactiveActuator(Protocol):
    """A driver that can also be given reactive power (var, + = injected into the grid: over-excited), beside
    battery power and apart from it. Only devices that end it by themselves are."""

    @property
    def reactive(self) -> ReactiveSpec | None:
        """Known after connect; None before, and of a device that cannot."""
        ...

    async def arm_reactive(self, timeout_s: int) -> int:
        """Hold 0 var under the device's own timer; returns what that reads back (0: it does not run)."""
        ...

    async def write_reactive(self, var: int) -> None:
        """Command these var (a multiple of `step_var`) and refresh the timer."""
        ...

    async def read_reactive(self) -> ReactiveBack:
        """What the device holds now, read from it, not remembered."""
        ...

    async def release_reactive(self) -> None:
        """The fallback: reactive power is the device's own affair again."""
        ...


@runtime_checkable
class IslandActuator(Protocol):
    """A driver that can part its inverter from the grid for a time, so that it feeds the house alone. Only
    devices that connect again by themselves are, and of whose kind a profile says what being apart means."""

    @property
    def island(self) -> IslandSpec | None:
        """Known after connect; None before, and of a device that cannot."""
        ...

    async def arm_island(self, timeout_s: int) -> int:
        """Set the device's own timer while it is connected; returns what that reads back (0: it has none)."""
        ...

    async def part(self) -> None:
        """Part it from the grid and start the timer again."""
        ...

    async def read_island(self) -> IslandBack:
        """What the device holds now, read from it, not remembered."""
        ...

    async def rejoin(self) -> None:
        """Let it connect, by its own rules, and stop the timer."""
        ...


@runtime_checkable
class Switches(Protocol):
    """A driver with relays that loads hang on. A channel that is "on" lets its load run."""

    async def switched(self) -> Mapping[str, bool]:
        """Every channel and whether it is on, read from the device."""
        ...

    async def switch(self, channel: str, on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One request of a poll cycle, for `gridseal check`: what is asked and how long the wire takes."""

    text: str
    bus_ms: float
    points: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one device's poll costs on its link, worked out without the device."""

    lines: tuple[PlanLine, ...]
    points: Points
    setpoint: SetpointSpec | None
    notes: tuple[str, ...] = ()
    seat: str = ""  # who it is on its link, where that is not its profile and unit
    named: bool = True  # whether the device can be asked for its serial number, as far as that is known

    @property
    def bus_ms(self) -> float:
        return sum(line.bus_ms for line in self.lines)


def seated_twice(plans: Iterable[tuple[Device, Plan]]) -> Iterator[tuple[str, str]]:
    """Devices that are another one again, and what to say: all they measure would count twice."""
    seats: dict[tuple[str, str], str] = {}
    for device, plan in plans:
        seat = plan.seat or f"{device.profile_name} at unit {device.unit}"
        first = seats.setdefault((device.link, seat), device.name)
        if first != device.name:
            yield device.name, f"this is {first} again: {seat} on the same link; what it tells counted twice"


class Profile(Protocol):
    """What the gateway may know of a profile; the rest belongs to the plugin that owns the model."""

    role: str  # inverter | battery | meter | relay
    cells: int  # of a battery, in series; 0: not known

    def curves(self) -> tuple[Curve, ...]:
        """How the battery's power is derated; none if it is not."""
        ...

    def table(self) -> Any:
        """What the plugin's driver and plan take as `profile`: plain and picklable, because the daemon gets
        it from the process that reads the files. The model itself is not kept."""
        ...


class Plugin(Protocol):
    """One driver family, as an entry point gives it."""

    kind: str  # the `driver:` of its profiles
    schemes: frozenset[str]  # of the link URLs its devices may have
    link_schemes: frozenset[str]  # of the links it can open itself
    profiles: Traversable  # folder with <name>.yaml

    @property
    def profile_model(self) -> Any:
        """The pydantic model of those files, a Profile; imported when it is asked for."""
        ...

    def place(self, url: str) -> str:
        """Which wire a URL of `link_schemes` means: the same for all ways to write it, options left out; a
        serial port is the same for all protocols. ConfigError when the URL is not usable."""
        ...

    def open_link(self, url: str, clock: Clock) -> Link:
        """Make (not yet connect) a link. ConfigError when the URL is not usable."""
        ...

    def driver(self, device: Device, profile: Any, link: Any, clock: Clock) -> Driver: ...

    def plan(self, device: Device, profile: Any) -> Plan: ...


@runtime_checkable
class Moving(Protocol):
    """A plugin that opens Movable links."""

    def target(self, url: str) -> tuple[str, int]:
        """The host and port that a URL leads to. ConfigError where it leads to none."""
        ...

    def elsewhere(self, url: str, host: str) -> str:
        """The same link at another host."""
        ...


def find_plugins() -> dict[str, Plugin]:
    """All installed driver families by kind. Imports each package, but not its optional stacks."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=GROUP):
        plugin: Plugin = entry.load()
        if plugin.kind in found:
            raise ConfigError(f"two installed packages provide the driver {plugin.kind!r}: remove one")
        found[plugin.kind] = plugin
    return found
