"""The plain form of a SunSpec profile: all that it says beyond its identity, and nothing else."""

import pickle
from dataclasses import asdict, fields

from drivers.profile import ProfileBase
from drivers.sunspec.profile import SunSpecProfile
from drivers.sunspec.settings import Settings
from tests.drivers.test_sunspec_binding import BASE


def test_the_driver_gets_all_that_was_said_as_a_plain_object_that_travels() -> None:
    said = {"base": 0, "battery_dc": "802", "ess_port_positive": "charge", "bank_positive": "discharge"}
    said |= {"meter_swapped": True, "meter_exported": "down"}
    said |= {"meter_positive": "export", "setpoint": "124", "timeout_s": 90, "charge_grid": True}
    said |= {"role": "inverter", "charge_max_w": 1, "discharge_max_w": 2, "islanding": "123"}
    settings = SunSpecProfile.model_validate(BASE | said).table()
    assert asdict(settings) == said
    assert pickle.loads(pickle.dumps(settings)) == settings
    own = set(SunSpecProfile.model_fields) - set(ProfileBase.model_fields) | {"role"}
    own -= {"recognise"}  # for who looks for such a device
    assert {field.name for field in fields(Settings)} == own
