"""A service's parameters as people write them ("power=5 kW") to its canonical integers, and back.

Used by site.yaml and by the command line, so that both take the same words: a parameter's name without its
unit, a value with one. It refuses what it does not know, with the nearest or all valid names.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway import units
from gateway.model import Command, ServiceKind, Source
from gateway.services import LAWS, Parameters, complete, problem
from gateway.services.law import Law

# The suffix of a parameter's name -> the units it may be written in.
SCALES: Mapping[str, units.Scale] = {
    "w": units.POWER_W,
    "var": {"var": 1, "kvar": 1000, "Mvar": 1_000_000},
    "wh": units.ENERGY_WH,
    "mhz": {"mHz": 1, "Hz": 1000},
    "mv": {"mV": 1, "V": 1000, "kV": 1_000_000},
    "bp": units.PERCENT_BP,
    "s": {"s": 1, "min": 60, "h": 3600},
}


def split(name: str) -> tuple[str, str]:
    """A parameter's word and its unit: "power_w" is ("power", "w")."""
    word, _, unit = name.rpartition("_")
    return word.replace("_", " "), unit


def parameters(
    kind: ServiceKind, words: Mapping[str, object], base: Parameters = MappingProxyType({})
) -> Parameters:
    """Canonical parameters of `kind`, complete and checked; `words` go before `base` (a preset), that before
    the law's defaults. ValueError with a sentence for a person."""
    names = {split(name)[0]: name for name in LAWS[kind].parameters}
    given = dict(base)
    for word, text in words.items():
        name = names.get(word.replace("_", " ").strip())
        if name is None:
            from difflib import get_close_matches  # only when there is a mistake

            near = get_close_matches(word, names, 1)
            known = f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(names) or 'nothing'}"
            raise ValueError(f"{kind} has no {word!r}; {known}")
        given[name] = _value(name, text)
    found = complete(kind, given)
    missing = [word for word, name in names.items() if name not in found]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(missing)}")
    if reason := problem(Command("", Source.OPERATOR, kind, 0, 0, found)):
        raise ValueError(reason)
    return found


def _value(name: str, text: object) -> int:
    word, unit = split(name)
    scale = SCALES.get(unit)
    try:
        return units.parse(text, scale) if scale else int(str(text))
    except ValueError as error:
        raise ValueError(f"{word}: {error}") from error


def usage(kind: ServiceKind) -> str:
    """One line: what the service takes, with units; what may be left out in brackets."""
    return " ".join(_word(name, LAWS[kind]) for name in LAWS[kind].parameters)


def _word(name: str, law: Law) -> str:
    word, unit = split(name)
    shown = f"{word.replace(' ', '_')}={next(iter(SCALES.get(unit, {'…': 1})))}"
    return shown if law.parameters[name].default is None else f"[{shown}]"
