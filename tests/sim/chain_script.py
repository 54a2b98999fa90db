"""What happens on the chain of a seeded run: events drawn from the seed, beside those of the site.

Own random, so that the site's script stays what it was. At most one operator lies at a time: two that say
the same untruth are the chain, for all that anybody at the site can know. It refuses to draw from anything
but the seed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random

from tests.sim import script
from tests.sim.script import Event, Script

FIRST_S = 40.0  # the site listens by then
PAUSE_S = 26.0  # between events, on average
LEARN_S = 90.0  # an operator comes after about so long to clear a stop
SHARE = 0.75  # of the seeds have a chain
OPERATORS = ("a.example", "b.example")

# An endpoint that does not answer, or not as a node does.
WIRE = ("down", "late", "slow", "limited", "busy", "garbage", "cut", "nested", "null", "stranger")
# An endpoint that means well and is wrong: behind the others, forgetful, on a fork of its own.
VIEWS = ("behind", "frozen", "forgets", "swallows", "forked")
# An endpoint that says what suits it.
LIES = (
    "no logs", "other power", "made-up order", "made-up stop", "final too early", "mined", "not mined",
    "spent", "unspent", "last sequence", "dear", "refused", "estimate", "other chain", "no code",
)  # fmt: skip


Drawn = Iterator[Event]


def draw(seed: int, hours: float, device: str = "") -> Script:
    """The script of a seed: what `script.draw` has for the site, and in most seeds a chain."""
    site, random = script.draw(seed, hours, device), Random(f"chain {seed}")
    if random.random() >= SHARE:
        return site
    finality, every_s = random.choice((2, 4, 8)), random.choice((30, 60, 120))
    chain = events(seed, hours * 3600, site.limit_w, finality)
    both = sorted([*site.events, *chain], key=lambda event: event.at_s)
    confirmations = random.choice((2, finality + 1))  # some sites are less patient than a reorg is deep
    return replace(site, events=tuple(both), finality=finality, confirmations=confirmations, every_s=every_s)


def events(seed: int, seconds: float, limit_w: int, finality: int) -> Drawn:
    """Until `seconds`; what began before has its end there at the latest."""
    random = Random(f"chain events {seed}")
    kinds, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    at_s, lying_s, number = FIRST_S, 0.0, 0
    while True:
        at_s = round(at_s + random.expovariate(1 / PAUSE_S), 3)
        kind = random.choices(kinds, weights)[0]
        drawn = list(KINDS[kind][1](random, at_s, (number, limit_w, finality)))
        number += kind == "contract_order"
        if at_s > seconds:
            return
        if kind == "lie":
            if at_s < lying_s:
                continue
            lying_s = max(event.at_s for event in drawn)
        yield from (event if event.at_s < seconds else replace(event, at_s=seconds) for event in drawn)


Around = tuple[int, int, int]  # number of the order, the site's limit in W, blocks to finality


def _order(random: Random, at_s: float, around: Around) -> Drawn:
    """Mostly a fixed power, of an odd figure that is no person's; now and then what nobody can mean."""
    number, limit_w, finality = around
    final_s = 12 * finality + 30  # an order for now is over, or nearly, when it is final
    service = random.choices(("load-shifting", "frequency", "peak-shaving", "backup"), (10, 1, 1, 1))[0]
    power_w = random.randrange(limit_w // 1000, limit_w // 100) * 100 + number % 25 * 2 + 52
    absurd = random.choices(("", "power", "width", "count", "window", "past"), (16, 1, 1, 1, 1, 2))[0]
    yield Event(
        at_s,
        "contract_order",
        {
            "number": number,
            "service": service,
            "power_w": power_w * random.choice((-1, 1)),
            "delay_s": random.choice((0, 30, final_s, final_s, random.randrange(-200, 400))),
            "seconds": random.randrange(5, 60) if random.random() < 0.3 else random.randrange(120, 900),
            "absurd": absurd,
        },
    )


def _stop(random: Random, at_s: float, around: Around) -> Drawn:
    """At the head for as long as a reorg leaves it there."""
    yield Event(at_s, "contract_stop")
    if random.random() < 0.4:
        after_s = round(at_s + random.uniform(10, 40), 3)
        yield Event(after_s, "reorg", _reorg(random, around[2]))
    yield Event(round(at_s + 30 + random.expovariate(1 / LEARN_S), 3), "release")


def _reorg(random: Random, finality: int) -> dict[str, object]:
    return {"depth": random.randint(1, finality), "keep": random.random() < 0.7}


def _reorged(random: Random, at_s: float, around: Around) -> Drawn:
    yield Event(at_s, "reorg", _reorg(random, around[2]))


def _deep(random: Random, at_s: float, around: Around) -> Drawn:
    """What was final is not: nothing from this chain is obeyed any more."""
    depth = around[2] + random.randint(1, 12)
    yield Event(at_s, "reorg", {"depth": depth, "keep": random.random() < 0.5})


def _lasting(what: str, lengths_s: tuple[float, ...]) -> Callable[[Random, float, Around], Drawn]:
    def drawn(random: Random, at_s: float, around: Around) -> Drawn:
        del around
        yield Event(at_s, what)
        until_s = round(at_s + random.choice(lengths_s) * random.uniform(0.3, 1), 3)
        yield Event(until_s, f"{what}_over")

    return drawn


def _at_operator(what: str, names: tuple[str, ...], both: float) -> Callable[[Random, float, Around], Drawn]:
    """At one endpoint, or with that likelihood at all of them."""

    def drawn(random: Random, at_s: float, around: Around) -> Drawn:
        del around
        name = random.choice(names)
        who = OPERATORS if random.random() < both else (random.choice(OPERATORS),)
        until_s = round(at_s + random.choice((5, 30, 150, 400)) * random.uniform(0.3, 1), 3)
        for operator in who:
            yield Event(at_s, what, {"operator": operator, "name": name})
            yield Event(until_s, f"{what}_over", {"operator": operator, "name": name})

    return drawn


def _once(what: str) -> Callable[[Random, float, Around], Drawn]:
    def drawn(random: Random, at_s: float, around: Around) -> Drawn:
        del random, around
        yield Event(at_s, what)

    return drawn


KINDS: Mapping[str, tuple[float, Callable[[Random, float, Around], Drawn]]] = {
    "contract_order": (22, _order),
    "contract_stop": (2, _stop),
    "reorg": (8, _reorged),
    "deep": (0.3, _deep),
    "stall": (2, _lasting("stall", (40, 150, 400))),
    "unfinal": (2, _lasting("unfinal", (60, 400))),
    "crowd": (3, _lasting("crowd", (60, 200))),
    "forget_pool": (4, _once("forget_pool")),
    "wire": (10, _at_operator("wire", WIRE, 0.3)),
    "view": (7, _at_operator("view", VIEWS, 0.0)),
    "lie": (10, _at_operator("lie", LIES, 0.0)),
}
