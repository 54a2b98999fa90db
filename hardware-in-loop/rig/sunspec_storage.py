"""What the storage models of the rig show: 124, 160, 713, 714 and 802. A table like sunspec_values.py."""

from collections.abc import Callable
from typing import Any

from rig.bank import View
from rig.plant import Plant
from rig.sunspec_values import Values, dc_pv_w, scaled, wh


def _charge_state(v: View) -> int:
    """ChaSt of 124 and 802: 2 empty, 3 discharging, 4 charging, 5 full, 6 holding."""
    if v.s.battery_ac_w:
        return 3 if v.s.battery_ac_w > 0 else 4
    return 5 if v.s.charge_limit_a == 0 else 2 if v.s.discharge_limit_a == 0 else 6


def storage(plant: Plant) -> dict[int, Values]:
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
            "WHAvail": lambda v: wh(v.s.stored_j) // 10,
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
        ("String 1", dc_pv_w, lambda v: wh(v.s.produced_j) if v.spec.hybrid else 0),
        ("String 2", lambda _: 0, 0),
        ("StCha 3", lambda v: max(0.0, -v.s.battery_w), lambda v: wh(v.s.charged_j)),
        ("StDisCha 4", lambda v: max(0.0, v.s.battery_w), lambda v: wh(v.s.discharged_j)),
    )
    values: dict[str, Any] = dict(scales)
    for number, (name, power, energy) in enumerate(powers, start=1):
        at = f"module.{number}."
        volts: Callable[[View], float] = (lambda v: v.s.voltage_v) if number > 2 else (lambda _: 400.0)
        values |= {f"{at}ID": number, f"{at}IDStr": name, f"{at}DCW": power, f"{at}DCWH": energy}
        values |= {f"{at}DCV": scaled(volts, 100), f"{at}DCSt": 4}
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
        "DCWhInj": lambda v: wh(v.s.discharged_j),
        "DCWhAbs": lambda v: wh(v.s.charged_j),
        "Tmp": lambda v: round(v.s.temperature_c * 10),
    }
    sun = {
        "PrtTyp": 0,
        "ID": 2,
        "IDStr": "PV",
        "DCSta": lambda v: int(v.spec.hybrid),
        "DCAlrm": 0,
        "DCA": lambda v: round(dc_pv_w(v) / 40),
        "DCV": 4000,
        "DCW": dc_pv_w,
        "DCWhInj": lambda v: wh(v.s.produced_j) if v.spec.hybrid else 0,
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


def bank(plant: Plant) -> Values:
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
