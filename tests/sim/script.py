"""What happens in a seeded run: a list of events drawn from the seed, plain data that prints.

Owns the choice and nothing of the doing (`seeded.py`). Every disturbance is an event with its own end, so a
script can be read, and a piece of it left out by hand. It refuses to draw from anything but the seed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from tests.sim import site_script, sites
from tests.sim.events import Event
from tests.sim.sites import SITES

YEAR_MS = 365 * 86_400_000
CALM_S = 20.0  # at the start, for the devices to be reached
REST_S = 120.0  # at the end: everything is over and the batteries must come to rest
PAUSE_S = 32.0  # between events, on average
LEARN_S = 90.0  # an operator comes after about so long to clear a latch

LINK_FAULTS = (
    "silence",
    "reset",
    "busy",
    "refuse",
    "mute",
    "late",
    "wrong_function",
    "short",
    "truncated",
    "wrong_echo",
    "wrong_unit",
    "wrong_tag",
    "noise_before",
    "noise_after",
    "stuck",
)
BMS_FAULTS = ("silent", "no_351", "zero", "sentinel", "unplugged")
CLOCK_STEPS_MS = (1_000, 7_000, 60_000, 3_600_000, 86_400_000, YEAR_MS, 10 * YEAR_MS)


@dataclass(frozen=True, slots=True)
class Script:
    seed: int
    hours: float
    device: str  # a name of tests/sim/sites.py
    limit_w: int
    events: tuple[Event, ...]
    finality: int = 0  # blocks, of the site's chain; 0: it has none
    confirmations: int = 0  # blocks after which the site takes a record for settled there
    every_s: int = 600  # seconds of a record


def draw(seed: int, hours: float, device: str = "") -> Script:
    """The script of a seed; a longer one begins as the shorter one. `device`: not the seed's own site."""
    random, device = Random(f"script {seed}"), device or sites.of(seed)
    site, seconds = SITES[device], hours * 3600
    own = _events(random, seconds, site.limit_w, Random(f"members {seed}"), len(site.batteries))
    beside = site_script.events(seed, seconds - REST_S, site)
    within = (event for event in beside if event.at_s <= seconds - REST_S / 2)
    events = sorted((*own, *within), key=lambda event: event.at_s)
    return Script(seed, hours, device, site.limit_w, tuple(events))


def _events(
    random: Random, seconds: float, limit_w: int, choosing: Random, batteries: int
) -> Iterator[Event]:
    """`choosing`: which of several batteries is meant."""
    kinds = list(KINDS)
    weights = [weight for weight, _ in KINDS.values()]
    at_s, number, clock_s = CALM_S, 0, 0.0
    while True:
        at_s = round(at_s + random.expovariate(1 / PAUSE_S), 3)
        kind = random.choices(kinds, weights)[0]
        drawn = list(KINDS[kind][1](random, at_s, number, limit_w))
        if batteries > 1 and kind in OF_ONE:
            member = choosing.randrange(batteries + (kind == "link"))  # the last is the meter
            drawn = [
                replace(event, how={**event.how, "member": member}) if event.what != "release" else event
                for event in drawn
            ]
        number += kind == "order"
        if kind == "clock":  # one wrong calendar at a time: two would be a third one
            if at_s < clock_s:
                continue
            clock_s = max(event.at_s for event in drawn)
        if at_s > seconds - REST_S:
            return
        yield from (event for event in drawn if event.at_s <= seconds - REST_S / 2)


Drawn = Iterator[Event]


def _order(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    """Mostly a fixed power, each of another odd figure so that the wire tells them apart."""
    long_s = round(random.uniform(60, 1200), 1)
    kind = random.choices(
        ("fixed-power", "frequency", "peak-shaving", "self-consumption", "grid-limit", "reserve"),
        (12, 2, 2, 2, 1, 1),
    )[0]
    yield Event(
        at_s,
        "order",
        {
            "number": number,
            "source": random.choice(("OPERATOR", "CHAIN", "REMOTE", "SCHEDULE")),
            "kind": kind,
            **_parameters(random, kind, number, limit_w),
            "delay_s": random.choice((0, 0, 0, round(random.uniform(-300, 600), 1))),
            "seconds": random.choices((0, round(random.uniform(5, 60), 1), long_s), (1, 8, 8))[0],
            "shared": random.random() < 0.2,
        },
    )
    if random.random() < 0.2:  # and once more, as a replay or an impatient relay has it
        yield Event(round(at_s + random.expovariate(1 / 200), 3), "again", {"number": number})


def _parameters(random: Random, kind: str, number: int, limit_w: int) -> dict[str, int]:
    most_w = limit_w * random.choices((1, 4), (9, 1))[0]
    power_w = random.randrange(limit_w // 1000, most_w // 100) * 100 + number % 50 * 2 + 1
    match kind:
        case "fixed-power":
            return {"power_w": power_w * random.choice((-1, 1))}
        case "frequency":
            return {"power_w": min(power_w, limit_w), "deadband_mhz": 10, "full_mhz": 100}
        case "peak-shaving":
            return {"import_w": random.randrange(0, 4000)}
        case "self-consumption":
            return {"grid_w": random.randrange(-1000, 1000)}
        case "grid-limit":
            return {"import_w": random.randrange(1000, 6000), "export_w": random.randrange(0, 3000)}
        case _:
            return {"soc_bp": random.randrange(1000, 8000)}


def _lasting(what: str, names: tuple[str, ...], longest_s: float) -> Callable[..., Drawn]:
    def drawn(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
        del number, limit_w
        name = random.choice(names)
        seconds = round(random.choice((2, 8, 30, longest_s)) * random.uniform(0.3, 1), 3)
        yield Event(at_s, what, {"name": name, "ms": random.randrange(100, 3000)} if names != ("",) else {})
        yield Event(round(at_s + seconds, 3), f"{what}_over", {"name": name} if names != ("",) else {})
        if what in ("deaf", "foreign"):
            yield _release(random, at_s + seconds)

    return drawn


def _release(random: Random, at_s: float) -> Event:
    return Event(round(at_s + random.expovariate(1 / LEARN_S), 3), "release")


def _stop(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    del number, limit_w
    stop = {
        "source": random.choice(("OPERATOR", "CHAIN", "REMOTE")),
        "name": f"{random.randrange(2**32):08x}",
    }
    yield Event(at_s, "stop", stop)
    yield _release(random, at_s)


def _soc(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    del number, limit_w
    yield Event(at_s, "soc", {"bp": random.choice((200, 900, 1050, 5000, 9300, 9600, 10_000))})
    yield Event(round(at_s + random.uniform(60, 600), 3), "soc", {"bp": 5000})


def _clock(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    del number, limit_w
    step_ms = random.choice(CLOCK_STEPS_MS) * random.choice((-1, 1))
    seconds = round(random.uniform(1, 400), 3)
    if random.random() < 0.5:  # a computer that lost its time knows that it did, until it is told
        yield Event(at_s, "distrust")
        yield Event(round(at_s + seconds + 0.5, 3), "trust")
    yield Event(round(at_s + 0.25, 3), "step", {"ms": step_ms})
    yield Event(round(at_s + seconds, 3), "step", {"ms": -step_ms})


def _end(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    del number, limit_w
    down_s = round(random.choice((2, 2, 10, 90)) * random.uniform(0.5, 1), 3)
    kind = random.choices(("term", "crash", "crash_at_commit"), (2, 2, 3))[0]
    how: dict[str, object] = {"down_s": down_s}
    if kind == "crash_at_commit":
        how |= {"commits": random.randrange(1, 30), "after": random.random() < 0.5}
    yield Event(at_s, kind, how)


def _frequency(random: Random, at_s: float, number: int, limit_w: int) -> Drawn:
    del number, limit_w
    yield Event(at_s, "frequency", {"mhz": random.randrange(49_800, 50_200)})
    yield Event(round(at_s + random.uniform(10, 300), 3), "frequency", {"mhz": 0})


KINDS: Mapping[str, tuple[int, Callable[[Random, float, int, int], Drawn]]] = {
    "order": (40, _order),
    "stop": (4, _stop),
    "link": (16, _lasting("link", LINK_FAULTS, 120)),
    "bms": (8, _lasting("bms", BMS_FAULTS, 60)),
    "soc": (3, _soc),
    "clock": (7, _clock),
    "disk": (3, _lasting("disk", ("",), 20)),
    "end": (8, _end),
    "deaf": (2, _lasting("deaf", ("idle", "own", "other way"), 90)),
    "foreign": (2, _lasting("foreign", ("",), 30)),
    "frequency": (3, _frequency),
}
OF_ONE = frozenset({"link", "bms", "soc", "deaf", "foreign"})
