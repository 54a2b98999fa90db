"""The expected failures: what each is a kind of, and what it says to a person."""

import pytest

from gateway import errors
from gateway.errors import (
    ChainError,
    ConfigError,
    DeviceRefused,
    FrameError,
    GridsealError,
    LinkError,
    Problem,
    ServiceRefused,
    StoreError,
    Unidentified,
)

HERE = Problem("site.yaml", 3, 12, "unknown key 'grid imprt'", "did you mean 'grid import'?")


def test_a_problem_is_one_line_that_an_editor_can_jump_to():
    assert str(HERE) == "site.yaml:3:12: unknown key 'grid imprt' (did you mean 'grid import'?)"
    assert str(Problem("a", 1, 2, "is wrong")) == "a:1:2: is wrong"


def test_a_config_error_says_every_problem_or_its_one_sentence():
    other = Problem("site.yaml", 9, 1, "is missing")
    found = ConfigError("", (HERE, other))
    assert str(found).splitlines() == [str(HERE), str(other)]
    assert found.problems == (HERE, other)
    alone = ConfigError("site.yaml: cannot be read")
    assert (str(alone), alone.problems) == ("site.yaml: cannot be read", ())


def test_a_refusal_keeps_the_devices_code():
    refused = DeviceRefused("illegal data address", 2)
    assert (str(refused), refused.code) == ("illegal data address", 2)


@pytest.mark.parametrize("kind", [FrameError, DeviceRefused, Unidentified])
def test_what_a_wire_does_is_handled_as_a_link(kind):
    """The device task retries LinkError: a bad frame and a refusal must not end the daemon."""
    assert issubclass(kind, LinkError)


def test_kinds_that_are_handled_differently_are_no_kind_of_each_other():
    kinds = (ConfigError, LinkError, StoreError, ChainError, ServiceRefused)
    assert all(one is other or not issubclass(one, other) for one in kinds for other in kinds)


def test_all_are_expected_and_none_hides_a_bug_or_a_standard_error():
    """`except OSError` or `except ValueError` must never take one of these by accident."""
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(found) == 9
    for kind in found:
        assert issubclass(kind, GridsealError)
        assert not issubclass(kind, (OSError, ValueError, RuntimeError, LookupError))
