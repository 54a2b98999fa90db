"""A SunSpec register image in memory, made by pysunspec2, behind a RegisterLink: the tests' device.

Owns building images (values and scale factors as pysunspec2 encodes them) and a link that serves them with
refusals where there are no registers. It knows nothing of drivers.sunspec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sunspec2.device import Model

from gateway.errors import DeviceRefused
from gateway.model import ClockTrust, Stamp
from gateway.site import Device

Values = Mapping[str, Any]


def model_bytes(model_id: int, values: Values, groups: Mapping[str, Sequence[Values]] | None = None) -> bytes:
    """A whole model with header; raw values, everything not named is not implemented."""
    data: dict[str, Any] = dict(values)
    for name, instances in (groups or {}).items():
        data[name] = [dict(instance) for instance in instances]
    model = Model(model_id, data=data)
    assert not model.error_info, model.error_info
    return model.get_mb()


@dataclass
class Image:
    """A RegisterLink over a dictionary of registers. `log` holds every exchange."""

    registers: dict[int, int] = field(default_factory=dict)
    url: str = "tcp://image"
    log: list[tuple[str, int, int | tuple[int, ...]]] = field(default_factory=list)
    refuse: set[tuple[int, int]] = field(default_factory=set)  # (address, count) answered with exception 2
    read_only: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, *models: bytes, base: int = 40000) -> "Image":
        image = cls()
        image.put(base, b"SunS" + b"".join(models) + b"\xff\xff\x00\x00")
        return image

    def put(self, address: int, data: bytes) -> None:
        for i in range(0, len(data), 2):
            self.registers[address + i // 2] = int.from_bytes(data[i : i + 2])

    def find(self, model_id: int, base: int = 40000) -> int:
        """Address of a model's ID register, by a walk of the tests' own."""
        at = base + 2
        while self.registers[at] != model_id:
            assert self.registers[at] != 0xFFFF, f"no model {model_id}"
            at += 2 + self.registers[at + 1]
        return at

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        self.log.append(("read", address, count))
        assert table == "holding" and 1 <= count <= 125 and timeout_s > 0
        wanted = range(address, address + count)
        if (address, count) in self.refuse or any(a not in self.registers for a in wanted):
            raise DeviceRefused("illegal data address", 2)
        return b"".join(self.registers[a].to_bytes(2) for a in wanted)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        self.log.append(("write", address, tuple(registers)))
        assert timeout_s > 0 and all(0 <= r <= 0xFFFF for r in registers)
        wanted = range(address, address + len(registers))
        if any(a not in self.registers or a in self.read_only for a in wanted):
            raise DeviceRefused("illegal data address", 2)
        self.registers.update(zip(wanted, registers, strict=True))

    async def close(self) -> None:
        pass

    @property
    def writes(self) -> list[tuple[int, tuple[int, ...]]]:
        return [(address, what) for kind, address, what in self.log if kind == "write" and what]


class StepClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def mono_ms(self) -> int:
        return self.at_ms

    def now(self) -> Stamp:
        return Stamp(self.at_ms, 1_790_000_000_000 + self.at_ms, ClockTrust.TRUSTED)


def device(profile: Any, **changes: Any) -> Device:
    return Device("inv", "sunspec", "sunspec", profile.role, "tcp://image", profile, **changes)


COMMON = model_bytes(1, {"Mn": "Gridseal Test", "Md": "Hybrid 10", "SN": "000042", "Vr": "1.2.3", "DA": 1})
INVERTER_103 = model_bytes(
    103,
    {"A": 152, "AphA": 51, "AphB": 50, "AphC": 51, "A_SF": -1, "PhVphA": 2301, "PhVphB": 2310, "PhVphC": 2299,
     "V_SF": -1, "W": -3500, "W_SF": 0, "Hz": 50012, "Hz_SF": -3, "VA": 3600, "VA_SF": 0, "VAr": -200,
     "VAr_SF": 0, "WH": 1234567, "WH_SF": 0, "DCW": 4100, "DCW_SF": 0, "TmpCab": 412, "TmpSnk": -5,
     "Tmp_SF": -1, "St": 4, "Evt1": 0},
)  # fmt: skip
NAMEPLATE_120 = model_bytes(
    120,
    {"DERTyp": 82, "WRtg": 1000, "WRtg_SF": 1, "WHRtg": 1120, "WHRtg_SF": 1, "MaxChaRte": 6000,
     "MaxChaRte_SF": 0, "MaxDisChaRte": 7000, "MaxDisChaRte_SF": 0},
)  # fmt: skip
STORAGE_124 = model_bytes(
    124,
    {"WChaMax": 3300, "WChaMax_SF": 0, "WChaGra": 100, "WDisChaGra": 100, "WChaDisChaGra_SF": 0,
     "StorCtl_Mod": 0, "MinRsvPct": 500, "MinRsvPct_SF": -2, "ChaState": 5730, "ChaState_SF": -2, "ChaSt": 4,
     "InBatV": 4012, "InBatV_SF": -1, "OutWRte": 10000, "InWRte": 10000, "InOutWRte_RvrtTms": 777,
     "InOutWRte_SF": -2, "ChaGriSet": 0},
)  # fmt: skip
CONTROL_704 = model_bytes(
    704,
    {"WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSetRvrt": 5000, "WSetPct": 0, "WSetPctRvrt": 0,
     "WSetEnaRvrt": 0, "WSetRvrtTms": 0, "WSetRvrtRem": 0, "WSet_SF": 1},
)  # fmt: skip
STORAGE_713 = model_bytes(
    713, {"WHRtg": 1024, "WHAvail": 512, "SoC": 553, "SoH": 987, "Sta": 0, "WH_SF": 1, "Pct_SF": -1}
)
PORTS_714 = model_bytes(
    714,
    {"NPrt": 2, "DCA_SF": -2, "DCV_SF": -1, "DCW_SF": 0, "DCWH_SF": 0, "Tmp_SF": -1},
    {"Prt": [
        {"PrtTyp": 0, "ID": 1, "DCA": 450, "DCV": 6001, "DCW": 2700, "DCWhInj": 9_000_000, "DCWhAbs": 0},
        {"PrtTyp": 1, "ID": 2, "DCA": -812, "DCV": 4009, "DCW": -3255, "DCWhInj": 111, "DCWhAbs": 222,
         "Tmp": 253},
    ]},
)  # fmt: skip
METER_203 = model_bytes(
    203,
    {"A": 10, "A_SF": -1, "PhV": 2300, "PhVphA": 2301, "PhVphB": 2302, "PhVphC": 2303, "V_SF": -1,
     "Hz": 4998, "Hz_SF": -2, "W": -451, "WphA": -151, "WphB": -150, "WphC": -150, "W_SF": 1, "VAR": 12,
     "VAR_SF": 1, "TotWhExp": 4000, "TotWhImp": 5000, "TotWh_SF": 1, "Evt": 0},
)  # fmt: skip
BANK_802 = model_bytes(
    802,
    {"AHRtg": 100, "AHRtg_SF": 0, "WHRtg": 5120, "WHRtg_SF": 0, "WChaRteMax": 2560, "WDisChaRteMax": 5120,
     "WChaDisChaMax_SF": 0, "SoC": 5000, "SoC_SF": -2, "SoH": 99, "SoH_SF": 0, "ChaSt": 3, "NCyc": 77,
     "V": 5121, "V_SF": -2, "CellVMax": 3355, "CellVMin": 3301, "CellV_SF": -3, "A": -125, "A_SF": -1,
     "AChaMax": 50, "ADisChaMax": 100, "AMax_SF": 0, "W": -640, "W_SF": 0, "Evt1": 4},
)  # fmt: skip
