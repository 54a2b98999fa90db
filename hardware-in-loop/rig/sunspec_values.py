"""What each SunSpec point of the rig shows: model -> point -> constant or function of the View.

A table. A point that is not here is "not implemented". Raw integers: each value is already divided by the
scale factor that stands beside it. Older models use scale factors other than the newer ones on purpose, as
devices do.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rig.bank import View
from rig.plant import Plant

Values = Mapping[str, Any]

WRITABLE: Mapping[int, frozenset[str]] = {
    123: frozenset({"WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena"}),
    124: frozenset({"StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "ChaGriSet"}),
    704: frozenset(
        {
            *(
                "WSetEna",
                "WSetMod",
                "WSet",
                "WSetRvrt",
                "WSetPct",
                "WSetPctRvrt",
                "WSetEnaRvrt",
                "WSetRvrtTms",
            ),
            *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"),
        }
    ),
    715: frozenset({"ControllerHb", "OpCtl"}),
}


def _wh(joules: float) -> int:
    return int(joules / 3600)


def _inverter_w(v: View) -> int:
    return v.s.battery_ac_w + (v.s.pv_w if v.spec.hybrid else 0)


def _dc_pv_w(v: View) -> int:
    return v.s.pv_w if v.spec.hybrid else 0


def _third(total: Callable[[View], float]) -> Callable[[View], float]:
    return lambda v: total(v) / 3


def _amps(total_w: Callable[[View], float]) -> Callable[[View], float]:
    """Current of one of three balanced phases, at this phase voltage."""
    return lambda v: total_w(v) * 1000 / 3 / v.s.grid_mv


def _scaled(value: Callable[[View], float], factor: float) -> Callable[[View], int]:
    return lambda v: round(value(v) * factor)


def _phases(name: str, value: Any, letters: str = "ABC", prefix: str = "ph") -> dict[str, Any]:
    return {f"{name}{prefix}{letter}": value for letter in letters}


def _volts(v: View) -> float:
    return v.s.grid_mv / 1000


def _line_volts(v: View) -> float:
    return v.s.grid_mv / 1000 * 3**0.5


def _charge_state(v: View) -> int:
    """ChaSt of 124 and 802: 2 empty, 3 discharging, 4 charging, 5 full, 6 holding."""
    if v.s.battery_ac_w:
        return 3 if v.s.battery_ac_w > 0 else 4
    return 5 if v.s.charge_limit_a == 0 else 2 if v.s.discharge_limit_a == 0 else 6


def values_of(plant: Plant, remaining_s: Callable[[str, int], int]) -> dict[int, Values]:
    """All models over this plant. `remaining_s(timer, now_ms)` is what the reversion timers show."""
    return {
        1: _common(plant),
        **_inverter(),
        **_settings(plant),
        **_storage(plant),
        203: _meter(),
        704: _controls(remaining_s),
        715: {
            "LocRemCtl": 0,
            "DERHb": lambda v: v.now_ms // 1000 % 2**32,
            "ControllerHb": 0,
            "OpCtl": 1,
        },
        802: _bank(plant),
    }


def _common(plant: Plant) -> Values:
    return {"Mn": "Gridseal", "Md": "Rig storage", "Opt": "HIL", "Vr": "1", "SN": plant.serial, "DA": 1}


def _inverter() -> dict[int, Values]:
    amps = _amps(lambda v: abs(_inverter_w(v)))
    return {
        103: {
            "A": _scaled(amps, 300),
            **_phases("A", _scaled(amps, 100)),
            "A_SF": -2,
            **_phases("PPV", _scaled(_line_volts, 10), ("AB", "BC", "CA")),
            **_phases("PhV", _scaled(_volts, 10)),
            "V_SF": -1,
            "W": _inverter_w,
            "W_SF": 0,
            "Hz": lambda v: round(v.s.frequency_mhz / 10),
            "Hz_SF": -2,
            "VA": lambda v: abs(_inverter_w(v)),
            "VA_SF": 0,
            "VAr": 0,
            "VAr_SF": 0,
            "WH": lambda v: _wh(v.s.ac_out_j),
            "WH_SF": 0,
            "TmpCab": lambda v: round(v.s.temperature_c * 10),
            "Tmp_SF": -1,
            "St": 4,
            "Evt1": 0,
            "Evt2": 0,
        },
        701: {
            "ACType": 2,
            "St": 1,
            "InvSt": 3,
            "ConnSt": 1,
            "Alrm": 0,
            "DERMode": 1,
            "W": _inverter_w,
            "VA": lambda v: abs(_inverter_w(v)),
            "Var": 0,
            "PF": 1000,
            "PF_SF": -3,
            "A": _scaled(amps, 300),
            "A_SF": -2,
            "W_SF": 0,
            "VA_SF": 0,
            "Var_SF": 0,
            "LLV": _scaled(_line_volts, 10),
            "LNV": _scaled(_volts, 10),
            "V_SF": -1,
            "Hz": lambda v: v.s.frequency_mhz,
            "Hz_SF": -3,
            "TotWhInj": lambda v: _wh(v.s.ac_out_j),
            "TotWhAbs": lambda v: _wh(v.s.ac_in_j),
            "TotWh_SF": 0,
            "TmpCab": lambda v: round(v.s.temperature_c * 10),
            "Tmp_SF": -1,
        },
    }


def _settings(plant: Plant) -> dict[int, Values]:
    spec = plant.spec
    return {
        120: {
            "DERTyp": 82,
            "WRtg": spec.ac_max_w // 10,
            "WRtg_SF": 1,
            "VARtg": spec.ac_max_w // 10,
            "VARtg_SF": 1,
            "ARtg": spec.ac_max_w // 690,
            "ARtg_SF": 0,
            **{f"VArRtgQ{q}": 0 for q in (1, 2, 3, 4)},
            **{f"PFRtgQ{q}": 100 for q in (1, 2, 3, 4)},
            "VArRtg_SF": 0,
            "PFRtg_SF": -2,
            "WHRtg": spec.capacity_wh // 10,
            "WHRtg_SF": 1,
            "MaxChaRte": spec.charge_max_w // 10,
            "MaxChaRte_SF": 1,
            "MaxDisChaRte": spec.discharge_max_w // 10,
            "MaxDisChaRte_SF": 1,
        },
        121: {
            "WMax": spec.ac_max_w // 10,
            "WMax_SF": 1,
            "VRef": 230,
            "VRef_SF": 0,
            "VRefOfs": 0,
            "VRefOfs_SF": 0,
        },
        123: {
            "Conn": 1,
            "WMaxLimPct": 100,
            "WMaxLimPct_RvrtTms": 0,
            "WMaxLim_Ena": 0,
            "WMaxLimPct_SF": 0,
            "OutPFSet": 100,
            "OutPFSet_Ena": 0,
            "OutPFSet_SF": -2,
            "VArPct_Ena": 0,
        },
        702: {
            "WMaxRtg": spec.ac_max_w,
            "VAMaxRtg": spec.ac_max_w,
            "W_SF": 0,
            "VA_SF": 0,
            "WChaRteMaxRtg": spec.charge_max_w,
            "WDisChaRteMaxRtg": spec.discharge_max_w,
            "WMax": spec.ac_max_w,
            "VAMax": spec.ac_max_w,
            "VNomRtg": 2300,
            "V_SF": -1,
            "WChaRteMax": spec.charge_max_w,
            "WDisChaRteMax": spec.discharge_max_w,
            "CtrlModes": 3,
        },
    }


def _storage(plant: Plant) -> dict[int, Values]:
    spec = plant.spec
    base_w = min(spec.charge_max_w, spec.discharge_max_w)
    gradient = min(100 * spec.ramp_w_per_s // base_w, 0xFFFE)
    return {
        124: {
            "WChaMax": base_w // 10,
            "WChaMax_SF": 1,
            "WChaGra": gradient,
            "WDisChaGra": gradient,
            "WChaDisChaGra_SF": 0,
            "StorCtl_Mod": 0,
            "ChaGriSet": 1,
            "ChaState": lambda v: round(v.s.soc * 10_000),
            "ChaState_SF": -2,
            "ChaSt": _charge_state,
            "InBatV": lambda v: round(v.s.voltage_v * 100),
            "InBatV_SF": -2,
            "OutWRte": 10_000,
            "InWRte": 10_000,
            "InOutWRte_SF": -2,
            "InOutWRte_RvrtTms": 0,
        },
        160: _modules(),
        713: {
            "WHRtg": spec.capacity_wh // 10,
            "WHAvail": lambda v: _wh(v.s.stored_j) // 10,
            "WH_SF": 1,
            "SoC": lambda v: round(v.s.soc * 10_000),
            "SoH": lambda v: round(v.s.soh * 10_000),
            "Pct_SF": -2,
            "Sta": 0,
        },
        714: _ports(),
    }


def _modules() -> Values:
    scales = {"DCA_SF": -2, "DCV_SF": -2, "DCW_SF": 0, "DCWH_SF": 0, "Evt": 0, "N": 4}
    powers = (
        ("String 1", _dc_pv_w, lambda v: _wh(v.s.produced_j) if v.spec.hybrid else 0),
        ("String 2", lambda _: 0, 0),
        ("StCha 3", lambda v: max(0.0, -v.s.battery_w), lambda v: _wh(v.s.charged_j)),
        ("StDisCha 4", lambda v: max(0.0, v.s.battery_w), lambda v: _wh(v.s.discharged_j)),
    )
    values: dict[str, Any] = dict(scales)
    for number, (name, power, energy) in enumerate(powers, start=1):
        at = f"module.{number}."
        volts: Callable[[View], float] = (lambda v: v.s.voltage_v) if number > 2 else (lambda _: 400.0)
        values |= {f"{at}ID": number, f"{at}IDStr": name, f"{at}DCW": power, f"{at}DCWH": energy}
        values |= {f"{at}DCV": _scaled(volts, 100), f"{at}DCSt": 4}
        values[f"{at}DCA"] = lambda v, w=power, u=volts: round(100 * w(v) / u(v))
    return values


def _ports() -> Values:
    battery = {
        "PrtTyp": 1,
        "ID": 1,
        "IDStr": "Battery",
        "DCSta": 1,
        "DCAlrm": 0,
        "DCA": lambda v: round(v.s.current_a * 10),
        "DCV": lambda v: round(v.s.voltage_v * 10),
        "DCW": lambda v: round(v.s.battery_w),
        "DCWhInj": lambda v: _wh(v.s.discharged_j),
        "DCWhAbs": lambda v: _wh(v.s.charged_j),
        "Tmp": lambda v: round(v.s.temperature_c * 10),
    }
    sun = {
        "PrtTyp": 0,
        "ID": 2,
        "IDStr": "PV",
        "DCSta": lambda v: int(v.spec.hybrid),
        "DCAlrm": 0,
        "DCA": lambda v: round(_dc_pv_w(v) / 40),
        "DCV": 4000,
        "DCW": _dc_pv_w,
        "DCWhInj": lambda v: _wh(v.s.produced_j) if v.spec.hybrid else 0,
    }
    return {
        "PrtAlrms": 0,
        "NPrt": 2,
        "DCA_SF": -1,
        "DCV_SF": -1,
        "DCW_SF": 0,
        "DCWH_SF": 0,
        "Tmp_SF": -1,
        **{f"Prt.1.{name}": value for name, value in battery.items()},
        **{f"Prt.2.{name}": value for name, value in sun.items()},
    }


def _meter() -> Values:
    amps = _amps(lambda v: v.s.grid_w)
    return {
        "A": _scaled(amps, 300),
        **_phases("A", _scaled(amps, 100)),
        "A_SF": -2,
        "PhV": _scaled(_volts, 10),
        **_phases("PhV", _scaled(_volts, 10)),
        "V_SF": -1,
        "PPV": _scaled(_line_volts, 10),
        **_phases("PhV", _scaled(_line_volts, 10), ("AB", "BC", "CA")),
        "Hz": lambda v: round(v.s.frequency_mhz / 10),
        "Hz_SF": -2,
        "W": lambda v: v.s.grid_w,
        **_phases("W", _third(lambda v: v.s.grid_w), prefix="ph"),
        "W_SF": 0,
        "VA": lambda v: round((v.s.grid_w**2 + v.s.load_var**2) ** 0.5),
        "VA_SF": 0,
        "VAR": lambda v: v.s.load_var,
        "VAR_SF": 0,
        "TotWhExp": lambda v: _wh(v.s.exported_j),
        "TotWhImp": lambda v: _wh(v.s.imported_j),
        "TotWh_SF": 0,
        "Evt": 0,
    }


def _controls(remaining_s: Callable[[str, int], int]) -> Values:
    return {
        "WMaxLimPctEna": 0,
        "WMaxLimPct": 1000,
        "WMaxLimPctRvrt": 1000,
        "WMaxLimPctEnaRvrt": 0,
        "WMaxLimPctRvrtTms": 0,
        "WMaxLimPctRvrtRem": lambda v: remaining_s("704.WMaxLimPct", v.now_ms),
        "WSetEna": 0,
        "WSetMod": 1,
        "WSet": 0,
        "WSetRvrt": 0,
        "WSetPct": 0,
        "WSetPctRvrt": 0,
        "WSetEnaRvrt": 0,
        "WSetRvrtTms": 0,
        "WSetRvrtRem": lambda v: remaining_s("704.WSet", v.now_ms),
        "WMaxLimPct_SF": -1,
        "WSet_SF": 0,
        "WSetPct_SF": -1,
    }


def _bank(plant: Plant) -> Values:
    spec = plant.spec
    spread_mv = plant.random.randint(2, 9)  # how far apart this pack's cells are
    return {
        "AHRtg": round(10 * spec.capacity_wh / spec.nominal_v),
        "AHRtg_SF": -1,
        "WHRtg": spec.capacity_wh // 10,
        "WHRtg_SF": 1,
        "WChaDisChaMax_SF": 1,
        "WChaRteMax": spec.charge_max_w // 10,
        "WDisChaRteMax": spec.discharge_max_w // 10,
        "SoC": lambda v: round(v.s.soc * 1000),
        "SoC_SF": -1,
        "DoD": lambda v: round(1000 - v.s.soc * 1000),
        "DoD_SF": -1,
        "SoH": lambda v: round(v.s.soh * 1000),
        "SoH_SF": -1,
        "ChaSt": _charge_state,
        "LocRemCtl": 0,
        "AlmRst": 0,
        "Typ": 4,
        "State": 3,
        "Evt1": 0,
        "Evt2": 0,
        "EvtVnd1": 0,
        "EvtVnd2": 0,
        "V": lambda v: round(v.s.voltage_v * 100),
        "VMax": 5680,
        "VMin": 4480,
        "V_SF": -2,
        "CellVMax": lambda v: round(1000 * v.s.voltage_v / v.spec.cells) + spread_mv,
        "CellVMin": lambda v: round(1000 * v.s.voltage_v / v.spec.cells) - spread_mv,
        "CellV_SF": -3,
        "A": lambda v: round(v.s.current_a * 10),
        "A_SF": -1,
        "AChaMax": lambda v: int(v.s.charge_limit_a * 10),
        "AMax_SF": -1,
        "ADisChaMax": lambda v: int(v.s.discharge_limit_a * 10),
        "W": lambda v: round(v.s.battery_w),
        "W_SF": 0,
        "SetOp": 1,
        "SetInvState": 3,
    }
