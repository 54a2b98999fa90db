"""The table from SunSpec points to names, held against pysunspec2's definitions: they exist and mean it."""

import json
from dataclasses import fields
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from drivers.sunspec.mapping import (
    AC,
    CHARGE_RATING,
    DC_MODELS,
    DISCHARGE_RATING,
    METERS,
    ROLE_MODELS,
    ROLE_NEEDS,
    ROWS,
    STORAGE,
    Pick,
    Row,
    Sign,
    Source,
)
from drivers.sunspec.models import SUPPORTED
from drivers.sunspec.settings import Settings
from drivers.sunspec.values import PLACES
from gateway.model import QUANTITIES, UNITS, Quantity

# How the definitions write the unit of each suffix, in lower case; None: a number without one.
MEANINGS = {
    "w": {"w"}, "var": {"var"}, "va": {"va"}, "wh": {"wh"}, "mv": {"v"}, "ma": {"a"}, "mhz": {"hz"},
    "cc": {"c"}, "bp": {"%", "pct", "%whrtg", "% ahrrtg", "% wchamax"},
    "code": {None}, "flags": {None}, "count": {None},
}  # fmt: skip
KINDS = {"code": "enum16", "flags": "bitfield32"}
PLACES_TAKEN = [(row, source, model) for row in ROWS for source in row.sources for model in source.models]


@cache
def defined(model: int) -> dict[str, dict[str, Any]]:
    """Points of a definition by name ("module.DCW" in a group), read without drivers.sunspec.models."""
    text = files("sunspec2").joinpath(f"models/json/model_{model}.json").read_text("utf-8")
    found: dict[str, dict[str, Any]] = {}

    def walk(group: dict[str, Any], prefix: str) -> None:
        found.update({prefix + point["name"]: point for point in group["points"]})
        for inner in group.get("groups", ()):
            walk(inner, f"{prefix}{inner['name']}.")

    walk(json.loads(text)["group"], "")
    return found


def suffix(row: Row) -> str:
    return row.name.rsplit("_", 1)[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.name))
def test_a_name_is_a_quantity_or_ends_in_its_unit(row: Row) -> None:
    assert row.canonical == isinstance(row.name, Quantity) == (row.name in QUANTITIES)
    assert suffix(row) in UNITS and suffix(row) in PLACES
    assert row.sources


@pytest.mark.parametrize(
    ("row", "source", "model"), PLACES_TAKEN, ids=[f"{r.name}-{m}-{s.point}" for r, s, m in PLACES_TAKEN]
)
def test_each_place_exists_and_has_the_unit_of_its_name(row: Row, source: Source, model: int) -> None:
    point = defined(model)[source.point]
    unit = point.get("units")
    assert (unit.lower() if unit else None) in MEANINGS[suffix(row)]
    assert point["type"] == KINDS.get(suffix(row), point["type"])
    assert suffix(row) in KINDS or not point["type"].startswith(("enum", "bitfield", "string", "pad"))
    if scale := point.get("sf"):
        assert any(scale == name.rsplit(".", 1)[-1] for name in defined(model))
    assert model in SUPPORTED and model in ROLE_MODELS["inverter"], "the widest role reads every model"


def test_each_name_is_there_once() -> None:
    names = [str(row.name) for row in ROWS]
    assert len(names) == len(set(names))


def test_no_source_of_a_row_is_there_twice() -> None:
    for row in ROWS:
        taken = [(m, s.point, s.pick, s.battery_dc) for s in row.sources for m in s.models]
        assert len(taken) == len(set(taken)), row.name


def test_a_point_of_a_group_says_which_instances_and_no_other_does() -> None:
    groups = {714: "Prt", 160: "module"}
    for row, source, model in PLACES_TAKEN:
        group, _, _ = source.point.rpartition(".")
        assert (source.pick is Pick.MODEL) == (group == ""), row.name
        assert group == (groups[model] if group else "")
        if group:
            assert source.models == (model,), "how instances are chosen depends on the model"


def test_counters_states_and_limits_have_no_sign_to_turn() -> None:
    plain = (Sign.OURS, Sign.EXPORTED)  # a counter that falls is no direction of its own
    turned = {suffix(row) for row in ROWS for s in row.sources if s.sign not in plain}
    assert turned == {"w", "ma", "var"}
    assert {s.point for row in ROWS for s in row.sources if s.sign is Sign.EXPORTED} == {"TotWhExp"}
    assert not any(s.sign is not Sign.OURS for row in ROWS if "_limit_" in row.name for s in row.sources)


def test_every_sign_but_ours_is_an_option_of_the_profile() -> None:
    stated = {sign.value for sign in Sign} - {Sign.OURS.value}
    assert stated <= {field.name for field in fields(Settings)}


def test_a_battery_s_power_and_current_come_from_one_choice_of_the_profile() -> None:
    for name in (Quantity.BATTERY_POWER, Quantity.BATTERY_CURRENT):
        (row,) = (row for row in ROWS if row.name is name)
        assert [s.battery_dc for s in row.sources] == ["714", "160", "802"]
        assert all(s.models == (int(s.battery_dc),) for s in row.sources)


@pytest.mark.parametrize(
    ("name", "says", "never"),
    [
        (Quantity.BATTERY_CHARGED, ("absorbed", "lifetime energy"), "injected"),
        (Quantity.BATTERY_DISCHARGED, ("injected", "lifetime energy"), "absorbed"),
        (Quantity.GRID_IMPORTED, ("import",), "export"),
        (Quantity.GRID_EXPORTED, ("export",), "import"),
        (Quantity.PV_ENERGY, ("injected", "lifetime energy", "energy"), "absorbed"),
        (Quantity.CHARGE_LIMIT_CURRENT, ("max charge",), "discharge"),
        (Quantity.DISCHARGE_LIMIT_CURRENT, ("max discharge",), " charge"),
    ],
)
def test_what_has_a_direction_says_so_in_its_definition(
    name: Quantity, says: tuple[str, ...], never: str
) -> None:
    for row, source, model in PLACES_TAKEN:
        if row.name is name and not source.swapped:
            point = defined(model)[source.point]
            meaning = f"{point.get('label', '')} {point.get('desc', '')}".lower()
            assert any(word in meaning for word in says) and never not in meaning, (model, meaning)


def test_limits_alone_are_rounded_down() -> None:
    assert {str(row.name) for row in ROWS if row.down} == {
        q.value for q in Quantity if "_limit_" in q.value
    } - {
        Quantity.CHARGE_VOLTAGE_LIMIT.value  # SunSpec has no such point
    }


def test_pv_is_never_taken_from_where_a_battery_would_be_counted_as_well() -> None:
    for name in (Quantity.PV_POWER, Quantity.PV_ENERGY):
        (row,) = (row for row in ROWS if row.name is name)
        for source in row.sources:
            if source.pick is Pick.MODEL:  # the whole DC side, or all that went out
                assert set(source.without) == set(STORAGE)
            elif source.pick is Pick.STRINGS:  # the same inputs as the ports of 714
                assert source.without == (714,)
            else:
                assert source.pick is Pick.PV and not source.without


def test_people_s_points_come_after_what_is_evidence() -> None:
    assert all(one.canonical or not other.canonical for one, other in pairwise(ROWS))


@pytest.mark.parametrize("rating", [CHARGE_RATING, DISCHARGE_RATING], ids=["charge", "discharge"])
def test_ratings_are_powers_of_models_that_are_read(rating: tuple[tuple[int, str], ...]) -> None:
    assert len({model for model, _ in rating}) == len(rating)
    for model, point in rating:
        assert defined(model)[point]["units"] == "W" and model in SUPPORTED


def test_a_discharge_rating_is_no_charge_rating() -> None:
    both = set(CHARGE_RATING) & set(DISCHARGE_RATING)
    assert both == {(124, "WChaMax")}, "the one base that 124 has"
    assert all("DisCha" in point for _, point in set(DISCHARGE_RATING) - both)


@pytest.mark.parametrize("role", ROLE_MODELS)
def test_a_role_is_asked_for_what_it_needs(role: str) -> None:
    assert ROLE_NEEDS[role] and set(ROLE_NEEDS[role]) <= ROLE_MODELS[role] <= SUPPORTED
    assert role in {"inverter", "battery", "meter"} == set(ROLE_NEEDS)


def test_the_families_of_models_are_what_their_definitions_say() -> None:
    assert all({"W", "Hz", "WH", "St"} <= set(defined(model)) for model in AC)
    assert all({"W", "Hz", "TotWhImp", "TotWhExp"} <= set(defined(model)) for model in METERS)
    assert all({"DCW"} <= {name.rpartition(".")[2] for name in defined(model)} for model in DC_MODELS)
    assert all({"SoC", "ChaState"} & set(defined(model)) for model in STORAGE)
