"""Which model serves which point: preference, sentinels at connect, roles and the profile's options."""

from typing import Any

import pytest

from drivers.sunspec.binding import bind, for_role, nameplate_w, own_pv, understood
from drivers.sunspec.models import SUPPORTED, layout
from drivers.sunspec.profile import SunSpecProfile
from drivers.sunspec.scan import Found
from drivers.sunspec.settings import Settings
from gateway.errors import LinkError
from tests.drivers.sunspec_image import (
    BANK_802,
    COMMON,
    CONTROL_704,
    INVERTER_103,
    METER_203,
    NAMEPLATE_120,
    PORTS_714,
    STORAGE_124,
    STORAGE_713,
    model_bytes,
)

MODULES_160 = model_bytes(
    160,
    {"DCA_SF": -2, "DCV_SF": -1, "DCW_SF": 1, "DCWH_SF": 0, "N": 4, "L": 88},
    {"module": [
        {"ID": 1, "DCW": 210, "DCWH": 1000},
        {"ID": 2, "DCWH": 2000},
        {"ID": 3, "DCW": 150, "DCA": 400, "DCV": 4001, "DCWH": 300},
        {"ID": 4, "DCW": 0, "DCA": 0, "DCV": 4001, "DCWH": 400},
    ]},
)  # fmt: skip


BASE = {"driver": "sunspec", "vendor": "v", "model": "m", "sources": ["test"], "proof": "simulated"}


def profile(role: str = "inverter", **options: Any) -> Settings:
    return SunSpecProfile(**BASE, role=role, **options).table()


def chain(*models: bytes) -> tuple[tuple[Found, ...], dict[int, dict[str, Any]]]:
    found, contents, address = [], {}, 40002
    for data in models:
        item = Found(int.from_bytes(data[:2]), address, int.from_bytes(data[2:4]))
        known = layout(item.model, item.length)
        assert known
        found.append(item)
        contents[address] = known.unpack(data)
        address = item.end
    return tuple(found), contents


def sources(*models: bytes, options: dict[str, Any] | None = None, role: str = "inverter") -> dict[str, str]:
    """name -> "model.point" terms with their signs, as bound."""
    found, contents = chain(*models)
    bounds = bind(for_role(found, role), contents, profile(role, **(options or {})))
    return {
        b.name: " ".join(f"{'-' if t.sign < 0 else ''}{t.model.found.model}.{t.field.name}" for t in b.terms)
        for b in bounds
    }


def test_the_der_models_are_preferred_and_the_old_ones_fill_in() -> None:
    measure = model_bytes(701, {"W": 5, "W_SF": 0, "Hz": 50000, "Hz_SF": -3, "InvSt": 3})
    bound = sources(COMMON, INVERTER_103, measure, STORAGE_713, STORAGE_124)
    assert bound["inverter_power_w"] == "701.W"
    assert bound["grid_frequency_mhz"] == "701.Hz"
    assert bound["inverter_reactive_var"] == "103.VAr"  # not implemented in this 701
    assert bound["grid_voltage_mv"] == "103.PhVphA"
    assert bound["battery_soc_bp"] == "713.SoC"
    assert bound["battery_voltage_mv"] == "124.InBatV"
    assert sources(COMMON, INVERTER_103, STORAGE_124)["battery_soc_bp"] == "124.ChaState"


def test_battery_power_comes_from_the_ess_port() -> None:
    bound = sources(COMMON, INVERTER_103, PORTS_714, STORAGE_713, MODULES_160)
    assert bound["battery_power_w"] == "714.Prt.2.DCW"
    assert bound["pv_power_w"] == "714.Prt.1.DCW"
    assert bound["battery_charged_wh"] == "714.Prt.2.DCWhAbs"
    assert bound["battery_temperature_cc"] == "714.Prt.2.Tmp"
    turned = sources(COMMON, INVERTER_103, PORTS_714, options={"ess_port_positive": "charge"})
    assert turned["battery_power_w"] == "-714.Prt.2.DCW"
    assert turned["battery_charged_wh"] == "714.Prt.2.DCWhAbs"  # a counter has no sign


def test_a_port_count_below_the_length_hides_the_other_ports() -> None:
    data = bytearray(PORTS_714)
    data[8:10] = (1).to_bytes(2)  # NPrt
    assert "battery_power_w" not in sources(COMMON, INVERTER_103, bytes(data))
    data[8:10] = b"\xff\xff"
    assert "battery_power_w" in sources(COMMON, INVERTER_103, bytes(data))


def test_gen24_has_the_battery_in_modules_three_and_four() -> None:
    bound = sources(COMMON, INVERTER_103, MODULES_160, STORAGE_124, options={"battery_dc": "160-34"})
    assert bound["battery_power_w"] == "160.module.4.DCW -160.module.3.DCW"
    assert bound["battery_charged_wh"] == "160.module.3.DCWH"
    assert bound["battery_discharged_wh"] == "160.module.4.DCWH"
    assert bound["pv_power_w"] == "160.module.1.DCW 160.module.2.DCW"
    plain = sources(COMMON, INVERTER_103, MODULES_160)
    assert plain["pv_power_w"].count("module") == 4 and "battery_power_w" not in plain


@pytest.mark.parametrize("option", ["160-34", "auto"])
def test_what_the_modules_are_named_goes_before_their_places(option: str) -> None:
    def bound(*names: str) -> dict[str, str]:
        modules = [{"IDStr": name, "DCW": 1} for name in names]
        named = model_bytes(
            160, {"DCW_SF": 0, "N": len(names), "L": 8 + 20 * len(names)}, {"module": modules}
        )
        return sources(COMMON, INVERTER_103, named, STORAGE_124, options={"battery_dc": option})

    five = bound("MPPT 1", "MPPT 2", "MPPT 3", "StCha 4", "StDisCha 5")
    assert five["battery_power_w"] == "160.module.5.DCW -160.module.4.DCW"
    assert five["pv_power_w"] == "160.module.1.DCW 160.module.2.DCW 160.module.3.DCW"
    strings = bound("MPPT 1", "MPPT 2", "MPPT 3", "MPPT 4")
    assert "battery_power_w" not in strings and strings["pv_power_w"].count("module") == 4


def test_too_few_modules_for_a_battery_give_no_battery_power() -> None:
    two = model_bytes(160, {"DCW_SF": 0, "N": 2, "L": 48}, {"module": [{"DCW": 1}, {"DCW": 2}]})
    assert "battery_power_w" not in sources(COMMON, INVERTER_103, two, options={"battery_dc": "160-34"})


def test_a_battery_bank_has_a_power_only_when_its_sign_is_stated() -> None:
    silent = sources(COMMON, BANK_802, role="battery")
    assert "battery_power_w" not in silent and silent["battery_soc_bp"] == "802.SoC"
    assert silent["charge_limit_ma"] == "802.AChaMax" and silent["charge_limit_w"] == "802.WChaRteMax"
    stated = sources(COMMON, BANK_802, role="battery", options={"bank_positive": "charge"})
    assert stated["battery_power_w"] == "-802.W" and stated["battery_current_ma"] == "-802.A"
    none = {"bank_positive": "charge", "battery_dc": "none"}
    assert "battery_power_w" not in sources(COMMON, BANK_802, role="battery", options=none)


def test_pv_is_the_dc_power_only_without_a_battery() -> None:
    assert sources(COMMON, INVERTER_103)["pv_power_w"] == "103.DCW"
    assert sources(COMMON, INVERTER_103)["pv_energy_wh"] == "103.WH"
    assert "pv_power_w" not in sources(COMMON, INVERTER_103, STORAGE_124)
    mixed = sources(COMMON, INVERTER_103, options={"battery_dc": "elsewhere"})
    assert not mixed.keys() & {"pv_power_w", "pv_energy_wh", "battery_power_w"}
    assert mixed["inverter_energy_out_wh"] == "103.WH"


def test_a_meter_is_read_alone_and_its_sign_can_be_turned() -> None:
    bound = sources(COMMON, INVERTER_103, METER_203, role="meter")
    assert bound["grid_power_w"] == "203.W" and bound["grid_imported_wh"] == "203.TotWhImp"
    assert not any("103" in terms for terms in bound.values())
    turned = sources(COMMON, METER_203, role="meter", options={"meter_positive": "export"})
    assert turned["grid_power_w"] == "-203.W" and turned["grid_l1_w"] == "-203.WphA"
    assert turned["grid_imported_wh"] == "203.TotWhImp"


def test_the_counters_of_a_meter_can_be_swapped_and_the_exported_one_turned() -> None:
    def counters(**options: Any) -> tuple[str, str]:
        bound = sources(COMMON, METER_203, role="meter", options=options)
        return bound["grid_imported_wh"], bound["grid_exported_wh"]

    assert counters() == ("203.TotWhImp", "203.TotWhExp")
    assert counters(meter_exported="down") == ("203.TotWhImp", "-203.TotWhExp")
    assert counters(meter_swapped=True) == ("203.TotWhExp", "203.TotWhImp")


def test_a_canonical_point_without_value_stays_and_one_for_people_goes() -> None:
    blank = model_bytes(103, {"W": 1, "W_SF": 0})
    bound = sources(COMMON, blank)
    assert "inverter_temperature_cc" in bound and "inverter_heatsink_cc" not in bound


def test_the_first_of_several_models_with_one_id_counts() -> None:
    found, contents = chain(COMMON, METER_203, METER_203)
    models = for_role(found, "meter")
    assert models[203].found == found[1]
    assert bind(models, contents, profile("meter"))


@pytest.mark.parametrize(
    ("role", "models"), [("inverter", METER_203), ("meter", BANK_802), ("battery", METER_203)]
)
def test_a_device_without_what_its_role_needs(role: str, models: bytes) -> None:
    found, _ = chain(COMMON, models)
    with pytest.raises(LinkError, match=f"no {role}: it has the models 1, "):
        for_role(found, role)


def test_offline_nothing_is_held_against_a_model() -> None:
    found, _ = chain(COMMON, INVERTER_103, STORAGE_124)
    names = {b.name for b in bind(for_role(found, "inverter"), {}, profile())}
    assert {"inverter_power_w", "battery_soc_bp", "inverter_heatsink_cc"} <= names


def test_nameplate() -> None:
    def rated(*models: bytes) -> tuple[int, int]:
        found, contents = chain(COMMON, *models)
        return nameplate_w(understood(found, SUPPORTED), contents)

    assert rated(INVERTER_103, NAMEPLATE_120, STORAGE_124) == (6000, 7000)
    assert rated(INVERTER_103, STORAGE_124) == (3300, 3300)
    assert rated(BANK_802) == (2560, 5120)
    assert rated(INVERTER_103, CONTROL_704) == (0, 0)
    assert rated(model_bytes(120, {"MaxChaRte": 0, "MaxChaRte_SF": 0}), STORAGE_124) == (3300, 3300)


def test_own_pv_is_what_gives_power_or_once_gave_energy() -> None:
    def judged(*models: bytes) -> bool:
        found, contents = chain(COMMON, INVERTER_103, *models)
        return own_pv(bind(for_role(found, "inverter"), contents, profile()), contents)

    def port(**values: int) -> bytes:
        return model_bytes(714, {"NPrt": 1, "DCW_SF": 0, "DCWH_SF": 0}, {"Prt": [{"PrtTyp": 0, **values}]})

    assert judged(PORTS_714)
    assert judged(port(DCW=0, DCWhInj=5)) and judged(port(DCW=5))
    assert not judged(port(DCW=0, DCWhInj=0)) and not judged(port())
    assert not judged()  # 103's DC power is the inverter's own, whatever feeds it


def test_a_battery_among_the_modules_of_160_is_no_pv() -> None:
    modules = [
        {"IDStr": "MPPT 1", "DCW": 1},
        {"IDStr": "StCha 2", "DCW": 1},
        {"IDStr": "StDisCha 3", "DCW": 1},
    ]
    named = model_bytes(160, {"DCW_SF": 0, "N": 3, "L": 68}, {"module": modules})
    bound = sources(COMMON, INVERTER_103, named)
    assert bound["pv_power_w"] == "160.module.1.DCW"
    assert bound["battery_power_w"] == "160.module.3.DCW -160.module.2.DCW"
    assert bound["battery_charged_wh"] == "160.module.2.DCWH"
    assert "battery_power_w" not in sources(COMMON, INVERTER_103, named, options={"battery_dc": "none"})
    ess = model_bytes(714, {"NPrt": 1, "DCW_SF": 0}, {"Prt": [{"PrtTyp": 1, "DCW": 5}]})
    assert "pv_power_w" not in sources(COMMON, INVERTER_103, STORAGE_124, ess, MODULES_160)
