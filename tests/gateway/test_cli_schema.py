"""The JSON schemas as an editor uses them, by a validator of others: what ships is right, a slip is seen."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "drivers/profiles").glob("*.yaml"))
SLIPS = {
    "an unknown key": ("    poll: 1 s", "    pol: 1 s", ["devices", "inverter"]),
    "a value without its unit": ("charge: 5 kW", "charge: 5", ["site", "limits", "charge"]),
    "a number out of its range": ("unit: 200", "unit: 999", ["devices", "meter", "unit"]),
    "a word that is none": ("platform: storage", "platform: storrage", ["chain"]),
}


def wrong(schema: str, said: object) -> list[list[str | int]]:
    """Where an editor would draw its red line."""
    text = (ROOT / "config" / f"{schema}.schema.json").read_text()
    validator = jsonschema_rs.Draft202012Validator(json.loads(text))
    return [error.instance_path for error in validator.iter_errors(said)]


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_shipped_profile_is_right(path):
    said = yaml.safe_load(path.read_text())
    assert wrong(f"profile.{said['driver']}", said) == []


@pytest.mark.parametrize("name", ["site", "fleet"])
def test_a_shipped_example_is_right(name):
    assert wrong(name, yaml.safe_load((ROOT / "config" / f"{name}.example.yaml").read_text())) == []


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_seen_where_it_is(slip):
    before, after, where = SLIPS[slip]
    text = (ROOT / "config/site.example.yaml").read_text()
    assert before in text
    assert where in wrong("site", yaml.safe_load(text.replace(before, after, 1)))
