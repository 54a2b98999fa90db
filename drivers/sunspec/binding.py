"""Binding the table of mapping.py to one device: which of its models' points make which Gridseal point.

Pure. It sees the models found, what they held when the device was connected, and the profile; it refuses
a device that lacks what its role needs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.sunspec.mapping import (
    APPARENT,
    CHARGE_RATING,
    DC_MODELS,
    DISCHARGE_RATING,
    ROLE_MODELS,
    ROLE_NEEDS,
    ROWS,
    STORAGE,
    VAR_ABSORB,
    VAR_INJECT,
    Pick,
    Row,
    Sign,
    Source,
)
from drivers.sunspec.models import Field, Layout, layout
from drivers.sunspec.scan import Found
from drivers.sunspec.settings import Settings
from drivers.sunspec.values import PLACES, SF_ABSENT, decode, text
from gateway.errors import LinkError
from gateway.model import Quality, Quantity

PORT_PV, PORT_ESS = 0, 1  # PrtTyp of 714
BATTERY_MODULES = (3, 4)  # charge and discharge module of 160 with the option "160-34", if none has a name
BATTERY_NAMES = (b"StCha", b"StDisCha")  # how their IDStr begins where a device names them

Contents = Mapping[int, Mapping[str, Any]]  # address of a model -> its raw values; empty when offline


@dataclass(frozen=True, slots=True)
class Present:
    """A model of the device that is understood: the first of its id."""

    found: Found
    layout: Layout


@dataclass(frozen=True, slots=True)
class Term:
    """One field that enters a value, times `sign`. `scale` is its scale factor's field, if it has one."""

    model: Present
    field: Field
    scale: Field | None
    sign: int


@dataclass(frozen=True, slots=True)
class Bound:
    """One point of this device. `every`: ABSENT if any term is; otherwise only if all are."""

    name: str
    terms: tuple[Term, ...]
    every: bool
    places: int
    down: bool
    fast: bool


def understood(found: Iterable[Found], wanted: Collection[int]) -> dict[int, Present]:
    """The models of `wanted` that are there, by id; of several with one id the first."""
    models: dict[int, Present] = {}
    for item in found:
        known = layout(item.model, item.length) if item.model in wanted else None
        if known and item.model not in models:
            models[item.model] = Present(item, known)
    return models


def for_role(found: Sequence[Found], role: str) -> dict[int, Present]:
    """The understood models that matter to the role. LinkError if it needs what is not there."""
    models = understood(found, ROLE_MODELS[role])
    if not any(model in models for model in ROLE_NEEDS[role]):
        have = ", ".join(str(item.model) for item in found)
        raise LinkError(f"this SunSpec device is no {role}: it has the models {have}; wrong unit or profile?")
    return models


def nameplate_w(models: Mapping[int, Present], contents: Contents) -> tuple[int, int]:
    """Highest charge and discharge power that the device states, W; 0 where it states none."""
    charge, discharge = (_first(points, models, contents) for points in (CHARGE_RATING, DISCHARGE_RATING))
    return charge, discharge


def nameplate_var(models: Mapping[int, Present], contents: Contents) -> tuple[int, int]:
    """The reactive power it can both inject and absorb, var, and its apparent power, VA; 0: not stated."""
    inject, absorb, apparent = (
        _first(points, models, contents) for points in (VAR_INJECT, VAR_ABSORB, APPARENT)
    )
    return min(inject, absorb), apparent


def own_pv(bounds: Iterable[Bound], contents: Contents) -> bool:
    """Whether PV hangs on this inverter's own DC side: one of its inputs gives power or once gave energy."""
    terms = (t for b in bounds if b.name in (Quantity.PV_POWER, Quantity.PV_ENERGY) for t in b.terms)
    return any(
        _has_value(t, contents) and contents[t.model.found.address][t.field.name] != 0
        for t in terms
        if t.model.found.model in DC_MODELS
    )


def _first(points: Sequence[tuple[int, str]], models: Mapping[int, Present], contents: Contents) -> int:
    for model, name in points:
        if model not in models or name not in models[model].layout.by_name:
            continue
        term, raw = _term(models[model], name, 1), contents[models[model].found.address]
        factor = raw[term.scale.name] if term.scale else 0
        value, quality = decode(raw[name], term.field.absent, factor, 0, down=True)
        if quality is Quality.GOOD and value > 0:
            return value
    return 0


def bind(models: Mapping[int, Present], contents: Contents, profile: Settings) -> tuple[Bound, ...]:
    """A Bound for each row that the device can serve; rows for people only where a value is implemented."""
    bounds = []
    for row in ROWS:
        candidates = [
            terms for source in row.sources for terms in _resolve(source, models, contents, profile)
        ]
        best = next((c for c in candidates if _implemented(c, contents)), None)
        if best is None and row.canonical and candidates:
            best = candidates[0]
        if best is not None:
            bounds.append(_bound(row, *best))
    return tuple(bounds)


_Candidate = tuple[tuple[Term, ...], bool]


def _bound(row: Row, terms: tuple[Term, ...], every: bool) -> Bound:
    name = str(row.name)
    return Bound(name, terms, every, PLACES[name.rsplit("_", 1)[1]], row.down, row.canonical)


def _resolve(
    source: Source, models: Mapping[int, Present], contents: Contents, profile: Settings
) -> list[_Candidate]:
    sign = _sign(source.sign, profile)
    if sign is None or (source.battery_dc and source.battery_dc != _battery_dc(models, contents, profile)):
        return []
    if any(model in models for model in source.without) or (
        source.without == STORAGE and profile.battery_dc == "elsewhere"
    ):
        return []
    if source.swapped not in (None, profile.meter_swapped):
        return []
    candidates = []
    for model in (models[m] for m in source.models if m in models):
        names = _names(source, model.layout, contents.get(model.found.address, {}), profile)
        terms = tuple(_term(model, name, sign * own) for name, own in names if name in model.layout.by_name)
        if terms and len(terms) == len(names):
            candidates.append((terms, source.pick not in (Pick.PV, Pick.STRINGS)))
    return candidates


def _term(model: Present, name: str, sign: int) -> Term:
    field = model.layout.by_name[name]
    return Term(model, field, model.layout.by_name[field.scale] if field.scale else None, sign)


def _sign(sign: Sign, profile: Settings) -> int | None:
    """+1, -1, or None where the profile would have to say and does not."""
    stated = None if sign is Sign.OURS else getattr(profile, sign.value)
    if sign is not Sign.OURS and stated is None:
        return None
    return -1 if stated in ("charge", "export", "down") else 1


def _battery_dc(models: Mapping[int, Present], contents: Contents, profile: Settings) -> str:
    """The model that tells the battery's power: 714, 160, 802 or none."""
    if profile.battery_dc not in ("auto", "160-34"):
        return profile.battery_dc
    auto = profile.battery_dc == "auto"
    if auto and 714 in models:
        return "714"
    modules = models.get(160)
    raw = contents.get(modules.found.address, {}) if modules else {}
    if modules and _battery_modules(modules.layout, raw, profile):
        return "160"
    return "802" if auto else "none"


def _battery_modules(known: Layout, raw: Mapping[str, Any], profile: Settings) -> tuple[int, int] | None:
    """Charge and discharge module of a 160: as the device names them, else as the profile says."""
    names = [(i, raw.get(f"module.{i}.IDStr", b"")) for i in range(1, known.instances("module") + 1)]
    charge, discharge = (next((i for i, n in names if n.startswith(own)), 0) for own in BATTERY_NAMES)
    if charge and discharge:
        return charge, discharge
    named = any(text(name) for _, name in names)  # then 3 and 4 are what their names say: PV strings
    return BATTERY_MODULES if profile.battery_dc == "160-34" and not named else None


def _names(source: Source, known: Layout, raw: Mapping[str, Any], profile: Settings) -> list[tuple[str, int]]:
    """The fields of a source and the sign each has within it."""
    if source.pick is Pick.MODEL:
        return [(source.point, 1)]
    group, point = source.point.split(".")
    chosen = _instances(source.pick, group, known, raw, profile)
    return [(f"{group}.{index}.{point}", sign) for index, sign in chosen]


def _instances(
    pick: Pick, group: str, known: Layout, raw: Mapping[str, Any], profile: Settings
) -> Sequence[tuple[int, int]]:
    if group == "module":
        battery = _battery_modules(known, raw, profile)
        if pick is Pick.STRINGS:
            strings = (i for i in range(1, known.instances(group) + 1) if i not in (battery or ()))
            return [(index, 1) for index in strings]
        assert battery is not None  # else _battery_dc would not have said 160
        charge, discharge = battery
        ways = {Pick.CHARGING: ((charge, 1),), Pick.DISCHARGING: ((discharge, 1),)}
        return ways.get(pick, ((discharge, 1), (charge, -1)))
    count = _count(known, raw)
    wanted = PORT_PV if pick is Pick.PV else PORT_ESS
    ports = [(i, 1) for i in range(1, count + 1) if raw.get(f"Prt.{i}.PrtTyp") == wanted]
    return ports[:1] if pick is Pick.ESS_FIRST else ports


def _count(known: Layout, raw: Mapping[str, Any]) -> int:
    """Ports of a 714: what fits in the model, and no more than it says it has."""
    fits = known.instances("Prt")
    stated = raw.get("NPrt", fits)
    return min(fits, stated) if stated != 0xFFFF else fits


def _implemented(candidate: _Candidate, contents: Contents) -> bool:
    terms, every = candidate
    having = [_has_value(term, contents) for term in terms]
    return all(having) if every else any(having)


def _has_value(term: Term, contents: Contents) -> bool:
    raw = contents.get(term.model.found.address)
    if raw is None:  # offline: nothing is known against it
        return True
    value = raw[term.field.name]
    scaled = term.scale is None or raw[term.scale.name] != SF_ABSENT
    return bool(scaled and value == value and value != term.field.absent)
