"""The grid, as devices tell it: one that says it is gone is enough, and silence is no return."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.outage import STABLE_MS, Outage, restored, step


def test_a_grid_that_nobody_speaks_of_or_that_was_never_lost_is_there() -> None:
    for said in ((), (None,), (1,), (1, None)):
        outage = step(Outage(), said, 5)
        assert not outage and outage.text == ""


def test_one_that_says_it_is_gone_is_enough() -> None:
    outage = step(Outage(), (1, 0, None), 5)
    assert outage and outage.text == "lost"


def test_silence_is_no_return() -> None:
    outage = step(Outage(lost=True), (None,), 10**9)
    assert outage.text == "lost"
    assert step(outage, (), 10**9).text == "lost"


def test_after_its_return_it_must_be_stable() -> None:
    outage = step(Outage(lost=True), (1,), 1_000)
    assert outage and outage.text == "returning"
    outage = step(outage, (1,), 1_000 + STABLE_MS - 1)
    assert outage.text == "returning"
    assert not step(outage, (1,), 1_000 + STABLE_MS)


def test_lost_again_while_it_returns_begins_anew() -> None:
    outage = step(Outage(until_ms=60_000), (0,), 30_000)
    assert outage.text == "lost"
    outage = step(outage, (1,), 40_000)
    assert outage.until_ms == 40_000 + STABLE_MS


def test_a_minute_that_nobody_sees_is_no_stable_one() -> None:
    """Found by the seeded world: the grid went again behind a dead link, and services went on."""
    outage = step(Outage(lost=True), (1,), 1_000)
    outage = step(outage, (None,), 50_000)
    outage = step(outage, (1,), 1_000 + STABLE_MS)
    assert outage.text == "returning"
    assert not step(outage, (1,), 50_000 + STABLE_MS)


@given(st.lists(st.sampled_from([0, 1, 1, None]), max_size=200))
def test_it_is_never_trusted_before_it_was_seen_to_be_there_for_a_stable_time(said: list[int | None]) -> None:
    outage, last_ms = Outage(), None
    for n, value in enumerate(said):
        now_ms = n * 1_000
        outage = step(outage, (value,), now_ms)
        if value == 0 or (value is None and last_ms is not None and now_ms - last_ms <= STABLE_MS):
            last_ms = now_ms
        assert outage or last_ms is None or now_ms - last_ms > STABLE_MS
        assert not outage or last_ms is not None


@given(st.booleans(), st.booleans())
def test_a_process_begins_with_what_the_one_before_knew_and_a_machine_that_was_started_with_a_return(
    away: bool, restarted: bool
) -> None:
    found = restored(away, restarted=restarted, now_ms=5)
    assert found == (Outage(until_ms=5 + STABLE_MS) if away or restarted else Outage())


def test_a_minute_that_is_awaited_at_a_site_that_never_hears_of_its_grid_ends() -> None:
    outage = step(Outage(until_ms=60_000), (), 59_999)
    assert outage and not step(outage, (), 60_000)
