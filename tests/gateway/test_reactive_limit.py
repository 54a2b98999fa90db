"""Reactive power beside active power: never beyond the rating, never away from what was asked."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.beside_model import ReactiveSpec
from gateway.model import Cause
from gateway.reactive_limit import bounded, divided, room

SPEC = ReactiveSpec(6_000, 10_000, 60, step_var=10)
VARS = st.integers(-(10**9), 10**9)
PLATES = st.integers(0, 10**8)


def test_what_fits_is_given_as_asked() -> None:
    assert bounded(4_000, SPEC, 3_000) == (4_000, ())
    assert bounded(-4_000, SPEC, -3_000) == (-4_000, ())
    assert bounded(0, SPEC, None) == (0, ())


def test_active_power_comes_first() -> None:
    assert bounded(6_000, SPEC, 8_000) == (6_000, ())
    assert bounded(6_000, SPEC, 9_000) == (4_350, (Cause.INVERTER, Cause.ROUNDING))  # sqrt(19e6) = 4358
    assert bounded(-6_000, SPEC, -9_000)[0] == -4_350
    assert bounded(500, SPEC, 10_000) == (0, (Cause.INVERTER,))
    assert bounded(500, SPEC, 12_000) == (0, (Cause.INVERTER,))


def test_the_rating_and_the_step_are_causes() -> None:
    assert bounded(7_000, SPEC, 0) == (6_000, (Cause.INVERTER,))
    assert bounded(-1_239, SPEC, 0) == (-1_230, (Cause.ROUNDING,))


def test_beside_an_unknown_active_power_there_is_none() -> None:
    assert bounded(-500, SPEC, None) == (0, (Cause.STALE_LIMIT,))
    unrated = ReactiveSpec(6_000, 0, 60)
    assert bounded(-7_000, unrated, None) == (-6_000, (Cause.INVERTER,))


@given(VARS, PLATES, PLATES, st.integers(1, 5_000), st.none() | VARS)
def test_it_is_never_more_than_the_rating_nor_than_was_asked(
    var: int, most: int, apparent: int, step: int, active_w: int | None
) -> None:
    spec = ReactiveSpec(most, apparent, 60, step)
    held, causes = bounded(var, spec, active_w)
    assert abs(held) <= min(abs(var), most) and held * var >= 0 and held % step == 0
    assert not apparent or not held or held**2 + (active_w or 0) ** 2 <= apparent**2
    assert (held == var) == (not causes)
    assert room(spec, 0) <= most


@given(VARS, st.lists(PLATES, max_size=6))
def test_parts_add_up_and_none_is_given_more_than_its_share_needs(var: int, most: list[int]) -> None:
    parts = divided(var, most)
    assert len(parts) == len(most)
    if sum(most):
        assert sum(parts) == var
        assert all(part * var >= 0 and (own or not part) for part, own in zip(parts, most, strict=True))
    if abs(var) <= sum(most):
        assert all(abs(part) <= own for part, own in zip(parts, most, strict=True))
    assert any(most) or not any(parts)
