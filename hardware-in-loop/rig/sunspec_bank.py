"""A SunSpec storage inverter: the model chain at 40000, laid out from pysunspec2's definitions.

Owns which models it shows, the value of each point and what writes to 704, 123 (its relay to the grid as
well), 124 and 715 do, reversion timers included. Points without a value are "not implemented". It refuses
writes to settings that it does not obey: an inverter that stored them silently would be lying.

Signs: 103/701 W + = out of the inverter; 203 W + = import; 714 ESS port and 802 W/A + = discharge (SunSpec
leaves the last two open). 160 has the battery in modules 3 (charge) and 4 (discharge), as GEN24 has.
701/103 Var + = injected (over-excited); 203 VAR + = import.
The grid meter stands in the chain of the inverter and alone on unit 200. Figures of the phases are a third
of the total: the measured household has one phase only.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant
from rig.sunspec_storage import bank, storage
from rig.sunspec_values import WRITABLE, Values, common, controls, inverter, meter, settings

BASE = 40000
INVERTER_UNIT, METER_UNIT = 1, 200
CHAIN = (1, 103, 120, 121, 123, 124, 160, 203, 701, 702, 704, 713, 714, 715, 802)
CHAIN_124 = (1, 103, 120, 121, 123, 124, 160, 203, 802)  # an older device: percent of WChaMax, no 7xx
METER_CHAIN = (1, 203)
REPEATS = {160: 4, 714: 2}  # modules, ports
MARKER, END = 0x53756E53, 0xFFFF_0000
TYPES = {
    "int16": ("s16", 0x8000),
    "sunssf": ("s16", 0x8000),
    "uint16": ("u16", 0xFFFF),
    "count": ("u16", 0),
    "enum16": ("u16", 0xFFFF),
    "bitfield16": ("u16", 0xFFFF),
    "acc16": ("u16", 0),
    "pad": ("u16", 0x8000),
    "int32": ("s32", 0x8000_0000),
    "uint32": ("u32", 0xFFFF_FFFF),
    "bitfield32": ("u32", 0xFFFF_FFFF),
    "acc32": ("u32", 0),
    "int64": ("s64", 1 << 63),
    "uint64": ("u64", (1 << 64) - 1),
    "acc64": ("u64", 0),
    "float32": ("f32", 0x7FC0_0000),
}


@cache
def definition(model: int) -> Mapping[str, Any]:
    """The group of a model as pysunspec2 ships it."""
    text = files("sunspec2").joinpath(f"models/json/model_{model}.json").read_text("utf-8")
    group: Mapping[str, Any] = json.loads(text)["group"]
    return group


def points(model: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, definition) in register order; points of groups as "group.point" or "group.2.point"."""
    group = definition(model)
    for point in group["points"]:
        yield point["name"], point
    for sub in group.get("groups", ()):
        repeated = sub.get("count", 1) != 1
        for number in range(1, REPEATS[model] + 1) if repeated else (0,):
            for point in sub["points"]:
                yield f"{sub['name']}.{f'{number}.' if number else ''}{point['name']}", point


def model_rows(model: int, address: int, values: Values, writable: Collection[str]) -> list[Row]:
    """The rows of one model, its ID at `address`. KeyError when `values` names a point it does not have."""
    left, rows, at = dict(values), [], address
    length = sum(int(point["size"]) for _, point in points(model)) - 2
    for name, point in points(model):
        size = int(point["size"])
        if name in ("ID", "L"):
            source: Any = model if name == "ID" else length
        else:
            source = left.pop(name, "" if point["type"] == "string" else None)
        kind, na = TYPES.get(point["type"], ("str", None))
        rows.append(
            Row(
                at,
                kind,
                source,
                name=f"{model}.{name}",
                size=size if kind == "str" else 0,
                held=name in writable,
                na=na,
                allowed=_allowed(point) if name in writable else None,
            )
        )
        at += size
    if left:
        raise KeyError(f"model {model} has no point {min(left)}")
    return rows


def _allowed(point: Mapping[str, Any]) -> Collection[int] | None:
    symbols = [int(s["value"]) for s in point.get("symbols", ())]
    if point["type"].startswith("bitfield"):
        return range(1 << (max(symbols) + 1))
    return frozenset(symbols) or None


def chain_rows(models: Sequence[int], tables: Mapping[int, Values], *, obeys: bool) -> list[Row]:
    """Marker, models, end marker. `obeys`: whether its controls can be written."""
    rows = [Row(BASE, "u32", MARKER)]
    for model in models:
        at = rows[-1].address + rows[-1].registers
        rows += model_rows(model, at, tables[model], WRITABLE.get(model, ()) if obeys else ())
    rows.append(Row(rows[-1].address + rows[-1].registers, "u32", END))
    return rows


@dataclass(slots=True)
class Timer:
    """A reversion timer: set by writes, runs in monotonic time."""

    ends_ms: int | None = None

    def start(self, seconds: int, now_ms: int) -> None:
        """0 seconds: no reversion."""
        self.ends_ms = now_ms + 1000 * seconds if seconds else None

    def remaining_s(self, now_ms: int) -> int:
        return 0 if self.ends_ms is None else max(0, -(-(self.ends_ms - now_ms) // 1000))

    def ended(self, now_ms: int) -> bool:
        """True once, when it runs out."""
        if self.ends_ms is None or now_ms < self.ends_ms:
            return False
        self.ends_ms = None
        return True


# What each timer belongs to: the points whose writing restarts it, its seconds, and what it reverts.
@dataclass(frozen=True, slots=True)
class Reversion:
    points: frozenset[str]
    enable: str
    seconds: str
    revert: Callable[[Bank], None]


def _revert_704(bank: Bank) -> None:
    bank.put("704.WSet", bank.value("704.WSetRvrt"))
    bank.put("704.WSetPct", bank.value("704.WSetPctRvrt"))
    bank.put("704.WSetEna", bank.value("704.WSetEnaRvrt"))


def _revert_704_var(bank: Bank) -> None:
    bank.put("704.VarSet", bank.value("704.VarSetRvrt"))
    bank.put("704.VarSetPct", bank.value("704.VarSetPctRvrt"))
    bank.put("704.VarSetEna", bank.value("704.VarSetEnaRvrt"))


def _revert_704_limit(bank: Bank) -> None:
    bank.put("704.WMaxLimPct", bank.value("704.WMaxLimPctRvrt"))
    bank.put("704.WMaxLimPctEna", bank.value("704.WMaxLimPctEnaRvrt"))


def _named(model: int, *names: str) -> frozenset[str]:
    return frozenset(f"{model}.{name}" for name in names)


REVERSIONS = {
    "704.WSet": Reversion(
        _named(704, "WSetEna", "WSetMod", "WSet", "WSetPct", "WSetRvrtTms", "WSetEnaRvrt"),
        "704.WSetEna",
        "704.WSetRvrtTms",
        _revert_704,
    ),
    "704.VarSet": Reversion(
        _named(704, "VarSetEna", "VarSetMod", "VarSet", "VarSetPct", "VarSetRvrtTms", "VarSetEnaRvrt"),
        "704.VarSetEna",
        "704.VarSetRvrtTms",
        _revert_704_var,
    ),
    "704.WMaxLimPct": Reversion(
        _named(704, "WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrtTms"),
        "704.WMaxLimPctEna",
        "704.WMaxLimPctRvrtTms",
        _revert_704_limit,
    ),
    "123.WMaxLimPct": Reversion(
        _named(123, "WMaxLimPct", "WMaxLim_Ena", "WMaxLimPct_RvrtTms"),
        "123.WMaxLim_Ena",
        "123.WMaxLimPct_RvrtTms",
        lambda bank: bank.put("123.WMaxLim_Ena", 0),
    ),
    "123.Conn": Reversion(
        _named(123, "Conn", "Conn_RvrtTms"),
        "123.Conn_RvrtTms",
        "123.Conn_RvrtTms",
        lambda bank: bank.put("123.Conn", 1),
    ),
    "124.StorCtl": Reversion(
        _named(124, "StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms"),
        "124.StorCtl_Mod",
        "124.InOutWRte_RvrtTms",
        lambda bank: bank.put("124.StorCtl_Mod", 0),
    ),
}
CHARGE_BIT, DISCHARGE_BIT = 1, 2  # 124 StorCtl_Mod
STOP, STANDBY = 0, 2  # 715 OpCtl


@dataclass(slots=True)
class SunSpecLogic:
    """Remote control through 704 (target), 123 and 704 (limit of output), 124 (window), 715 (stop)."""

    models: frozenset[int]
    timers: dict[str, Timer] = field(default_factory=lambda: {name: Timer() for name in REVERSIONS})

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        for name, reversion in REVERSIONS.items():
            if names & reversion.points:
                on = bank.value(reversion.enable) != 0
                self.timers[name].start(bank.value(reversion.seconds) if on else 0, now_ms)

    def order(self, bank: Bank, now_ms: int) -> Order:
        for name, timer in self.timers.items():
            if timer.ended(now_ms):
                REVERSIONS[name].revert(bank)
        if 715 in self.models and bank.value("715.OpCtl") in (STOP, STANDBY):
            return Order("idle")
        kind, power_w = self._target(bank)
        low, high = self._window(bank)
        from_grid = bank.value("124.ChaGriSet") == 1
        apart = bank.value("123.Conn") == 0
        return Order(kind, power_w, low, high, from_grid=from_grid, var=self._var(bank), apart=apart)

    def _var(self, bank: Bank) -> int:
        """Of 704: in var, or in percent of what it can do. Other bases it does not obey."""
        if 704 not in self.models or bank.value("704.VarSetEna") != 1:
            return 0
        spec, mode = bank.plant.spec, bank.value("704.VarSetMod")
        share = spec.var_max * bank.value("704.VarSetPct") // 1000
        return int({4: bank.value("704.VarSet"), 1: share}.get(mode, 0))

    def _target(self, bank: Bank) -> tuple[str, int]:
        if 704 not in self.models or bank.value("704.WSetEna") != 1:
            return "self", 0
        if bank.value("704.WSetMod") == 1:
            return "ac", bank.value("704.WSet")
        return "ac", bank.plant.spec.ac_max_w * bank.value("704.WSetPct") // 1000

    def _window(self, bank: Bank) -> tuple[int | None, int | None]:
        spec, mode = bank.plant.spec, bank.value("124.StorCtl_Mod")
        base = min(spec.charge_max_w, spec.discharge_max_w)
        low = -base * bank.value("124.InWRte") // 10_000 if mode & CHARGE_BIT else None
        highs = [base * bank.value("124.OutWRte") // 10_000] if mode & DISCHARGE_BIT else []
        if bank.value("123.WMaxLim_Ena") == 1:
            highs.append(spec.ac_max_w * bank.value("123.WMaxLimPct") // 100)
        if 704 in self.models and bank.value("704.WMaxLimPctEna") == 1:
            highs.append(spec.ac_max_w * bank.value("704.WMaxLimPct") // 1000)
        return low, min(highs, default=None)


def values_of(plant: Plant, remaining_s: Callable[[str, int], int]) -> dict[int, Values]:
    """All models over this plant. `remaining_s(timer, now_ms)` is what the reversion timers show."""
    return {
        1: common(plant),
        **inverter(),
        **settings(plant),
        **storage(plant),
        203: meter(),
        704: controls(remaining_s),
        715: {
            "LocRemCtl": 0,
            "DERHb": lambda v: v.now_ms // 1000 % 2**32,
            "ControllerHb": 0,
            "OpCtl": 1,
        },
        802: bank(plant),
    }


def build(plant: Plant, models: Sequence[int] = CHAIN) -> Bank:
    """The SunSpec device over this plant: inverter on unit 1, its grid meter on unit 200 too."""
    logic = SunSpecLogic(frozenset(models))
    tables = values_of(plant, lambda name, now_ms: logic.timers[name].remaining_s(now_ms))
    meter = {**tables, 1: {**tables[1], "Md": "Rig meter", "SN": f"{plant.serial}M", "DA": METER_UNIT}}
    units = {
        INVERTER_UNIT: chain_rows(models, tables, obeys=True),
        METER_UNIT: _anonymous(chain_rows(METER_CHAIN, meter, obeys=False)),
    }
    return Bank(plant, units, logic)


def _anonymous(rows: Sequence[Row]) -> list[Row]:
    """Rows of a second unit: names belong to the first."""
    return [Row(r.address, r.type, r.source, size=r.size, na=r.na) for r in rows]
