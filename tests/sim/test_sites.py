"""The sites of the seeded world are of every device that is commanded, and seeds meet them all."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from rig.devices import DEVICES

from tests.sim import sites
from tests.sim.judge import TIMER_S
from tests.sim.sites import DECK, SITES

PROFILES = Path(__file__).parents[2] / "drivers/profiles"
LATCHING = frozenset({"latching", "latching-eeprom"})
WITHIN = 40  # seeds


@cache
def commanded() -> dict[str, dict[str, object]]:
    """What is shipped and takes a setpoint, by name."""
    read = {path.stem: yaml.safe_load(path.read_text()) for path in PROFILES.glob("*.yaml")}
    return {name: profile for name, profile in read.items() if profile.get("setpoint")}


@pytest.mark.parametrize("name", commanded())
def test_every_profile_that_takes_setpoints_has_a_twin_and_a_site_of_its_own(name: str) -> None:
    site = SITES[name]
    assert f"profile: {name}," in site.devices
    [battery] = site.batteries
    if commanded()[name]["driver"] == "modbus":
        assert battery.kind == name, "its own registers"
    assert battery.kind in DEVICES


@pytest.mark.parametrize("name", [n for n, p in commanded().items() if p["driver"] == "modbus"])
def test_only_a_device_that_latches_may_keep_a_power_without_end(name: str) -> None:
    setpoint = commanded()[name]["setpoint"]
    assert isinstance(setpoint, dict)
    timer_s = TIMER_S[name]
    assert (timer_s is None) == (setpoint["class"] in LATCHING)
    assert timer_s is None or timer_s <= setpoint.get("ends_s", setpoint["timeout_s"])


def test_as_many_seeds_as_the_deck_has_cards_meet_every_site() -> None:
    assert len(DECK) <= WITHIN
    for first in (0, 17, 5_000):
        met = Counter(sites.of(seed) for seed in range(first, first + len(DECK)))
        assert met == {name: site.weight for name, site in SITES.items()}


def test_several_batteries_of_one_site_end_their_powers_in_different_ways() -> None:
    several = [
        {TIMER_S[b.kind] for b in site.batteries} for site in SITES.values() if len(site.batteries) > 1
    ]
    assert sum(None in timers and len(timers) > 1 for timers in several) >= 3
