"""The house between a meter and batteries that are read at different moments: no load that is not there."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.house import GAP_MS, House, Power, step

CYCLE_MS = 1000
START_MS = 1_000_000


class Site:
    """A house and batteries that do at once what they are told, each read once a cycle at its own offset.

    `paths`: of each battery, the power it is told in each cycle; it is written `writes_ms` after the cycle.
    """

    def __init__(
        self, paths: dict[str, list[int]], offsets: dict[str, int], writes_ms: int, loads: list[int]
    ):
        self.paths, self.offsets, self.writes_ms, self.loads = paths, offsets, writes_ms, loads

    def cycle_of(self, at_ms: int) -> int:
        return (at_ms - START_MS) // CYCLE_MS

    def power_w(self, name: str, at_ms: int) -> int:
        cycle = self.cycle_of(at_ms - self.writes_ms)
        return self.paths[name][cycle] if cycle >= 0 else 0

    def load_w(self, at_ms: int) -> int:
        return self.loads[max(0, self.cycle_of(at_ms))]

    def read_ms(self, name: str, now_ms: int) -> int:
        return now_ms - CYCLE_MS + self.offsets[name]

    def step(self, before: House, cycle: int) -> House:
        now_ms = START_MS + cycle * CYCLE_MS
        grid_ms = self.read_ms("meter", now_ms)
        flows = sum(self.power_w(name, grid_ms) for name in self.paths)
        batteries = {}
        for name in self.paths:
            read_ms = self.read_ms(name, now_ms)
            written_ms = now_ms - CYCLE_MS + self.writes_ms
            told = Power(written_ms - self.writes_ms // 2, self.power_w(name, written_ms), told=True)
            batteries[name] = (Power(read_ms, self.power_w(name, read_ms)), told)
        return step(before, now_ms, Power(grid_ms, self.load_w(grid_ms) - flows), batteries)

    def seen(self) -> list[int | None]:
        found, house = [], House()
        for cycle in range(len(self.loads)):
            house = self.step(house, cycle)
            found.append(house.power_w)
        return found


powers = st.lists(st.integers(-9000, 9000), min_size=12, max_size=12)
offsets = st.fixed_dictionaries({name: st.integers(0, CYCLE_MS - 1) for name in ("a", "b", "meter")})


@given(powers, powers, offsets, st.integers(0, 900), st.integers(-9000, 9000))
def test_whatever_the_batteries_do_a_house_that_is_constant_is_seen_as_constant(
    a: list[int], b: list[int], read: dict[str, int], writes_ms: int, load_w: int
) -> None:
    rest = [0, 0]
    site = Site({"a": rest + a, "b": rest + b}, read, writes_ms, [load_w] * 14)
    assert site.seen() == [load_w] * 14


@given(powers, powers, offsets, st.integers(0, 900))
def test_a_load_that_changes_is_missed_by_no_more_than_the_batteries_moved(
    a: list[int], loads: list[int], read: dict[str, int], writes_ms: int
) -> None:
    rest = [0] * 4
    site = Site({"a": rest + a + [a[-1]] * 4}, read, writes_ms, [loads[0]] * 4 + loads + [loads[-1]] * 4)
    seen = site.seen()
    for cycle in range(1, len(seen)):
        load_w = site.load_w(site.read_ms("meter", START_MS + cycle * CYCLE_MS))
        lately = site.paths["a"][max(0, cycle - 4) : cycle + 1]
        assert abs(seen[cycle] - load_w) <= max(lately) - min(lately), cycle
    assert seen[-1] == loads[-1]  # it rests, and nothing is missed any more


def resting(now_ms: int, grid_w: int, **batteries: int) -> House:
    flows = {name: (Power(now_ms, power_w),) for name, power_w in batteries.items()}
    return step(House(), now_ms, Power(now_ms, grid_w), flows)


def test_a_load_is_seen_at_once_while_the_batteries_rest() -> None:
    before = resting(5000, 1000, a=500)
    assert before.power_w == 1500
    assert step(before, 6000, Power(6000, 4000), {"a": (Power(5900, 500),)}).power_w == 4500


def test_what_is_not_measured_makes_it_unknown_and_it_begins_anew() -> None:
    before = resting(5000, 1000, a=500, b=0)
    assert step(before, 6000, None, before.flows) == House()
    assert step(before, 6000, Power(6000, 0), {"a": (Power(6000, 500),), "b": ()}) == House()


def test_nothing_is_carried_across_a_gap_or_to_other_batteries() -> None:
    before = resting(5000, 1000, a=500)
    moved = {"a": (Power(5100, 3000),)}
    assert step(before, 5000 + GAP_MS, Power(5100, 1000), moved).power_w == 1500  # 500 or 3000: as it was
    assert step(before, 5001 + GAP_MS, Power(5100, 1000), moved).power_w == 4000
    other = {"b": (Power(5100, 0), Power(5100, 3000, told=True))}
    assert step(before, 6000, Power(5100, 1000), other).power_w == 1000
    assert step(before, 6000, Power(6000, 700), {}).power_w == 700


def test_what_was_told_shortly_before_a_measurement_may_have_come_to_pass_after_it() -> None:
    """2 kW, told 0 W just before it was read, and 1 kW before it is read again: in between it was at 0 W."""
    before = step(House(), 1000, Power(990, -2000), {"a": (Power(990, 2000), Power(500, 2000, told=True))})
    after = step(before, 2000, Power(1040, -2000), {"a": (Power(1040, 2000), Power(1020, 0, told=True))})
    last = step(after, 3000, Power(2040, 0), {"a": (Power(2045, 1000), Power(2041, 1000, told=True))})
    assert [house.power_w for house in (before, after, last)] == [0, 0, 0]


def test_what_is_remembered_is_bounded() -> None:
    house = House()
    for now_ms in range(10_000, 60_000, 100):  # the fastest cycle, a new power in each
        told = Power(now_ms - 50, now_ms, told=True)
        house = step(house, now_ms, Power(now_ms - 30, 0), {"a": (Power(now_ms - 20, now_ms), told)})
    assert len(house.flows["a"]) < 50
