"""A target divided: parts add up, never against each other, inside what each may do while there is room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits
from gateway.split import Member, split

members = st.lists(
    st.builds(
        Member,
        st.builds(Limits, st.integers(0, 12_000), st.integers(0, 12_000)),
        st.integers(0, 30_000),
        st.integers(0, 30_000),
    ),
    min_size=1,
    max_size=6,
)


@given(st.integers(-40_000, 40_000), members)
def test_the_parts_add_up_and_never_have_the_other_sign(target_w: int, found: list[Member]) -> None:
    parts = split(target_w, found)
    assert sum(parts) == target_w
    assert all(part * target_w >= 0 for part in parts)


@given(st.integers(-40_000, 40_000), members)
def test_nobody_gets_more_than_it_may_do_while_another_has_room(target_w: int, found: list[Member]) -> None:
    rooms = [m.room.discharge_w if target_w > 0 else m.room.charge_w for m in found]
    parts = [abs(part) for part in split(target_w, found)]
    over = [part - room for part, room in zip(parts, rooms, strict=True) if part > room]
    spare = sum(max(0, room - part) for part, room in zip(parts, rooms, strict=True))
    assert sum(over) == max(0, abs(target_w) - sum(rooms))
    assert not over or spare == 0


def test_energy_decides_and_power_bounds() -> None:
    plenty = Limits(10_000, 10_000)
    full, low = Member(plenty, 9000, 1000), Member(plenty, 3000, 7000)
    assert split(4000, [full, low]) == [3000, 1000]
    assert split(-4000, [full, low]) == [-500, -3500]
    small = Member(Limits(10_000, 1500), 9000, 1000)
    assert split(4000, [small, low]) == [1500, 2500]


def test_the_watts_that_rounding_leaves_go_where_there_is_room() -> None:
    small, large = Member(Limits(0, 1000), 5000, 1), Member(Limits(0, 9000), 5000, 1)
    assert split(10_001, [small, large, large]) == [1000, 4501, 4500]


@given(st.integers(-9000, 9000), st.lists(st.integers(1, 30_000), min_size=1, max_size=5))
def test_with_room_for_all_each_gets_its_part_of_the_energy(target_w: int, energies: list[int]) -> None:
    found = [Member(Limits(9000, 9000), energy, energy) for energy in energies]
    for part, energy in zip(split(target_w, found), energies, strict=True):
        assert abs(part - target_w * energy / sum(energies)) <= len(found)


def test_an_unknown_energy_is_no_empty_battery() -> None:
    one, other = Member(Limits(0, 6000)), Member(Limits(0, 3000), 1, 1)
    assert split(3000, [one, other]) == [2000, 1000]


@pytest.mark.parametrize("target_w", [0, 500, -500])
def test_without_room_the_first_is_asked_so_that_its_limits_say_why(target_w: int) -> None:
    assert split(target_w, [Member(Limits(0, 0)), Member(Limits(0, 0))]) == [target_w, 0]


def test_who_has_no_room_is_left_out() -> None:
    assert split(1000, [Member(Limits(0, 0), 5, 5), Member(Limits(0, 900), 5, 5)]) == [0, 1000]
    assert split(1000, []) == []
