"""Commanding reactive power through model 704 (VarSet): pure register sequences, like setpoint.py.

VarSet is in var, or where a device has only percent, VarSetPct of the most it can do (VarMaxInj and
VarMaxAbs). Positive is injected, over-excited, as 702's "Inj" says. It owns the order: reversion first, value
with enable. It refuses devices whose reactive power would not end by itself, and asks for active power's
priority, so that a var never takes a watt.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from drivers.sunspec.binding import Present
from drivers.sunspec.setpoint import (
    INT16_MAX,
    INT32_MAX,
    Raw,
    Write,
    Writes,
    decode,
    encode,
    lsb,
    parse_model,
    scales,
    words,
)
from gateway.beside_model import ReactiveBack

ACTIVE_FIRST = 0  # VarSetPri
VAR_MAX_PCT, VARS = 1, 4  # VarSetMod
LAST = "VarSetPct_SF"  # a model cut short before it cannot be commanded


@dataclass(frozen=True)
class Var704:
    """One device's VarSet. `var_max` is what it can do each way; `revert_enable` as of setpoint.Set704."""

    present: Present
    var_max: int
    revert_enable: int = 0

    def variants(self, raw: Raw) -> "tuple[Var704, ...]":
        """Ways to arm this device's timer, best first."""
        if raw["VarSetEnaRvrt"] == 0xFFFF:
            return (self,)
        return replace(self, revert_enable=0), replace(self, revert_enable=1)

    @property
    def registers(self) -> int:
        return self.present.layout.by_name[LAST].offset + 1

    def parse(self, data: bytes) -> Raw:
        return parse_model(self.present, self.registers, data)

    def usable(self, raw: Raw) -> bool:
        """Implemented, scaled, and with a timer that ends it."""
        timed = raw["VarSetRvrtTms"] != 0xFFFFFFFF and raw["VarSetRvrtRem"] != 0xFFFFFFFF
        return raw["VarSetEna"] != 0xFFFF and timed and (self._in_var(raw) or self._in_percent(raw))

    def step_var(self, raw: Raw) -> int:
        return max(1, ceil(self._step(raw)))

    def most_var(self, raw: Raw) -> int:
        return min(self.var_max, int(self._steps_max(raw) * self._step(raw)))

    def arm(self, raw: Raw, timeout_s: int) -> Writes:
        """0 var, now and after the timer."""
        name, absent = ("VarSetRvrt", -(2**31)) if self._in_var(raw) else ("VarSetPctRvrt", -(2**15))
        nothing = words(0) if self._in_var(raw) else (0,)
        revert = ((self._at(name), nothing),) if raw[name] != absent else ()
        return (*revert, *self.write(raw, 0, timeout_s))

    def write(self, raw: Raw, var: int, timeout_s: int) -> Writes:
        """The timer, then mode and value with the enable: a timer that runs restarts with either."""
        steps = encode(var, self._step(raw), self._steps_max(raw))
        timer: Write = (self._at("VarSetEnaRvrt"), (self.revert_enable, *words(timeout_s)))
        if raw["VarSetEnaRvrt"] == 0xFFFF:
            timer = (self._at("VarSetRvrtTms"), words(timeout_s))
        if self._in_var(raw):
            return (timer, (self._at("VarSetEna"), (1, VARS, ACTIVE_FIRST, *words(steps))))
        percent = (self._at("VarSetPct"), (steps & 0xFFFF,))
        return (timer, percent, (self._at("VarSetEna"), (1, VAR_MAX_PCT, ACTIVE_FIRST)))

    def held(self, raw: Raw) -> ReactiveBack:
        enabled, mode = raw["VarSetEna"] == 1, VARS if self._in_var(raw) else VAR_MAX_PCT
        steps = raw["VarSet"] if self._in_var(raw) else raw["VarSetPct"]
        left_s = raw["VarSetRvrtRem"] if enabled else 0
        return ReactiveBack(
            decode(steps, self._step(raw)), enabled and raw["VarSetMod"] == mode and left_s > 0, left_s
        )

    def release(self, raw: Raw) -> Writes:
        """Off, and at 0 for who switches it on again."""
        if self._in_var(raw):
            return ((self._at("VarSetEna"), (0, VARS, ACTIVE_FIRST, *words(0))),)
        return ((self._at("VarSetEna"), (0,)), (self._at("VarSetPct"), (0,)))

    def _in_var(self, raw: Raw) -> bool:
        return raw["VarSet"] != -(2**31) and scales(raw["VarSet_SF"])

    def _in_percent(self, raw: Raw) -> bool:
        return raw["VarSetPct"] != -(2**15) and scales(raw["VarSetPct_SF"])

    def _step(self, raw: Raw) -> Fraction:
        if self._in_var(raw):
            return lsb(raw["VarSet_SF"], "VarSet")
        return self.var_max * lsb(raw["VarSetPct_SF"], "VarSetPct") / 100

    def _steps_max(self, raw: Raw) -> int:
        return INT32_MAX if self._in_var(raw) else INT16_MAX

    def _at(self, name: str) -> int:
        return self.present.layout.by_name[name].offset
