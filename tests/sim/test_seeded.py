"""A fixed set of seeds through the seeded world, and what is promised of the world itself.

More of them: `make sim SEEDS=200 SEED=1 HOURS=2`.
"""

import pytest

from tests.sim import seeded
from tests.sim.chain_script import LIES, draw
from tests.sim.seeded import Failed, Run, World, play, run_seed
from tests.sim.seeds import play_all, summary

SEEDS = range(8, 16)
HOURS = 0.15


@pytest.mark.timeout(400)
def test_a_fixed_set_of_seeds_keeps_every_promise() -> None:
    runs = list(play_all(SEEDS, HOURS))
    for run in runs:
        assert not run.wrong, seeded.told(run)
    found = summary(runs)
    assert found["wrong"] == found["outside"] == found["overrun"] == found["executed_twice"] == 0
    # They do something: orders are carried out, daemons die in each way, wires are disturbed.
    assert found["executed"] >= len(runs)
    assert min(found["crashes"], found["stops"], found["store_ends"], found["refused"]) > 0
    assert found["faults"] > 100
    # And on chain: orders are heard and carried out, records land, blocks are taken back, operators lie.
    assert min(found["carried_out_orders"], found["contract_stops"], len(found["reorgs_by_depth"])) > 1
    assert found["transactions"] > found["records"] / 2
    lies = {"rpc_" + name.replace(" ", "_").replace("-", "_") for name in LIES}
    assert lies & set(found["faults_by_kind"])


def test_the_same_seed_gives_the_same_trace_and_another_does_not() -> None:
    first, again, other = (play(seed, 0.08).digest for seed in (13, 13, 12))
    assert first == again != other


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    short, long = draw(5, 0.5).events, draw(5, 1).events
    assert [e for e in short if e.at_s < 1000] == [e for e in long if e.at_s < 1000] != []


def test_a_seed_that_goes_wrong_tells_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(world: World) -> Run:
        world.judge._complain("overrun", "so it was")
        world._say("here")
        return await finish(world)

    finish = World.play
    monkeypatch.setattr(World, "play", breaks)
    with pytest.raises(Failed) as failed:
        run_seed(3, 0.05)
    text = str(failed.value)
    for piece in ("seed 3 on ", " here\n", "overrun: so it was", "make sim SEEDS=1 SEED=3 HOURS=0.05"):
        assert piece in text


def test_a_bug_in_the_daemon_is_told_with_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(world: World) -> Run:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(World, "play", breaks)
    run = play(3, 0.05)
    assert run.kinds["broken"] == 1
    assert "ZeroDivisionError: a bug" in seeded.told(run)
