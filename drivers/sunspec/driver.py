"""A SunSpec device on a register link: found by its model chain, then polled by plan.

Owns the exchanges of reading and their order. It refuses to answer from memory: what a sample holds was
read in that call, and a chain that moved is scanned again at the next poll.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.sunspec.binding import (
    Bound,
    Present,
    bind,
    for_role,
    nameplate_var,
    nameplate_w,
    own_pv,
    understood,
)
from drivers.sunspec.blocks import READ_MAX, Block, Program, program
from drivers.sunspec.scan import BASES, COMMON_MODEL, Found, Moved, common, scan
from drivers.sunspec.settings import Settings
from drivers.sunspec.values import text
from gateway.clock import Clock
from gateway.driver import RegisterLink
from gateway.errors import DeviceRefused, FrameError
from gateway.model import Point, Points, Sample
from gateway.site import Device

SLOW_MS = 60_000  # period of the points that are for people
WRONG_REGISTERS = (2, 3)  # Modbus exceptions that mean "not these registers", unlike busy or failed
IDENTITY = {"vendor": "Mn", "model": "Md", "serial": "SN", "firmware": "Vr", "options": "Opt"}


@dataclass(frozen=True, slots=True)
class Polls:
    """What one connect settled: the plan, and the points of a fast and of a slow poll."""

    program: Program
    bounds: tuple[Bound, ...]
    apart: frozenset[int]  # models whose shared reads the device refused
    fast: Points
    all: Points


class SunSpec:
    """Driver of any SunSpec device; reads only. commanded.Commanded adds setpoints."""

    def __init__(self, device: Device, profile: Settings, link: RegisterLink, clock: Clock) -> None:
        self._device = device
        self._profile = profile
        self._link = link
        self._clock = clock
        self._polls: Polls | None = None
        self._points: Points = ()
        self._bases = BASES if profile.base is None else (profile.base,)
        self._slow_due_ms = 0
        self.found: tuple[Found, ...] = ()
        self.nameplate_w = (0, 0)  # charge, discharge, as the device states them
        self.nameplate_var = (0, 0)  # reactive power each way, and apparent power; 0: not stated
        self.own_pv = False

    @property
    def points(self) -> Points:
        return self._points

    @property
    def pushed(self) -> bool:
        return False

    @property
    def connected(self) -> bool:
        """Whether the chain was scanned and is, as far as the last poll saw, still where it was."""
        return self._polls is not None

    async def connect(self) -> Mapping[str, str]:
        self.found = await scan(self.registers, self._bases)
        said = await self._contents(understood(self.found[:1], (COMMON_MODEL,)))
        models = for_role(self.found, self._profile.role)
        contents = await self._contents(models)
        models = {model: p for model, p in models.items() if p.found.address in contents}
        self.nameplate_w = nameplate_w(models, contents)
        self.nameplate_var = nameplate_var(models, contents)
        bounds = bind(models, contents, self._profile)
        self.own_pv = own_pv(bounds, contents)
        self._settle(bounds, frozenset())
        # get: a common model may be cut short
        named = {key: text(raw.get(name, b"")) for raw in said.values() for key, name in IDENTITY.items()}
        return {key: value for key, value in named.items() if value}

    async def serial_number(self) -> str:
        found = await common(self.registers, self._bases)
        said = await self._contents(understood((found,), (COMMON_MODEL,)))
        return next((text(raw.get(IDENTITY["serial"], b"")) for raw in said.values()), "")

    async def read(self) -> Sample:
        if self._polls is None:
            await self.connect()
        assert self._polls is not None
        polls, plan = self._polls, self._polls.program
        stamp = self._clock.now()  # before the wire: an age is never understated
        slow = stamp.mono_ms >= self._slow_due_ms
        raw: list[int | float] = []
        for block in (*plan.fast, *plan.slow) if slow else plan.fast:
            raw.extend(await self._take(block, polls))
        if slow:
            self._slow_due_ms = stamp.mono_ms + SLOW_MS
        operations = plan.operations if slow else plan.operations[: plan.fast_count]
        values = [operation.run(raw) for operation in operations]
        numbers, qualities = tuple(v for v, _ in values), bytes(q for _, q in values)
        return Sample(self._device.name, stamp, polls.all if slow else polls.fast, numbers, qualities)

    def refresh(self) -> None:
        """The next poll brings the slow points too."""
        self._slow_due_ms = 0

    async def close(self) -> None:
        self._polls = None

    async def registers(self, address: int, count: int) -> bytes:
        """`count` holding registers as sent; FrameError if the link gives another number."""
        unit, timeout_s = self._device.unit, self._device.timeout_ms / 1000
        data = await self._link.read(unit, "holding", address, count, timeout_s=timeout_s)
        if len(data) != 2 * count:
            raise FrameError(f"{len(data)} bytes for {count} registers at {address}")
        return data

    async def write(self, address: int, registers: Sequence[int]) -> None:
        unit, timeout_s = self._device.unit, self._device.timeout_ms / 1000
        await self._link.write(unit, address, registers, timeout_s=timeout_s)

    async def _take(self, block: Block, polls: Polls) -> Sequence[int | float]:
        try:
            return block.take(await self.registers(block.address, block.count))
        except DeviceRefused as error:
            if error.code in WRONG_REGISTERS and len(block.models) > 1:
                # The next poll asks in parts, and everywhere: what reads no two models at once does so
                # nowhere, and one miss a block would end the session before the last was found out.
                plan = polls.program
                shared = (b.models for b in (*plan.fast, *plan.slow) if len(b.models) > 1)
                self._settle(polls.bounds, polls.apart.union(*shared))
            raise
        except Moved:
            self._polls = None  # the next read scans again
            raise

    def _settle(self, bounds: Sequence[Bound], apart: frozenset[int]) -> None:
        ordered = tuple(sorted(bounds, key=lambda b: not b.fast))
        points = tuple(Point(self._device.name, b.name, evidence=b.fast) for b in ordered)
        self._points = self._points if points == self._points else points  # the same object each time
        plan = program(ordered, apart)
        self._polls = Polls(plan, ordered, apart, self._points[: plan.fast_count], self._points)
        self._slow_due_ms = self._clock.mono_ms()

    async def _contents(self, models: Mapping[int, Present]) -> dict[int, dict[str, Any]]:
        """What each model holds now; a model that the device lists and then refuses is left out."""
        contents = {}
        for known in models.values():
            try:
                contents[known.found.address] = known.layout.unpack(await self._whole(known))
            except DeviceRefused as error:
                if error.code not in WRONG_REGISTERS:
                    raise
        return contents

    async def _whole(self, known: Present) -> bytes:
        data = b""
        for start in range(known.found.address, known.found.end, READ_MAX):
            data += await self.registers(start, min(READ_MAX, known.found.end - start))
        return data
