"""What the profile of a relay board may not say, and how that is told."""

import pytest
from pydantic import ValidationError

from drivers.modbus.profile import ModbusProfile

BASE = {
    "driver": "modbus",
    "role": "relay",
    "vendor": "V",
    "model": "M",
    "sources": ["a", "b"],
    "proof": "simulated",
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "neither relays nor contacts"),
        ({"relays": {"1": {"coil": 4}, "2": {"coil": 4}}}, "4 of the coils is used twice"),
        (
            {
                "relays": {"1": {"coil": 4}},
                "contacts": {"emergency_stop": {"address": 4, "table": "coils"}},
            },
            "used twice",
        ),
        ({"relays": {"A b": {"coil": 4}}}, "match pattern"),
        ({"relays": {"1": {"coil": 65536}}}, "less than or equal to 65535"),
        ({"contacts": {"doorbell": {"address": 4}}}, "emergency_stop"),
        ({"relays": {"1": {"coil": 1}}, "cells": 3}, "no battery"),
        (
            {
                "relays": {"1": {"coil": 1}},
                "points": {"grid_power_w": {"address": 1, "type": "s16"}},
            },
            "relays and contacts, nothing else",
        ),
        (
            {
                "role": "meter",
                "relays": {"1": {"coil": 1}},
                "points": {"grid_power_w": {"address": 1, "type": "s16"}},
            },
            "only a device of the role relay",
        ),
    ],
)
def test_wrong_profiles_are_told(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModbusProfile.model_validate({**BASE, **more})


def test_the_same_address_of_two_tables_is_two_bits() -> None:
    both = {"relays": {"1": {"coil": 4}}, "contacts": {"emergency_stop": {"address": 4}}}
    assert ModbusProfile.model_validate({**BASE, **both})
