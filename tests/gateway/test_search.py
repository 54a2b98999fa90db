"""Who is asked when, as a device comes, goes and is found, with every step at random: bounds and back-off."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.search import AWAY_MS, HINT_MS, PAUSE_FIRST_MS, PAUSE_MOST_MS, STRANGER_MS, Search

HOME, AMONG = "10.0.0.9", tuple(f"10.0.0.{n}" for n in range(10, 20))
STEP_MS = 2_000
DAY = 86_400_000 // STEP_MS


def search(random: float = 0.5, among: tuple[str, ...] = AMONG) -> Search:
    return Search(HOME, among, lambda: random)


@dataclass
class Life:
    """A device that is never there: the moments of rounds in a time, and whom they asked."""

    search: Search
    rounds: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def live(self, steps: int, *, stranger: bool = False, at: str = HOME) -> list[int]:
        for now_ms in range(0, steps * STEP_MS, STEP_MS):
            if self.search.due(now_ms, now_ms, stranger=stranger):
                self.rounds.append((now_ms, self.search.whom(at, frozenset())))
                self.search.missed(now_ms)
        return [ms for ms, _ in self.rounds]


def test_it_is_missed_for_two_minutes_and_then_looked_for_ever_more_rarely() -> None:
    moments = Life(search(1 - 1e-9)).live(2 * DAY)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[0] == AWAY_MS
    assert [round(gap / 60_000) for gap in gaps] == [5, 10, 20, 40, 80, 160, 320, *[360] * (len(gaps) - 7)]
    assert len(moments) < 16  # in two days


def test_a_stranger_in_its_place_is_reason_to_look_soon() -> None:
    assert Life(search()).live(60, stranger=True)[0] == -(-STRANGER_MS // STEP_MS) * STEP_MS


def test_where_it_was_before_is_tried_first_and_alone() -> None:
    remembered = search()
    remembered.remember("10.0.0.14")
    life = Life(remembered)
    first, second, *_ = life.live(1000)
    assert (first, second) == (HINT_MS, AWAY_MS)
    assert life.rounds[0][1] == ("10.0.0.14",)
    assert life.rounds[1][1] == ("10.0.0.14", *(a for a in AMONG if a != "10.0.0.14"))


def test_a_hint_that_site_yaml_does_not_agree_to_is_none() -> None:
    remembered = search()
    remembered.remember("10.0.0.99")
    assert remembered.hint == "" and Life(remembered).live(1000)[0] == AWAY_MS


def test_found_elsewhere_it_is_looked_for_at_home_too() -> None:
    moved = search()
    moved.found(0, "10.0.0.14")
    moved.missed(0)  # it is gone from there, where its task tries it
    assert moved.whom("10.0.0.14", frozenset()) == (HOME, *(a for a in AMONG if a != "10.0.0.14"))
    moved.found(0, HOME)
    assert moved.hint == ""


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4000),  # steps that pass
        st.sampled_from(["away", "stranger", "online", "found"]),
        st.sampled_from(AMONG),
        st.sets(st.sampled_from((HOME, *AMONG)), max_size=6),
    ),
    max_size=30,
)


@given(EVENTS, st.floats(0, 1, exclude_max=True))
def test_whatever_happens_it_asks_whom_it_may_and_seldom(events: list, random: float) -> None:
    one, now_ms, since_ms, at = search(random), 0, 0, HOME
    rounds: list[int] = []
    for steps, event, host, taken in events:
        for _ in range(steps):
            now_ms += STEP_MS
            if event == "online":
                since_ms = now_ms
                one.back()
            elif one.due(now_ms, now_ms - since_ms, stranger=event == "stranger"):
                asked = one.whom(at, frozenset(taken))
                assert set(asked) <= {HOME, *AMONG} - taken - {at} and len(set(asked)) == len(asked)
                if len(asked) > 1:
                    assert now_ms - since_ms >= STRANGER_MS
                    rounds.append(now_ms)
                if event == "found" and host in asked:
                    at, since_ms = host, now_ms
                    one.found(now_ms, host)
                else:
                    one.missed(now_ms)
    gaps = [later - earlier for earlier, later in pairwise(rounds)]
    assert all(gap >= PAUSE_FIRST_MS // 2 - STEP_MS for gap in gaps)


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 80))
def test_the_pause_is_bounded(random: float, rounds: int) -> None:
    one = search(random)
    for _ in range(rounds):
        one.missed(0)
    one.missed(0)
    assert not one.due(PAUSE_FIRST_MS // 2 - 1, AWAY_MS, stranger=True)
    assert one.due(PAUSE_MOST_MS, AWAY_MS, stranger=False)
