"""Parameters as people write them: every law can be written, and every mistake is told in one sentence."""

import pytest

from gateway.model import Command, ServiceKind, Source
from gateway.services import LAWS, problem, words


def test_words_have_units_and_names_without_them() -> None:
    found = words.parameters(ServiceKind.FIXED_POWER, {"power": "-3 kW"})
    assert found == {"power_w": -3000}
    found = words.parameters(ServiceKind.FREQUENCY, {"power": "5 kW", "deadband": "10 mHz", "full": "0.2 Hz"})
    assert (found["power_w"], found["deadband_mhz"], found["full_mhz"]) == (5000, 10, 200)
    assert problem(Command("00" * 32, Source.OPERATOR, ServiceKind.FREQUENCY, 0, 1, found)) == ""


def test_what_is_left_out_is_at_its_default_and_words_go_before_a_base() -> None:
    assert words.parameters(ServiceKind.PEAK_SHAVING, {"import": "8 kW"}) == {"import_w": 8000, "power_w": 0}
    base = {"import_w": 1, "power_w": 2}
    assert words.parameters(ServiceKind.PEAK_SHAVING, {"import": "8 kW"}, base) == {
        "import_w": 8000,
        "power_w": 2,
    }


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (ServiceKind.FIXED_POWER, {}, "fixed-power needs power"),
        (ServiceKind.FIXED_POWER, {"colour": "red"}, "fixed-power has no 'colour'; it takes: power"),
        (ServiceKind.ISLAND, {"power": "1 kW"}, "island has no 'power'; it takes: nothing"),
        (ServiceKind.FIXED_POWER, {"powr": "1 kW"}, "fixed-power has no 'powr'; did you mean 'power'?"),
        (ServiceKind.FIXED_POWER, {"power": "3"}, "power: '3' has no unit"),
        (ServiceKind.FIXED_POWER, {"power": "3 V"}, "power: '3 V' has the unknown unit"),
        (ServiceKind.PEAK_SHAVING, {"import": "-1 kW"}, "outside"),
        (
            ServiceKind.FREQUENCY,
            {"power": "1 kW", "deadband": "20 mHz", "full": "10 mHz"},
            "greater than deadband",
        ),
    ],
)
def test_mistakes_are_told(kind: ServiceKind, given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        words.parameters(kind, given)


@pytest.mark.parametrize("kind", LAWS)
def test_every_parameter_of_every_law_can_be_written(kind: ServiceKind) -> None:
    """Its unit is one that people write, so that no law is out of their reach."""
    for name in LAWS[kind].parameters:
        word, unit = words.split(name)
        assert word, name
        assert unit in words.SCALES or unit in ("code", "count"), name
    assert len(words.usage(kind).split()) == len(LAWS[kind].parameters)
    assert len({words.split(name)[0] for name in LAWS[kind].parameters}) == len(LAWS[kind].parameters)
