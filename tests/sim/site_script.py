"""What happens to a site of the seeded world besides its orders for power and its broken parts.

Steps of the load, a grid that goes and comes back, a battery that is too warm; orders for reactive power,
limits of the grid operator, and reserves that a frequency calls up. Its random is its own, so that the rest
of a script stays what it was. It refuses to draw what the site has no device for.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random

from tests.sim.events import Event
from tests.sim.sites import Site

FIRST_S, PAUSE_S = 30.0, 45.0
NUMBER = 10_000  # of the first order: away from those of the rest
NOMINAL_MV = 230_000

Drawn = Iterator[Event]


def events(seed: int, seconds: float, site: Site) -> Drawn:
    """Until `seconds`; what began before has its end, too."""
    random = Random(f"site {seed}")
    kinds = {name: kind for name, kind in KINDS.items() if kind[1](site)}
    weights = [weight for weight, _, _ in kinds.values()]
    at_s, number = FIRST_S, NUMBER
    while (at_s := round(at_s + random.expovariate(1 / PAUSE_S), 3)) <= seconds:
        name = random.choices(list(kinds), weights)[0]
        for event in kinds[name][2](random, at_s, number, site):
            number += event.what == "order"
            yield event


def _load(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    """A step, and often another one soon."""
    del number, site
    for _ in range(random.choice((1, 1, 2, 4))):
        yield Event(at_s, "load", {"w": random.choice((0, 300, 1500, 4000, random.randrange(9000)))})
        at_s = round(at_s + random.choice((1, 3, 20, 120)) * random.uniform(0.3, 1), 3)
    yield Event(at_s, "load_over")


def _grid(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    """Gone for a moment or for minutes; and when it is back, it often goes again."""
    del number, site
    for _ in range(random.choice((1, 1, 2))):
        back_s = round(at_s + random.choice((3, 20, 200)) * random.uniform(0.3, 1), 3)
        yield Event(at_s, "grid")
        yield Event(back_s, "grid_over")
        at_s = round(back_s + random.uniform(1, 90), 3)


def _heat(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    """Warm or cold: half the current, as only a BMS says it; hot or frozen: none, or no charge."""
    del number
    member = random.randrange(len(site.batteries))
    how = {"member": member, "celsius": random.choice((-2, 5, 47, 56))}
    if not site.batteries[member].bms:
        how["celsius"] = random.choice((-2, 56))
    yield Event(at_s, "heat", how)
    yield Event(round(at_s + random.uniform(20, 300), 3), "heat_over", {"member": how["member"]})


def _reactive(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    most_var = site.batteries[0].var_max
    sign = random.choice((-1, 1))
    match random.choice(("fixed", "fixed", "factor", "curve")):
        case "fixed":
            kind, given = "reactive", {"reactive_var": sign * random.randrange(100, most_var)}
        case "factor":
            kind, given = "reactive", {"power_factor_bp": sign * random.randrange(8000, 10_000)}
        case _:
            kind, given = "voltage", _curve(random, most_var)
    yield _ordered(random, at_s, number, kind, given, ("OPERATOR", "CHAIN", "REMOTE", "SCHEDULE"))


def _curve(random: Random, most_var: int) -> dict[str, int]:
    width_mv = random.randrange(1_000, 8_000)
    points = (-2, -1, 1, 2)
    given = {f"v{i + 1}_mv": NOMINAL_MV + point * width_mv for i, point in enumerate(points)}
    return given | {"limit_var": random.randrange(100, most_var)}


def _limited(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    """The grid operator's: no export at all, or little, or an import to be curtailed to."""
    del site
    given = {
        "import_w": random.choice((1000, 4200, random.randrange(500, 8000))),
        "export_w": random.choice((0, 0, random.randrange(3000))),
    }
    yield _ordered(random, at_s, number, "grid-limit", given, ("GRID_LIMIT", "OPERATOR", "REMOTE"))


def _triggered(random: Random, at_s: float, number: int, site: Site) -> Drawn:
    """A reserve, and mostly a frequency that calls it up; some are gone before it has faded."""
    sign = random.choice((-1, 1))  # discharged by a low frequency, charged by a high one
    given = {
        "power_w": sign * random.randrange(100, site.limit_w),
        "trigger_mhz": 50_000 - sign * 100,
        "support_s": random.choice((5, 30)),
        "fade_s": random.choice((0, 10, 60)),
        "rearm_s": random.choice((0, 60)),
    }
    yield _ordered(random, at_s, number, "triggered", given, ("OPERATOR", "CHAIN", "REMOTE", "SCHEDULE"))
    passed_s = round(at_s + random.uniform(0, 20), 3)
    yield Event(passed_s, "frequency", {"mhz": 50_000 - sign * random.choice((60, 110, 400))})
    yield Event(round(passed_s + random.uniform(1, 60), 3), "frequency", {"mhz": 0})


def _ordered(
    random: Random, at_s: float, number: int, kind: str, given: Mapping[str, int], sources: tuple[str, ...]
) -> Event:
    how: dict[str, object] = {"number": number, "source": random.choice(sources), "kind": kind, **given}
    how |= {"delay_s": 0, "seconds": round(random.choice((20, 120, 600)) * random.uniform(0.3, 1), 1)}
    return Event(at_s, "order", how | {"shared": False})


Kind = tuple[int, Callable[[Site], bool], Callable[[Random, float, int, Site], Drawn]]
KINDS: Mapping[str, Kind] = {
    "load": (8, lambda _: True, _load),
    "limited": (4, lambda _: True, _limited),
    "reactive": (6, lambda site: site.reactive, _reactive),
    "grid": (3, lambda site: site.islands, _grid),
    "heat": (2, lambda _: True, _heat),
    "triggered": (3, lambda _: True, _triggered),
}
