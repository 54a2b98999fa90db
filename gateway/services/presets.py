"""Known forms of frequency response as parameters of the droop; the power is always the user's.

A preset is the shape over frequency only: whether a site may offer the product is for its operator to
qualify. Nordic FFR is not here: it must be held for seconds after the frequency is back, and a law has no
memory. Sources are named beside each; figures in mHz and bp. Of Dynamic Moderation and Regulation only the
knee's share was found in an opened source: check their break points before they are offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.model import ServiceKind
from gateway.services.law import Parameters


@dataclass(frozen=True, slots=True)
class Preset:
    title: str
    source: str  # the document its figures are from
    parameters: Parameters


_SOGL = "Regulation (EU) 2017/1485, Annex V, and regelleistung.net, Activation of FCR"
_NORDIC = "Technical Requirements for FCR Provision in the Nordic Synchronous Area (ENTSO-E, 26 May 2023)"
_BRITISH = "NESO, New Dynamic Services (DC/DM/DR), service specifications"

# Power follows the whole deviation, not what is beyond the deadband: it begins there with 5.5 %.
_FCR = {"deadband_mhz": 10, "knee_mhz": 11, "knee_share_bp": 550, "full_mhz": 200}
_FCR_N = {"deadband_mhz": 0, "full_mhz": 100}
_FCR_D = {"deadband_mhz": 100, "full_mhz": 500}
_GREAT_BRITAIN: Mapping[str, tuple[str, Parameters]] = {
    "dc": (
        "Dynamic Containment",
        {"deadband_mhz": 15, "knee_mhz": 200, "knee_share_bp": 500, "full_mhz": 500},
    ),
    "dm": (
        "Dynamic Moderation",
        {"deadband_mhz": 15, "knee_mhz": 100, "knee_share_bp": 500, "full_mhz": 200},
    ),
    "dr": ("Dynamic Regulation", {"deadband_mhz": 15, "full_mhz": 200}),
}
_SIDES: Mapping[str, tuple[str, Parameters]] = {
    "": ("", {}),
    "-low": (", low frequency only", {"charge_bp": 0}),
    "-high": (", high frequency only", {"discharge_bp": 0}),
}

PRESETS: Mapping[str, Preset] = {
    "fcr": Preset("Continental Europe, FCR", _SOGL, {**_FCR, "target_mhz": 50_000}),
    "nordic-fcr-n": Preset("Nordic, FCR-N", _NORDIC, {**_FCR_N, "target_mhz": 50_000}),
    "nordic-fcr-d-up": Preset("Nordic, FCR-D up", _NORDIC, {**_FCR_D, "target_mhz": 50_000, "charge_bp": 0}),
    "nordic-fcr-d-down": Preset(
        "Nordic, FCR-D down", _NORDIC, {**_FCR_D, "target_mhz": 50_000, "discharge_bp": 0}
    ),
} | {
    f"gb-{name}{side}": Preset(
        f"Great Britain, {title}{only}", _BRITISH, {**shape, "target_mhz": 50_000, **one_sided}
    )
    for name, (title, shape) in _GREAT_BRITAIN.items()
    for side, (only, one_sided) in _SIDES.items()
}


def of(kind: ServiceKind, name: str | None) -> Parameters:
    """The parameters of a preset, none without a name; ValueError with a sentence for a person."""
    if not name:
        return MappingProxyType({})
    if kind is not ServiceKind.FREQUENCY:
        raise ValueError(f"{kind} has no presets: they are of {ServiceKind.FREQUENCY}")
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name].parameters
