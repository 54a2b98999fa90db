"""Known forms of frequency response as parameters of droop or trigger; the power is always the user's.

A preset is the shape over frequency and time only: whether a site may offer the product, and is quick enough
for it, is for its operator to qualify. Sources are named beside each; figures in mHz, bp and s. Of Dynamic
Moderation and Regulation the deadband and the knee's share were found in an opened source, the other break
points were not: check them before they are offered.
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
    kind: ServiceKind = ServiceKind.FREQUENCY


_SOGL = "Regulation (EU) 2017/1485, Annex V, and regelleistung.net, Activation of FCR"
_NORDIC = "Technical Requirements for FCR Provision in the Nordic Synchronous Area (ENTSO-E, 26 May 2023)"
_BRITISH = "NESO, New Dynamic Services (DC/DM/DR), service specifications"
_NORDIC_FFR = "Fingrid, Fast Frequency Reserve, technical requirements"
_STATIC = "NESO, Static Firm Frequency Response (SFFR), technical requirements"

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
# Of the FFR: the activation frequencies, with the time in which all of the power must be there. The support
# is at least 5 s if no more than 20 % are taken back a second, and 30 s otherwise; ours counts from
# the trigger, so the longest of these times is added. It can be triggered again at once: asked is in 15 min.
_ACTIVATIONS = {49_700: "1.3 s", 49_600: "1.0 s", 49_500: "0.7 s"}
_SUPPORTS: Mapping[str, Parameters] = {
    "": {"support_s": 7, "fade_s": 6},
    "-long": {"support_s": 32, "fade_s": 0},
}
_SIDES: Mapping[str, tuple[str, Parameters]] = {
    "": ("", {}),
    "-low": (", low frequency only", {"charge_bp": 0}),
    "-high": (", high frequency only", {"discharge_bp": 0}),
}

PRESETS: Mapping[str, Preset] = (
    {
        "fcr": Preset("Continental Europe, FCR", _SOGL, {**_FCR, "target_mhz": 50_000}),
        "nordic-fcr-n": Preset("Nordic, FCR-N", _NORDIC, {**_FCR_N, "target_mhz": 50_000}),
        "nordic-fcr-d-up": Preset(
            "Nordic, FCR-D up", _NORDIC, {**_FCR_D, "target_mhz": 50_000, "charge_bp": 0}
        ),
        "nordic-fcr-d-down": Preset(
            "Nordic, FCR-D down", _NORDIC, {**_FCR_D, "target_mhz": 50_000, "discharge_bp": 0}
        ),
    }
    | {
        f"gb-{name}{side}": Preset(
            f"Great Britain, {title}{only}", _BRITISH, {**shape, "target_mhz": 50_000, **one_sided}
        )
        for name, (title, shape) in _GREAT_BRITAIN.items()
        for side, (only, one_sided) in _SIDES.items()
    }
    | {
        f"nordic-ffr-{mhz / 1000:.1f}{support}": Preset(
            f"Nordic, FFR within {time}, {seconds['support_s']} s of support",
            _NORDIC_FFR,
            {"trigger_mhz": mhz, **seconds, "rearm_s": 0},
            ServiceKind.TRIGGERED,
        )
        for mhz, time in _ACTIVATIONS.items()
        for support, seconds in _SUPPORTS.items()
    }
    | {
        "gb-static": Preset(
            "Great Britain, Static FFR",
            _STATIC,
            {"trigger_mhz": 49_700, "support_s": 1800, "fade_s": 0, "rearm_s": 0},
            ServiceKind.TRIGGERED,
        )
    }
)


def of(kind: ServiceKind, name: str | None) -> Parameters:
    """The parameters of a preset, none without a name; ValueError with a sentence for a person."""
    if not name:
        return MappingProxyType({})
    mine = [known for known, preset in PRESETS.items() if preset.kind is kind]
    if not mine:
        raise ValueError(f"{kind} has no presets")
    if name not in mine:
        raise ValueError(f"{kind} has no preset {name!r}; it has: {', '.join(mine)}")
    return PRESETS[name].parameters
