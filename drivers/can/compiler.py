"""A profile's keys and its DBC become the codec's table.

Owns what makes the two fit each other, and gathers everything that does not, each with the key that names it.
It refuses what could make a wrong reading: names that mean nothing, numbers that overlap or that an accepted
length would cut, a flag that cannot be raised, and a message that is needed and of which nothing is taken.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from drivers.can import codec
from drivers.can.codec import Pages, Place
from drivers.can.dbc import BYTES_MAX, Message, Signal
from drivers.can.heard import LIMITS
from drivers.can.keys import STALE_MS, CanKeys, PointModel
from drivers.can.names import Names
from drivers.can.number import check_point, make_field
from drivers.can.table import CanTable
from drivers.flags import FLAGS
from gateway.model import Quantity

CYCLES_STALE = 3

Where = tuple[str | int, ...]  # of a key in the profile


@dataclass(slots=True)
class _Frame:
    """What is taken of one message, as it comes together."""

    message: Message
    fields: list[codec.Field] = field(default_factory=list)
    finer: list[codec.Field] = field(default_factory=list)  # after those that they must agree with
    flags: list[codec.FlagSet] = field(default_factory=list)
    gates: list[codec.Gate] = field(default_factory=list)
    texts: list[codec.Text] = field(default_factory=list)
    numbers: list[tuple[Where, Signal, Place]] = field(default_factory=list)


class Compiler:
    """One profile. `problems` is what is wrong with it; without any, `table` is what the driver takes."""

    def __init__(self, keys: CanKeys) -> None:
        self.problems: list[tuple[Where, str]] = []
        self._keys, self._names = keys, Names(keys.dbc)
        self._frames: dict[str, _Frame] = {}  # those of which something is taken
        self._points: dict[str, int] = {}
        self._slots: list[codec.Slot] = []
        for name, point in keys.points.items():
            self._take_point(name, point)
        for name, flags in keys.flags.items():
            self._take_flags(name, flags)
        for index, text in enumerate(keys.texts):
            with self._at("texts", index, "message"):
                one = codec.Text(text.key, text.part, text.at, text.at + text.size, text.form == "version")
                self._frame(text.message).texts.append(one)
        self._check()

    def table(self) -> CanTable:
        keys = self._keys
        used = [self._frames[m.name] for m in keys.dbc.messages if m.name in self._frames]
        specs = {(f.message.id, f.message.extended): self._spec(f) for f in used}
        anchors = frozenset((m.id, m.extended) for m in map(self._names.message, keys.anchors))
        points, power = _with_power(self._points)
        alive = keys.keep_alive
        return CanTable(
            keys.vendor,
            keys.bitrate,
            codec.Table(points, tuple(self._slots), specs, anchors, power),
            alive.plain(self._names.message(alive.message)) if alive else None,
        )

    def _spec(self, frame: _Frame) -> codec.FrameSpec:
        return codec.FrameSpec(
            frame.message.id,
            frame.message.extended,
            frozenset(self._lengths(frame.message)),
            (*frame.fields, *frame.finer),
            tuple(frame.flags),
            tuple(frame.gates),
            tuple(frame.texts),
        )

    @contextmanager
    def _at(self, *where: str | int) -> Iterator[None]:
        """What is wrong here is kept, and the next thing looked at."""
        try:
            yield
        except ValueError as error:
            self.problems.append((where, str(error)))

    def _take_point(self, name: str, point: PointModel) -> None:
        here = ("points", name, "signal")
        with self._at("points", name):
            check_point(name, point)
            with self._at(*here):
                signal, place = self._names.signal(point.signal)
                coarse = self._number(name, point, signal, place, self._slot(name, codec.Role.VALUE, signal))
                frame = self._frame(signal.message)
                frame.fields.append(coarse)
                frame.numbers.append((here, signal, place))
                if point.finer is not None:
                    self._take_finer(name, point, point.finer, signal, coarse)
        if point.gate is not None:
            with self._at("points", name, "gate"):
                self._take_gate(name, point.gate)

    def _number(self, name: str, point: PointModel, signal: Signal, place: Place, slot: int) -> codec.Field:
        charging = self._keys.positive_current == "charging"
        try:
            return make_field(slot, name, point, signal, place, positive_charging=charging)
        except ValueError as error:
            raise ValueError(f"{self._names.told(signal)} {error}") from None

    def _take_finer(
        self, name: str, point: PointModel, finer: str, beside: Signal, coarse: codec.Field
    ) -> None:
        here = ("points", name, "finer")
        with self._at(*here):
            signal, place = self._names.signal(finer)
            if signal.message != beside.message:
                raise ValueError(f"{finer} is in {signal.message}, {beside.name} in {beside.message}")
            fine = self._number(name, point, signal, place, coarse.slot)
            one_bit = -(-abs(coarse.numerator) // coarse.denominator)
            frame = self._frame(signal.message)
            frame.finer.append(replace(fine, agrees_within=one_bit))
            frame.numbers.append((here, signal, place))

    def _take_gate(self, name: str, gate: str) -> None:
        signal, place = self._names.signal(gate)
        if name not in LIMITS:
            raise ValueError(f"{name} is no limit that could be 0: it has no gate")
        if place.length != 1:
            raise ValueError(f"{self._names.told(signal)} has {place.length} bits, an enable bit is one")
        slot = self._slot(name, codec.Role.GATE, signal)
        self._frame(signal.message).gates.append(codec.Gate(slot, place, signal.pages))

    def _take_flags(self, name: str, flags: Mapping[str, list[str]]) -> None:
        """All that one message (one page of it) tells of the flags is one set."""
        sets: dict[tuple[str, Pages], list[tuple[Place, int, int]]] = defaultdict(list)
        told: dict[tuple[str, Pages], Signal] = {}
        with self._at("flags", name):
            if name not in FLAGS:
                raise ValueError(f"{name!r} is no flags point; these are: {', '.join(FLAGS)}")
            if name in self._keys.points:
                raise ValueError(f"{name} is a number and flags")
        known = FLAGS.get(name, {})
        for flag, raisers in flags.items():
            for index, raiser in enumerate(raisers):
                with self._at("flags", name, flag, index):
                    if flag not in known:
                        raise ValueError(f"{name} has no flag {flag!r}; it has: {', '.join(known)}")
                    signal, place, raised = self._raiser(raiser)
                    key = signal.message, signal.pages
                    told[key] = signal
                    sets[key].append((place, raised, 1 << known[flag]))
        for key, bits in sets.items():
            slot = self._slot(name, codec.Role.FLAGS, told[key])
            end = max(place.end for place, _, _ in bits)
            self._frame(key[0]).flags.append(codec.FlagSet(slot, tuple(bits), end, key[1]))

    def _raiser(self, raiser: str) -> tuple[Signal, Place, int]:
        """`Signal` or `Signal=2`."""
        name, _, said = raiser.partition("=")
        signal, place = self._names.signal(name)
        raised = int(said or 1)
        if raised >> place.length:
            raise ValueError(f"{self._names.told(signal)} has {place.length} bits and is never {raised}")
        return signal, place, raised

    def _frame(self, name: str) -> _Frame:
        return self._frames.setdefault(name, _Frame(self._names.message(name)))

    def _slot(self, point: str, role: codec.Role, signal: Signal) -> int:
        stale_ms = self._stale_ms(self._names.message(signal.message))
        self._slots.append(codec.Slot(self._points.setdefault(point, len(self._points)), role, stale_ms))
        return len(self._slots) - 1

    def _lengths(self, message: Message) -> list[int]:
        said = self._keys.messages.get(message.name)
        return said.lengths if said and said.lengths else [message.length]

    def _stale_ms(self, message: Message) -> int:
        said = self._keys.messages.get(message.name)
        return said.stale_ms if said and said.stale_ms else max(STALE_MS, CYCLES_STALE * message.cycle_ms)

    def _check(self) -> None:
        """What only shows when all is together."""
        for name in self._keys.messages:
            with self._at("messages", name):
                self._check_used(name)
        for index, name in enumerate(self._keys.anchors):
            with self._at("anchors", index):
                self._check_used(name)
        with self._at("keep_alive", "message"):
            self._check_keep_alive()
        for frame in self._frames.values():
            self._check_frame(frame)
        if lacking := self._keys.unmeasured(self._points):
            with self._at("derating", lacking[0]):
                raise ValueError(f"derating is over {lacking[0]}, which is none of the points")

    def _check_used(self, name: str) -> None:
        if self._names.message(name).name not in self._frames:
            raise ValueError(f"nothing is taken of {name}: it cannot stand here")

    def _check_keep_alive(self) -> None:
        if (alive := self._keys.keep_alive) is None:
            return
        message = self._names.message(alive.message)
        if message.name in self._frames:
            raise ValueError(f"{message.name} is sent as keep-alive and cannot be heard too")
        if message.length > BYTES_MAX:
            raise ValueError(f"{message.name} has {message.length} bytes, which is no CAN frame")
        if len(alive.plain(message).data) != message.length:
            raise ValueError(f"{message.name} has {message.length} bytes, which data is not")

    def _check_frame(self, frame: _Frame) -> None:
        lengths, name = self._lengths(frame.message), frame.message.name
        for number, (where, signal, place) in enumerate(frame.numbers):
            with self._at(*where):
                if place.end > max(lengths):
                    raise ValueError(f"{signal.name} ends at byte {place.end}, beyond the longest {name}")
                for length in lengths:
                    if place.first < length < place.end:
                        raise ValueError(f"a {name} of {length} bytes would cut {signal.name}")
                for _, other, others in frame.numbers[:number]:
                    if other != signal and place.bits & others.bits and _together(signal.pages, other.pages):
                        raise ValueError(f"{self._names.told(signal)} overlaps {self._names.told(other)}")


def _together(pages: Pages, others: Pages) -> bool:
    """Whether one frame can bring both."""
    values = dict(others)
    return all(mine & values.get(selector, mine) for selector, mine in pages)


def _with_power(points: dict[str, int]) -> tuple[tuple[str, ...], tuple[int, int, int] | None]:
    """All points, and voltage, current and the power made of them where the device does not send it."""
    names = tuple(points)
    voltage, current = points.get(Quantity.BATTERY_VOLTAGE), points.get(Quantity.BATTERY_CURRENT)
    if voltage is None or current is None or Quantity.BATTERY_POWER in points:
        return names, None
    return (*names, Quantity.BATTERY_POWER.value), (voltage, current, len(names))
