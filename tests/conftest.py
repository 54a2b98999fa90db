"""What all tests share: Hypothesis profiles, and skips that CI turns into failures."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "gridseal", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
# For `make mutants`: that a test fails is all that is asked, not by how little.
settings.register_profile(
    "unshrunk", settings.get_profile("gridseal"), phases=[Phase.explicit, Phase.generate], database=None
)
settings.load_profile("gridseal")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("GRIDSEAL_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
