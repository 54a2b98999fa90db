"""Setpoints as writes to nodes."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua import sequence
from drivers.opcua.codec import Field
from drivers.opcua.node import Node
from drivers.opcua.sequence import Write
from drivers.opcua.table import Step


def node(name):
    return Node("urn:x", "s", name)


def step(value, name, type_, scale=Fraction(1), when=("charge", "zero", "discharge")):
    return Step(value, Field(str(value), node(name), type_, scale), when)


SIGNED = (step("power", "P", "Double", Fraction(-1000)), step(2, "Mode", "Int32"))
APART = (
    step(1, "Mode", "Byte", when=("charge",)),
    step(2, "Mode", "Byte", when=("discharge",)),
    step(0, "Mode", "Byte", when=("zero",)),
    step("charge_power", "In", "UInt16", Fraction(10)),
    step("discharge_power", "Out", "UInt16", Fraction(10)),
)


def test_a_signed_power_in_kilowatts_and_a_constant():
    assert sequence.writes(SIGNED, -1500, 0, 0) == (
        Write(node("P"), "Double", 1.5),
        Write(node("Mode"), "Int32", 2),
    )


def test_directions_choose_their_steps():
    assert [w.value for w in sequence.writes(APART, -1234, 0, 0)] == [1, 123, 0]
    assert [w.value for w in sequence.writes(APART, 1234, 0, 0)] == [2, 0, 123]
    assert [w.value for w in sequence.writes(APART, 0, 0, 0)] == [0, 0, 0]


@pytest.mark.parametrize(("type_", "values"), [("Boolean", [True, False, True]), ("Byte", [255, 0, 1])])
def test_a_heartbeat_is_another_each_time(type_, values):
    beat = (step("count", "Beat", type_),)
    assert [sequence.writes(beat, 0, 0, count)[0].value for count in (255, 256, 257)] == values


def test_a_time_longer_than_its_node_is_cut():
    assert sequence.writes((step("timeout_s", "T", "Byte"),), 0, 900, 0)[0].value == 255


def test_what_a_node_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="outside what UInt16"):
        sequence.writes(APART, 10**6, 0, 0)


def test_the_step_is_that_of_the_coarsest_node():
    assert sequence.step_w(APART) == 10
    assert sequence.step_w(SIGNED) == 1


@given(st.integers(-2_000_000, 2_000_000), st.sampled_from([SIGNED, APART, SIGNED + APART]))
def test_a_quantised_power_is_the_same_again_and_never_more(power_w, steps):
    held = sequence.quantise(steps, power_w)
    assert abs(held) <= abs(power_w) and held * power_w >= 0
    assert sequence.quantise(steps, held) == held
    sequence.writes(steps, held, 0, 0)
