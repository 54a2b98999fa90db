"""The judges of the site find what they are there for, and leave alone what is right."""

from collections.abc import Iterable

import pytest
from rig.devices import make
from rig.faults import Fault, Faults
from rig.witness import Entry

from gateway.model import ServiceKind
from tests.sim import judge
from tests.sim.court import APART_MS, APART_W, Court
from tests.sim.island_judge import SICK_MS, STABLE_MS, IslandJudge
from tests.sim.meter_judge import FOUND_MS, HELD_MS, LEARNT_MS, Limit, MeterJudge, Seen
from tests.sim.rigged import Battery, Part
from tests.sim.sites import SITES
from tests.sim.var_judge import VarJudge

WALL_MS = 1_000_000_000
WATTS, VARS = 40_660, 40_673  # registers


class Wrong(list[str]):
    """The kinds of what was complained of."""

    def __call__(self, kind: str, text: str) -> None:
        del text
        self.append(kind)


def entry(at_ms: int, power_w: int | None, var: int = 0, *, address: int = WATTS) -> Entry:
    return Entry(at_ms, 1, address, (0,), power_w, 10_000, 10_000, outside=False, var=var)


# -- the meter ------------------------------------------------------------------------------------------


def meter(houses: Iterable[int], *, sick: bool = False, battery_w: int = 0) -> tuple[MeterJudge, Wrong]:
    """A judge that saw a house each second up to now, which is at 60 s. Limits: import 3 kW, no export."""
    wrong, seen = Wrong(), list(houses)
    made = MeterJudge(Limit(3000, 0), wrong)
    made.began(0)
    for number, house_w in enumerate(seen):
        at_ms = 60_000 - 1000 * (len(seen) - 1 - number)
        made.saw(Seen(at_ms, (house_w, house_w), battery_w, sick), 0)
    return made, wrong


@pytest.mark.parametrize(
    ("power_w", "wrong"), [(1100, []), (1300, ["grid"]), (-2100, []), (-2300, ["grid"])], ids=str
)
def test_in_a_house_that_is_still_no_power_takes_the_meter_beyond_a_limit(
    power_w: int, wrong: list[str]
) -> None:
    judged, found = meter([1000] * 20)
    judged.wrote(60_500, power_w)
    assert found == wrong


def test_a_load_that_stepped_is_not_known_at_once_but_soon() -> None:
    judged, found = meter([*[4000] * 19, 1000])
    judged.wrote(60_500, 3900)  # decided on what was measured before
    assert found == []
    judged, found = meter([*[4000] * 15, *[1000] * 5])
    judged.wrote(60_500, 3900)
    assert found == ["grid"]
    judged, found = meter([*[4000] * 15, *[1000] * 5], sick=True)
    judged.wrote(60_500, 3900)
    assert found == [], "by a wire that loses answers, what was measured before is still good"


def test_while_the_house_changes_the_swing_of_the_battery_is_forgiven() -> None:
    judged, found = meter([*[1000] * 19, 1200])
    judged.saw(Seen(60_400, (1200, 1200), 800), 0)
    judged.wrote(60_500, 1900)
    assert found == []
    judged.wrote(60_600, 2300)
    assert found == ["grid"]


@pytest.mark.parametrize(("seconds", "found"), [(HELD_MS // 1000, False), (HELD_MS // 1000 + 8, True)])
def test_a_power_that_is_merely_held_is_given_up_in_time(seconds: int, found: bool) -> None:
    judged, wrong = meter([3000] * 20, battery_w=3000)
    for number in range(1, seconds):
        judged.saw(Seen(60_000 + 1000 * number, (500, 500), 3000), 3000)
    assert bool(wrong) == found


def test_the_newest_limit_counts_from_when_it_surely_holds_until_it_is_over_or_cut() -> None:
    judged, _ = meter([])
    judged.ordered(Limit(1000, 0, 10_000, 90_000))
    judged.ordered(Limit(2000, 0, 20_000, 40_000))
    asked = [judged.limit(at_ms).import_w for at_ms in (9_000, 12_000, 30_000, 50_000)]
    assert asked == [3000, 1000, 2000, 3000], "the one that was replaced does not come back"
    judged.ordered(Limit(8000, 8000, 50_000, 90_000))
    assert judged.limit(60_000) == Limit(3000, 0), "an order only narrows"
    judged.ordered(Limit(500, 0, 50_000, 90_000))
    judged.cut()
    assert judged.limit(60_000).import_w == 3000


def test_what_shows_the_same_for_ever_is_believed() -> None:
    judged, wrong = meter([1000] * 19)
    judged.saw(Seen(60_000, (1000, 1000), 0, stuck=True), 0)
    judged.wrote(60_500, 5000)
    assert wrong == []


@pytest.mark.parametrize(("power_w", "found"), [(1100, []), (1140, ["grid"])], ids=str)
def test_what_conversion_loses_is_forgiven_until_it_can_have_been_learned(
    power_w: int, found: list[str]
) -> None:
    judged, wrong = meter([1000] * 20)
    for number in range(1, LEARNT_MS // 1000 + 5):
        judged.saw(Seen(60_000 + 1000 * number, (1000, 1000), power_w), power_w)
        assert wrong[:1] == ([] if number * 1000 <= LEARNT_MS + 1000 else found)


@pytest.mark.parametrize(("battery_w", "found"), [(1000, []), (1300, ["grid"])], ids=str)
def test_a_meter_that_stands_still_is_to_be_found_out_by_the_battery(
    battery_w: int, found: list[str]
) -> None:
    judged, wrong = meter([1000] * 20)
    judged.saw(Seen(61_000, (1000, 1000), 0, stuck=True, frozen=True), 300)
    for number in range(1, FOUND_MS // 1000 + 3):
        assert not wrong
        judged.saw(Seen(61_000 + 1000 * number, (1000, 1000), battery_w, stuck=True, frozen=True), 300)
    assert wrong == found
    wrong.clear()
    judged.saw(Seen(90_000, (1000, 1000), 0, stuck=True), 0)  # nothing is told any more
    judged.saw(Seen(91_000, (1000, 1000), battery_w, stuck=True, frozen=True), 300)
    assert not wrong


# -- the island -----------------------------------------------------------------------------------------


def island(lost_ms: int = 60_000) -> tuple[IslandJudge, Wrong]:
    wrong = Wrong()
    made = IslandJudge(wrong)
    made.began(0)
    made.lost(lost_ms)
    return made, wrong


@pytest.mark.parametrize(("after_ms", "wrong"), [(2000, []), (4000, ["island"])], ids=str)
def test_no_power_in_an_island_once_it_is_known(after_ms: int, wrong: list[str]) -> None:
    judged, found = island()
    judged.wrote(60_000 + after_ms)
    assert found == wrong
    judged.saw(60_000 + after_ms, told=True, sick=False)
    assert found == wrong * 2


@pytest.mark.parametrize(("after_ms", "wrong"), [(STABLE_MS - 1, ["island"]), (STABLE_MS, [])], ids=str)
def test_nor_in_the_minute_after_it(after_ms: int, wrong: list[str]) -> None:
    judged, found = island()
    judged.saw(70_000, told=False, sick=False)
    judged.back(80_000)
    judged.wrote(80_000 + after_ms)
    assert found == wrong
    assert judged.outages == 1


def test_who_cannot_know_of_an_outage_is_not_blamed() -> None:
    judged, found = island()
    judged.saw(60_000, told=False, sick=True)  # nobody can ask the device
    judged.wrote(60_000 + SICK_MS)
    judged.back(61_000 + SICK_MS)
    judged.wrote(70_000 + SICK_MS)
    judged.lost(100_000 + SICK_MS)
    judged.saw(101_000 + SICK_MS, told=False, sick=True)  # what it knew is another outage
    judged.back(102_000 + SICK_MS)
    judged.wrote(103_000 + SICK_MS)
    judged, found_later = island()
    judged.saw(70_000, told=False, sick=False)
    judged.back(80_000)
    judged.ended(stored=False)
    judged.began(85_000)
    judged.wrote(90_000)
    assert found == found_later == []


def test_what_one_life_knew_of_an_outage_the_next_knows_too() -> None:
    judged, found = island()
    judged.saw(70_000, told=False, sick=False)
    judged.back(80_000)
    judged.ended()
    judged.began(85_000)
    judged.wrote(90_000)
    assert found == ["island"]


# -- reactive power -------------------------------------------------------------------------------------


def var_judge() -> VarJudge:
    """After its fallback; an order of 2000 var from 1 s to 61 s. Rating 4000 var, 5000 VA."""
    made = VarJudge(4000, 60, apparent_va=5000, addresses=frozenset({VARS}))
    made.began(0, WALL_MS, {})
    made.wrote(entry(100, None, address=VARS))
    given = judge.order(
        "a", ServiceKind.REACTIVE, {"reactive_var": 2000, "power_factor_bp": 0}, (WALL_MS, WALL_MS + 60_000),
        5000, shared=False,
    )  # fmt: skip
    made.asked_var(given, 1000, WALL_MS, admitted=True)
    return made


@pytest.mark.parametrize(
    ("at_ms", "var", "power_w", "kinds"),
    [
        (10_000, 2000, 0, 0),
        (10_000, 2000, 4500, 0),  # sqrt(5000² - 4500²) = 2179
        (10_000, 2000, 4600, 1),
        (10_000, 2500, 0, 1),
        (10_000, -2000, 0, 1),
        (500, 2000, 0, 1),
        (63_000, 2000, 0, 1),
    ],
    ids=str,
)
def test_var_are_those_of_an_order_and_leave_room_for_the_power(
    at_ms: int, var: int, power_w: int, kinds: int
) -> None:
    judged = var_judge()
    judged.wrote(entry(at_ms - 200, power_w))
    judged.wrote(entry(at_ms, power_w, var, address=VARS))
    assert judged.kinds["var"] == kinds, judged.wrong


def test_more_var_than_the_rating_are_found() -> None:
    judged = var_judge()
    judged.asked_var(
        judge.order(
            "b", ServiceKind.VOLTAGE, {"limit_var": 4500}, (WALL_MS, WALL_MS + 60_000), 5000, shared=False
        ),
        1000, WALL_MS, admitted=True,
    )  # fmt: skip
    judged.wrote(entry(5_000, 0, -4000, address=VARS))
    assert judged.wrong == []
    judged.wrote(entry(6_000, 0, -4100, address=VARS))
    assert judged.kinds["var"] == 1


def test_var_that_a_predecessor_left_are_to_be_ended_at_the_start() -> None:
    judged = var_judge()
    judged.wrote(entry(5_000, 0, 2000, address=VARS))
    judged.ended()
    judged.began(100_000, WALL_MS + 100_000, {})
    judged.saw(101_000, 2000, sick=False, soc_bp=5000)
    assert judged.kinds["var"] == 0
    for at_ms in range(102_000, 130_000, 1000):
        judged.saw(at_ms, 2000, sick=False, soc_bp=5000)
    assert judged.kinds["var"] > 0


# -- several batteries ----------------------------------------------------------------------------------


def court(power_w: int = 5000) -> Court:
    """A pair, both in their fallback; an order from 1 s on."""
    batteries = SITES["pair"].batteries
    parts = [
        Part(f"tcp://{number}", make(b.kind, spec=b.spec), None, "") for number, b in enumerate(batteries)
    ]
    made = Court(SITES["pair"], parts)
    made.began(0, WALL_MS, {})
    for member in (0, 1):
        made.wrote(member, entry(100, None))
    parameters = {"power_w": power_w}
    window = (WALL_MS + 1000, WALL_MS + 600_000)
    given = judge.order("a", ServiceKind.FIXED_POWER, parameters, window, 5000, shared=False)
    made.asked(given, 1000, WALL_MS + 1000, admitted=True)
    return made


def climb(made: Court, member: int, power_w: int, at_ms: int) -> None:
    for step_w in range(1000, power_w + 1, 1000):
        made.wrote(member, entry(at_ms + step_w, step_w))


def test_each_within_its_order_may_be_too_much_together() -> None:
    made = court(3000)
    climb(made, 0, 2000, 2_000)
    made.wrote(1, entry(6_000, 1000))
    assert made.wrong == []
    made.wrote(1, entry(7_000, 1100))
    assert made.kinds == {"sum": 1}


def parted(*thirds: tuple[int, int, int]) -> Court:
    """A device whose power comes in three registers; each third: when, which, and the power that results."""
    site = SITES["victron_gx_3p"]
    [battery] = site.batteries
    made = Court(site, [Part("tcp://0", make(battery.kind), None, "")])
    made.began(0, WALL_MS, {})
    made.wrote(0, entry(100, None, address=41))
    window = (WALL_MS, WALL_MS + 600_000)
    given = judge.order("a", ServiceKind.FIXED_POWER, {"power_w": 1500}, window, 5000, shared=False)
    made.asked(given, 100, WALL_MS + 100, admitted=True)
    for at_ms, address, power_w in thirds:
        made.wrote(0, entry(at_ms, power_w, address=address))
    return made


@pytest.mark.parametrize(
    ("thirds", "found"),
    [
        (((2000, 37, 300), (2005, 40, 600), (2010, 41, 900)), {}),
        (((2000, 37, 600), (2005, 40, 1200), (2010, 41, 1800)), {"ramp": 1, "overrun": 1}),
        (((2000, 37, 2000),), {"ramp": 1, "overrun": 1}),
        (((2000, 41, 900), (3000, 37, 600)), {}),
    ],
)
def test_a_power_in_parts_is_judged_when_it_is_whole_or_nothing_follows(
    thirds: tuple[tuple[int, int, int], ...], found: dict[str, int]
) -> None:
    made = parted(*thirds)
    made._left_in_parts(10_000)
    assert made.kinds == found


def test_a_grid_limit_that_is_asked_for_again_holds_no_longer_than_it_did() -> None:
    made, kind = court(), ServiceKind.GRID_LIMIT
    parameters = {"import_w": 500, "export_w": 0}
    window = (WALL_MS + 2000, WALL_MS + 600_000)
    given = judge.order("b", kind, parameters, window, 5000, shared=False)
    made.asked(given, 2000, WALL_MS + 2000, admitted=True)
    assert made.meter.limit(20_000).import_w == 500
    made.ended()
    made.began(30_000, WALL_MS + 30_000, {"b": "interrupted"})
    made.asked(given, 40_000, WALL_MS + 40_000, admitted=True)  # as it was answered then: it is over
    assert made.meter.limit(50_000).import_w == SITES["pair"].import_w


def test_what_one_held_before_the_daemon_began_is_not_known_to_it() -> None:
    made = court(3000)
    climb(made, 0, 2000, 2_000)
    made.ended()
    made.began(10_000, WALL_MS + 10_000, {"a": "admitted"})
    made.wrote(1, entry(10_100, None))
    made.wrote(1, entry(12_000, 1000))
    made.wrote(1, entry(13_000, 1900))
    assert made.kinds["sum"] == 0


@pytest.mark.parametrize(
    ("battery_w", "for_ms", "wrong"),
    [(0, APART_MS, False), (0, APART_MS + 2000, True), (2000 - APART_W, APART_MS + 2000, False)],
    ids=str,
)
def test_a_battery_that_does_something_else_is_given_up(battery_w: int, for_ms: int, wrong: bool) -> None:
    made = court()
    climb(made, 1, 2000, 2_000)
    for at_ms in range(5_000, 5_000 + for_ms, 1000):
        made._heeds(made.told[1], at_ms, battery_w, judged=True)
    assert bool(made.kinds["failed"]) == wrong
    made.kinds.clear()
    made._heeds(made.told[1], 90_000, battery_w, judged=False)  # its wire is cut
    made._heeds(made.told[1], 91_000, battery_w, judged=True)
    assert not made.kinds


def test_a_stop_and_the_end_of_a_life_are_told_to_all() -> None:
    made = court()
    made.stopped(2_000)
    made.wrote(1, entry(4_000, 900))
    made.ended()
    made.wrote(0, entry(5_000, 900))
    assert made.kinds["while_stopped"] == 2 and made.kinds["written_dead"] == 1


def test_a_promise_that_was_lost_is_counted_once() -> None:
    made = court()
    made.kept({"a": "refused"})
    assert made.kinds == {"lost": 1}


def test_what_a_device_was_not_allowed_is_found() -> None:
    made = court()
    made.wrote(0, Entry(4_000, 1, WATTS, (0,), 900, 0, 800, outside=True))
    assert made.kinds["outside"] == 1


def test_all_wires_are_looked_at_each_second() -> None:
    made = court()
    for part in made.parts:
        part.plant.advance(0)
    wires = [Faults() for _ in range(3)]
    wires[2].add(Fault("stuck"))
    made.saw(1_000, wires)
    (seen,) = made.meter._trail
    assert seen.sick and seen.stuck and not seen.frozen
    for told in made.told:
        told.reached, told.power_w = True, 500
    made._saw_one = lambda *_, **__: None
    made.saw(2_000, wires)
    assert made.meter._trail[-1].frozen
    wires[0].add(Fault("silence"))
    made.saw(3_000, wires)
    assert not made.meter._trail[-1].frozen
    assert Battery("sunspec").var_max == 6000
