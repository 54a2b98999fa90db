"""What all tests share: Hypothesis profiles, and skips that CI turns into failures."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "gridseal", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gridseal")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("GRIDSEAL_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
