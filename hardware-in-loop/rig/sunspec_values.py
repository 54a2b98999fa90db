"""What each SunSpec point of the rig shows: model -> point -> constant or function of the View.

A table. A point that is not here is "not implemented". Raw integers: each value is already divided by the
scale factor that stands beside it. Older models use scale factors other than the newer ones on purpose, as
devices do.
"""

from collections.abc import Callable, Mapping
from math import hypot
from typing import Any

from rig.bank import View
from rig.physics import inverter_w
from rig.plant import Plant

Values = Mapping[str, Any]

WRITABLE: Mapping[int, frozenset[str]] = {
    123: frozenset({"Conn", "Conn_RvrtTms", "WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena"}),
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
            *("VarSetEna", "VarSetMod", "VarSetPri", "VarSet", "VarSetRvrt"),
            *("VarSetPct", "VarSetPctRvrt", "VarSetEnaRvrt", "VarSetRvrtTms"),
            *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"),
        }
    ),
    715: frozenset({"ControllerHb", "OpCtl"}),
}


def wh(joules: float) -> int:
    return int(joules / 3600)


def _inverter_w(v: View) -> int:
    return inverter_w(v.s, v.spec)


def _inverter_va(v: View) -> int:
    return round(hypot(_inverter_w(v), v.s.inverter_var))


def dc_pv_w(v: View) -> int:
    return v.s.pv_w if v.spec.hybrid else 0


def _third(total: Callable[[View], float]) -> Callable[[View], float]:
    return lambda v: total(v) / 3


def _amps(total_w: Callable[[View], float]) -> Callable[[View], float]:
    """Current of one of three balanced phases, at this phase voltage."""
    return lambda v: total_w(v) * 1000 / 3 / v.s.grid_mv


def scaled(value: Callable[[View], float], factor: float) -> Callable[[View], int]:
    return lambda v: round(value(v) * factor)


def _phases(name: str, value: Any, letters: str = "ABC", prefix: str = "ph") -> dict[str, Any]:
    return {f"{name}{prefix}{letter}": value for letter in letters}


def _volts(v: View) -> float:
    return v.s.grid_mv / 1000


def _line_volts(v: View) -> float:
    return v.s.grid_mv / 1000 * 3**0.5


def common(plant: Plant) -> Values:
    return {"Mn": "Gridseal", "Md": "Rig storage", "Opt": "HIL", "Vr": "1", "SN": plant.serial, "DA": 1}


def inverter() -> dict[int, Values]:
    amps = _amps(lambda v: abs(_inverter_w(v)))
    return {
        103: {
            "A": scaled(amps, 300),
            **_phases("A", scaled(amps, 100)),
            "A_SF": -2,
            **_phases("PPV", scaled(_line_volts, 10), ("AB", "BC", "CA")),
            **_phases("PhV", scaled(_volts, 10)),
            "V_SF": -1,
            "W": _inverter_w,
            "W_SF": 0,
            "Hz": lambda v: round(v.s.frequency_mhz / 10),
            "Hz_SF": -2,
            "VA": _inverter_va,
            "VA_SF": 0,
            "VAr": lambda v: v.s.inverter_var,
            "VAr_SF": 0,
            "WH": lambda v: wh(v.s.ac_out_j),
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
            "ConnSt": lambda v: int(v.s.on_grid),
            "Alrm": 0,
            "DERMode": 1,
            "W": _inverter_w,
            "VA": _inverter_va,
            "Var": lambda v: v.s.inverter_var,
            "PF": 1000,
            "PF_SF": -3,
            "A": scaled(amps, 300),
            "A_SF": -2,
            "W_SF": 0,
            "VA_SF": 0,
            "Var_SF": 0,
            "LLV": scaled(_line_volts, 10),
            "LNV": scaled(_volts, 10),
            "V_SF": -1,
            "Hz": lambda v: v.s.frequency_mhz,
            "Hz_SF": -3,
            "TotWhInj": lambda v: wh(v.s.ac_out_j),
            "TotWhAbs": lambda v: wh(v.s.ac_in_j),
            "TotWh_SF": 0,
            "TmpCab": lambda v: round(v.s.temperature_c * 10),
            "Tmp_SF": -1,
        },
    }


def settings(plant: Plant) -> dict[int, Values]:
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
            "Conn_RvrtTms": 0,
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
            "VarMaxInjRtg": spec.var_max,
            "VarMaxAbsRtg": spec.var_max,
            "W_SF": 0,
            "VA_SF": 0,
            "Var_SF": 0,
            "WChaRteMaxRtg": spec.charge_max_w,
            "WDisChaRteMaxRtg": spec.discharge_max_w,
            "WMax": spec.ac_max_w,
            "VAMax": spec.ac_max_w,
            "VarMaxInj": spec.var_max,
            "VarMaxAbs": spec.var_max,
            "VNomRtg": 2300,
            "V_SF": -1,
            "WChaRteMax": spec.charge_max_w,
            "WDisChaRteMax": spec.discharge_max_w,
            "CtrlModes": 3,
        },
    }


def meter() -> Values:
    amps = _amps(lambda v: v.s.grid_w)
    return {
        "A": scaled(amps, 300),
        **_phases("A", scaled(amps, 100)),
        "A_SF": -2,
        "PhV": scaled(_volts, 10),
        **_phases("PhV", scaled(_volts, 10)),
        "V_SF": -1,
        "PPV": scaled(_line_volts, 10),
        **_phases("PhV", scaled(_line_volts, 10), ("AB", "BC", "CA")),
        "Hz": lambda v: round(v.s.frequency_mhz / 10),
        "Hz_SF": -2,
        "W": lambda v: v.s.grid_w,
        **_phases("W", _third(lambda v: v.s.grid_w), prefix="ph"),
        "W_SF": 0,
        "VA": lambda v: round(hypot(v.s.grid_w, v.s.grid_var)),
        "VA_SF": 0,
        "VAR": lambda v: v.s.grid_var,
        "VAR_SF": 0,
        "TotWhExp": lambda v: wh(v.s.exported_j),
        "TotWhImp": lambda v: wh(v.s.imported_j),
        "TotWh_SF": 0,
        "Evt": 0,
    }


def controls(remaining_s: Callable[[str, int], int]) -> Values:
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
        "VarSetEna": 0,
        "VarSetMod": 4,
        "VarSetPri": 0,
        "VarSet": 0,
        "VarSetRvrt": 0,
        "VarSetPct": 0,
        "VarSetPctRvrt": 0,
        "VarSetEnaRvrt": 0,
        "VarSetRvrtTms": 0,
        "VarSetRvrtRem": lambda v: remaining_s("704.VarSet", v.now_ms),
        "VarSet_SF": 0,
        "VarSetPct_SF": -1,
        "WMaxLimPct_SF": -1,
        "WSet_SF": 0,
        "WSetPct_SF": -1,
    }
