"""Commanding battery power through model 704 (watts) or 124 (percent of WChaMax): pure register sequences.

A Way turns a power into ordered writes and a device's registers back into a power, in exact fractions,
always toward zero. It owns the order: reversion timer first, value after it, enable with the value. It
refuses powers that the registers cannot hold by rounding them down, never up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any, Protocol

from drivers.sunspec.binding import Present
from drivers.sunspec.models import HEADER, spanning
from drivers.sunspec.scan import Moved
from drivers.sunspec.values import SF_ABSENT, SF_LIMIT
from gateway.errors import FrameError, LinkError
from gateway.model import ReadBack

Raw = Mapping[str, Any]
Write = tuple[int, tuple[int, ...]]  # offset from the model's ID register, registers to write there
Writes = tuple[Write, ...]

INT16_MAX, INT32_MAX = 2**15 - 1, 2**31 - 1
TIMER16_MAX = 0xFFFE  # s; one more would be "not implemented"
WATTS = 1  # 704 WSetMod
BOTH = 3  # 124 StorCtl_Mod: charge and discharge limit active
FROM_GRID = 1  # 124 ChaGriSet


class Way(Protocol):
    """One mechanism on one device. `raw` is what `parse` made of the device's registers last time."""

    @property
    def present(self) -> Present: ...

    @property
    def registers(self) -> int:
        """How many to read, from the model's ID register."""
        ...

    def parse(self, data: bytes) -> Raw: ...

    def usable(self, raw: Raw) -> bool:
        """Whether powers can be turned into these registers; the methods below need it."""
        ...

    def has_timer(self, raw: Raw) -> bool: ...

    def variants(self, raw: Raw) -> "tuple[Way, ...]":
        """Ways to arm this device's timer, best first; the first whose timer then runs is the one."""
        ...

    def step_w(self, raw: Raw) -> int: ...

    def most_w(self, raw: Raw) -> int: ...

    def quantise(self, raw: Raw, power_w: int) -> int: ...

    def arm(self, raw: Raw, timeout_s: int) -> Writes: ...

    def power(self, raw: Raw, power_w: int, timeout_s: int) -> Writes: ...

    def held(self, raw: Raw) -> ReadBack: ...

    def release(self, raw: Raw) -> Writes: ...


def choose(preference: str, models: Mapping[int, Present], *, charge_grid: bool) -> tuple[Way, ...]:
    """The ways that the profile allows and the device has, best first."""
    found: list[Way] = []
    for model, last in ((704, "WSet_SF"), (124, "InOutWRte_SF")):
        present = models.get(model)
        # A model cut short before its last scale factor cannot be commanded.
        if present and preference in ("auto", str(model)) and last in present.layout.by_name:
            found.append(Set704(present) if model == 704 else Storage124(present, charge_grid))
    return tuple(found)


def parse_model(present: Present, registers: int, data: bytes) -> Raw:
    """Raw values of the first `registers` of a model. Moved if it is not that model any more."""
    if len(data) != 2 * registers:
        raise FrameError(f"{len(data)} bytes for {registers} registers of model {present.found.model}")
    fields = [f for f in present.layout.fields if f.offset + f.registers <= registers]
    raw = dict(zip((f.name for f in fields), spanning(fields, 0, registers).unpack(data), strict=True))
    if (raw["ID"], raw["L"]) != (present.found.model, present.found.length):
        raise Moved(f"there is no longer a model {present.found.model} at {present.found.address}")
    return raw


def scales(sf: int) -> bool:
    """Whether a scale factor can be used; "not implemented" is out of the range as well."""
    return -SF_LIMIT <= sf <= SF_LIMIT


def lsb(sf: int, what: str) -> Fraction:
    if not scales(sf):
        raise LinkError(f"the device states no usable scale factor for {what}")
    return Fraction(10) ** sf


def encode(power_w: int, lsb: Fraction, most: int) -> int:
    """Steps of `lsb` that are at most `power_w`, toward zero, and no more than the register holds."""
    steps = min(floor(abs(power_w) / lsb), most) if lsb else 0
    return -steps if power_w < 0 else steps


def decode(steps: int, lsb: Fraction) -> int:
    """Whole watts of a number of steps: up in magnitude, so that every power `encode` takes comes back."""
    watts = ceil(abs(steps) * lsb)
    return -watts if steps < 0 else watts


def words(value: int) -> tuple[int, int]:
    return (value >> 16) & 0xFFFF, value & 0xFFFF


@dataclass(frozen=True)
class Set704:
    """WSet in watts; positive generates, so discharges. It reverts to 0 W with the function `revert_enable`.

    WSetEnaRvrt is the enable state after reversion (sunspec/models issues 126 and 193): 0 hands the battery
    back to the device's own control. Some devices take it as "the timer runs" instead; they need 1, and
    rest at 0 W after it, as WSetRvrt says.
    """

    present: Present
    revert_enable: int = 0

    def variants(self, raw: Raw) -> tuple[Way, ...]:
        if raw["WSetEnaRvrt"] == 0xFFFF:
            return (self,)
        return replace(self, revert_enable=0), replace(self, revert_enable=1)

    @property
    def registers(self) -> int:
        return self.present.layout.by_name["WSet_SF"].offset + 1

    def parse(self, data: bytes) -> Raw:
        return parse_model(self.present, self.registers, data)

    def usable(self, raw: Raw) -> bool:
        return bool(raw["WSetEna"] != 0xFFFF and scales(raw["WSet_SF"]))

    def has_timer(self, raw: Raw) -> bool:
        return bool(raw["WSetRvrtTms"] != 0xFFFFFFFF)

    def step_w(self, raw: Raw) -> int:
        return max(1, ceil(self._step(raw)))

    def most_w(self, raw: Raw) -> int:
        return floor(INT32_MAX * self._step(raw))

    def quantise(self, raw: Raw, power_w: int) -> int:
        return decode(encode(power_w, self._step(raw), INT32_MAX), self._step(raw))

    def arm(self, raw: Raw, timeout_s: int) -> Writes:
        revert = ((self._at("WSetRvrt"), words(0)),) if raw["WSetRvrt"] != -(2**31) else ()
        return (*revert, *self.power(raw, 0, timeout_s))

    def power(self, raw: Raw, power_w: int, timeout_s: int) -> Writes:
        steps = encode(power_w, self._step(raw), INT32_MAX)
        return (*self._timer(raw, timeout_s), (self._at("WSetEna"), (1, WATTS, *words(steps))))

    def held(self, raw: Raw) -> ReadBack:
        """`active` ends with the timer, also where the device then stays enabled at WSetRvrt."""
        enabled, has_timer = raw["WSetEna"] == 1, self.has_timer(raw)
        ended = has_timer and raw["WSetRvrtTms"] > 0 and raw["WSetRvrtRem"] == 0
        steps = 0 if raw["WSet"] == -(2**31) else raw["WSet"]
        remaining = raw["WSetRvrtRem"] if raw["WSetRvrtRem"] != 0xFFFFFFFF else raw["WSetRvrtTms"]
        return ReadBack(
            decode(steps, self._step(raw)),
            enabled and raw["WSetMod"] == WATTS and not ended,
            remaining if enabled and has_timer else 0,
        )

    def release(self, raw: Raw) -> Writes:
        return ((self._at("WSetEna"), (0, WATTS, *words(0))),)

    def _timer(self, raw: Raw, timeout_s: int) -> Writes:
        if not self.has_timer(raw):
            return ()
        if raw["WSetEnaRvrt"] == 0xFFFF:
            return ((self._at("WSetRvrtTms"), words(timeout_s)),)
        return ((self._at("WSetEnaRvrt"), (self.revert_enable, *words(timeout_s))),)

    def _at(self, name: str) -> int:
        return self.present.layout.by_name[name].offset

    def _step(self, raw: Raw) -> Fraction:
        return lsb(raw["WSet_SF"], "WSet")


@dataclass(frozen=True)
class Storage124:
    """OutWRte and InWRte as a window of one value: -InWRte <= battery power <= OutWRte, both = the setpoint.

    A negative rate forces the other direction (as Fronius defines it). Both are percent of WChaMax. The
    model has no remaining time to read; only the timer's setting.
    """

    present: Present
    charge_grid: bool

    def variants(self, raw: Raw) -> tuple[Way, ...]:
        return (self,)

    @property
    def registers(self) -> int:
        return self.present.layout.length + HEADER

    def parse(self, data: bytes) -> Raw:
        return parse_model(self.present, self.registers, data)

    def usable(self, raw: Raw) -> bool:
        scaled = scales(raw["WChaMax_SF"]) and scales(raw["InOutWRte_SF"])
        return scaled and raw["WChaMax"] != 0xFFFF and raw["StorCtl_Mod"] != 0xFFFF

    def has_timer(self, raw: Raw) -> bool:
        return bool(raw["InOutWRte_RvrtTms"] != 0xFFFF)

    def step_w(self, raw: Raw) -> int:
        return max(1, ceil(self._step(raw)))

    def most_w(self, raw: Raw) -> int:
        return floor(self._full(raw) * self._step(raw))

    def quantise(self, raw: Raw, power_w: int) -> int:
        return decode(self._rate(raw, power_w), self._step(raw))

    def arm(self, raw: Raw, timeout_s: int) -> Writes:
        grid = ((self._at("ChaGriSet"), (FROM_GRID,)),) if self._opens_grid(raw) else ()
        return (*self.power(raw, 0, timeout_s), *grid)

    def power(self, raw: Raw, power_w: int, timeout_s: int) -> Writes:
        rate = self._rate(raw, power_w)
        timer_s = min(timeout_s, TIMER16_MAX)
        timer = ((self._at("InOutWRte_RvrtTms"), (timer_s,)),) if self.has_timer(raw) else ()
        rates = (self._at("OutWRte"), (rate & 0xFFFF, -rate & 0xFFFF))
        return (*timer, rates, (self._at("StorCtl_Mod"), (BOTH,)))

    def held(self, raw: Raw) -> ReadBack:
        out, into = raw["OutWRte"], raw["InWRte"]
        active = raw["StorCtl_Mod"] == BOTH and out == -into
        timer = raw["InOutWRte_RvrtTms"] if active and self.has_timer(raw) else 0
        return ReadBack(decode(0 if out == SF_ABSENT else out, self._step(raw)), active, timer)

    def release(self, raw: Raw) -> Writes:
        full = self._full(raw)
        timer = ((self._at("InOutWRte_RvrtTms"), (0,)),) if self.has_timer(raw) else ()
        grid = ((self._at("ChaGriSet"), (0,)),) if self.charge_grid and raw["ChaGriSet"] == FROM_GRID else ()
        return ((self._at("StorCtl_Mod"), (0,)), (self._at("OutWRte"), (full, full)), *timer, *grid)

    def _opens_grid(self, raw: Raw) -> bool:
        return self.charge_grid and raw["ChaGriSet"] not in (FROM_GRID, 0xFFFF)

    def _at(self, name: str) -> int:
        return self.present.layout.by_name[name].offset

    def _step(self, raw: Raw) -> Fraction:
        """Watts of one step of the rates: a hundredth of WChaMax, times the rates' scale factor."""
        base = raw["WChaMax"] * lsb(raw["WChaMax_SF"], "WChaMax") if raw["WChaMax"] != 0xFFFF else Fraction(0)
        return base * lsb(raw["InOutWRte_SF"], "InWRte and OutWRte") / 100

    def _full(self, raw: Raw) -> int:
        """100 % in steps, as far as the register goes."""
        return min(floor(100 / lsb(raw["InOutWRte_SF"], "InWRte and OutWRte")), INT16_MAX)

    def _rate(self, raw: Raw, power_w: int) -> int:
        return encode(power_w, self._step(raw), self._full(raw))
