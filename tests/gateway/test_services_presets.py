"""Presets of frequency response: points of each product's curve, and that only the power is left to give."""

import pytest

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, complete, presets, words
from tests.gateway.services_bench import MOST, power, wrong

KIND = ServiceKind.FREQUENCY
POWER_W = 10_000


@pytest.mark.parametrize(
    ("name", "points"),
    [
        # (Hz * 1000, % * 100 of the power)
        (
            "fcr",
            [(50_010, 0), (49_990, 0), (49_989, 550), (49_950, 2500), (49_900, 5000), (50_200, -10_000)],
        ),
        ("nordic-fcr-n", [(50_000, 0), (49_950, 5000), (49_900, 10_000), (50_100, -10_000)]),
        ("nordic-fcr-d-up", [(49_900, 0), (49_700, 5000), (49_500, 10_000), (50_500, 0)]),
        ("nordic-fcr-d-down", [(50_100, 0), (50_300, -5000), (50_500, -10_000), (49_500, 0)]),
        ("gb-dc", [(49_985, 0), (49_800, 500), (49_500, 10_000), (50_200, -500), (50_500, -10_000)]),
        ("gb-dm", [(49_985, 0), (49_900, 500), (49_800, 10_000), (50_200, -10_000)]),
        ("gb-dr", [(50_015, 0), (49_800, 10_000), (50_200, -10_000)]),
        ("gb-dc-low", [(49_500, 10_000), (50_500, 0)]),
        ("gb-dm-low", [(49_800, 10_000), (50_500, 0)]),
        ("gb-dr-high", [(49_800, 0), (50_500, -10_000)]),
        ("gb-dc-high", [(49_500, 0), (50_500, -10_000)]),
    ],
)
def test_points_of_the_curve(name: str, points: list[tuple[int, int]]) -> None:
    shape = {**presets.of(KIND, name), "power_w": POWER_W}
    assert [(mhz, power(KIND, shape, frequency_mhz=mhz)) for mhz, _ in points] == points


@pytest.mark.parametrize("deviation", range(11, 201))
def test_continental_fcr_follows_the_whole_deviation(deviation: int) -> None:
    shape = {**presets.of(KIND, "fcr"), "power_w": 200_000}
    assert power(KIND, shape, frequency_mhz=50_000 - deviation) == 1000 * deviation


@pytest.mark.parametrize("name", presets.PRESETS)
def test_each_is_in_order_and_lacks_only_the_power(name: str) -> None:
    preset = presets.PRESETS[name]
    kind = preset.kind
    assert preset.title and preset.source
    assert "power_w" not in preset.parameters
    assert wrong(kind, {**preset.parameters, "power_w": POWER_W}) == ""
    found = words.parameters(kind, {"power": "10 kW"}, presets.of(kind, name))
    one_sided = {"up": Limits(0, POWER_W), "low": Limits(0, POWER_W)} | dict.fromkeys(
        ("down", "high"), Limits(POWER_W, 0)
    )
    both = Limits(0 if kind is ServiceKind.TRIGGERED else POWER_W, POWER_W)
    expected = one_sided.get(name.rsplit("-", 1)[-1], both)
    assert LAWS[kind].reach(complete(kind, found), MOST) == expected


@pytest.mark.parametrize("name", [name for name in presets.PRESETS if name.startswith("nordic-ffr")])
def test_nordic_ffr_supports_as_long_as_its_fade_demands(name: str) -> None:
    """5 s of the whole power where at most 20 % are taken back a second, else 30 s; armed in 15 minutes."""
    ffr = presets.of(ServiceKind.TRIGGERED, name)
    slow = ffr["fade_s"] >= 5
    assert ffr["support_s"] - 1.3 >= (5 if slow else 30)
    assert ffr["rearm_s"] <= 900 and ffr["support_s"] + ffr["fade_s"] <= 900
    assert slow != name.endswith("-long")
    assert f"{ffr['trigger_mhz'] / 1000:.1f}" in name


def test_no_name_is_no_preset_and_a_wrong_one_is_told() -> None:
    assert presets.of(ServiceKind.RESERVE, None) == {}
    with pytest.raises(ValueError, match=r"frequency has no preset 'fcrx'; it has: fcr, "):
        presets.of(KIND, "fcrx")
    with pytest.raises(ValueError, match=r"triggered has no preset 'fcr'; it has: nordic-ffr-49.7, "):
        presets.of(ServiceKind.TRIGGERED, "fcr")
    with pytest.raises(ValueError, match=r"reserve has no presets"):
        presets.of(ServiceKind.RESERVE, "fcr")
