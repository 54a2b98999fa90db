"""What is started again, after how long, and what is not."""

import pytest

from gateway import supervisor
from gateway.errors import ChainError, LinkError, StoreError
from gateway.supervisor import Supervisor


class HandClock:
    """A clock that moves only when told."""

    ms = 0

    def mono_ms(self):
        return self.ms


async def run_with(monkeypatch, failures, steady_ms=0):
    clock, pauses, seen = HandClock(), [], []
    keeper = Supervisor(clock, lambda: 0.0)

    async def pause(seconds):
        pauses.append(seconds)
        seen.append(dict(keeper.troubles))

    async def work():
        clock.ms += steady_ms
        if failures:
            raise failures.pop(0)

    monkeypatch.setattr(supervisor.asyncio, "sleep", pause)
    await keeper.keep("mqtt", work)
    clock.ms += 15_000
    assert keeper.troubles == {}
    return pauses, seen


async def test_expected_failures_wait_longer_each_time(monkeypatch):
    pauses, seen = await run_with(monkeypatch, [LinkError("gone"), ChainError("liar"), LinkError("again")])
    assert pauses == [0.25, 0.5, 1.0]
    assert [s["mqtt"].message for s in seen] == ["gone", "liar", "again"]
    assert seen[-1]["mqtt"].failures == 3


async def test_a_trouble_lasts_until_an_attempt_has_proven_itself(monkeypatch):
    """What the journal says once a change must not change with each attempt of a week without a broker."""
    clock, seen = HandClock(), []
    keeper = Supervisor(clock, lambda: 0.0)

    async def pause(_):
        clock.ms += 30_000

    async def work():
        seen.append("mqtt" in keeper.troubles)
        clock.ms += 10_000  # until the connection is given up
        seen.append("mqtt" in keeper.troubles)
        if len(seen) < 6:
            raise LinkError("timed out")
        clock.ms += 5_000
        seen.append("mqtt" in keeper.troubles)

    monkeypatch.setattr(supervisor.asyncio, "sleep", pause)
    await keeper.keep("mqtt", work)
    assert seen == [False, False, True, True, True, True, False]


async def test_the_pause_has_a_ceiling(monkeypatch):
    pauses, _ = await run_with(monkeypatch, [LinkError("x") for _ in range(40)])
    assert max(pauses) == supervisor.PAUSE_MOST_S / 2


async def test_a_part_that_ran_long_starts_anew(monkeypatch):
    pauses, _ = await run_with(monkeypatch, [LinkError("x") for _ in range(5)], steady_ms=200_000)
    assert pauses == [0.25] * 5


@pytest.mark.parametrize("failure", [StoreError("disk"), RuntimeError("bug")])
async def test_store_failures_and_bugs_are_not_survived(monkeypatch, failure):
    with pytest.raises(type(failure)):
        await run_with(monkeypatch, [failure])
