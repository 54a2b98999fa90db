"""The chain's part of a script: drawn from the seed alone, one liar at a time, everything with its end."""

from tests.sim import script
from tests.sim.chain_ends import Operator
from tests.sim.chain_script import LIES, SHARE, VIEWS, WIRE, draw
from tests.sim.chain_side import ChainSide
from tests.sim.people import People

SEEDS = range(1, 41)
HOURS = 0.5


def test_most_seeds_have_a_chain_and_the_sites_script_is_what_it_was() -> None:
    drawn = [draw(seed, HOURS) for seed in SEEDS]
    assert drawn == [draw(seed, HOURS) for seed in SEEDS]
    chained = [found for found in drawn if found.finality]
    assert SHARE / 2 < len(chained) / len(drawn) < 1
    for found in drawn:
        site = script.draw(found.seed, HOURS).events
        assert [event for event in found.events if event in site] == list(site)


def test_everything_begins_and_ends_within_the_run_and_one_operator_lies_at_a_time() -> None:
    for found in (draw(seed, HOURS) for seed in SEEDS):
        begun: dict[tuple[str, str], int] = {}
        for event in found.events:
            assert 0 <= event.at_s <= HOURS * 3600
            if event.what not in ("wire", "view", "lie", "wire_over", "view_over", "lie_over"):
                continue
            key = (event.what.removesuffix("_over"), f"{event.how['operator']} {event.how['name']}")
            begun[key] = begun.get(key, 0) + (-1 if event.what.endswith("_over") else 1)
            assert sum(count for (what, _), count in begun.items() if what == "lie") <= 1
        assert not any(begun.values())


def test_somebody_does_every_event_and_every_trouble_of_an_endpoint() -> None:
    what = {event.what for seed in range(1, 200) for event in draw(seed, HOURS).events}
    chain = {name for name in what if hasattr(ChainSide, f"do_{name}")}
    assert {"contract_order", "contract_stop", "reorg", "stall", "unfinal", "crowd", "forget_pool"} <= chain
    assert hasattr(People, "do_release")
    for name in (*VIEWS, *LIES):
        assert hasattr(Operator, "_says_" + name.replace(" ", "_").replace("-", "_"))
    assert all(hasattr(Operator, f"_wire_{name}") for name in WIRE)
