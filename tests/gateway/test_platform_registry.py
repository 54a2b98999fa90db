"""Platform `registry`: devices, alerts and figures as the contracts take them; no serial number leaves."""

from dataclasses import replace

import pytest
from eth_abi.abi import decode
from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics import period
from gateway.analytics.figures import Alert, AlertCode, Severity
from gateway.analytics.tally import Tally
from gateway.chain.platforms import platform, registry
from gateway.chain.platforms.calls import STATES, DeviceFacts, Facts
from gateway.model import Limits
from tests.gateway.platform_samples import INTERVAL, SETTINGS, made

AT = {role: "0x" + f"{n:02x}" * 20 for n, role in enumerate(registry.SYSTEM.roles, 0xA1)}
ADAPTER = platform(replace(SETTINGS, platform="registry", contracts=AT))
DEVICE = DeviceFacts("bms", "battery", "Acme", "B 10", "SN-SECRET")
FACTS = Facts(1, Limits(1, 1))


def device_of(report):
    return decode(("string", "string", "string", "uint8"), report.call.data[4:])


@pytest.mark.parametrize("state", STATES)
def test_a_device_is_told_with_its_state_and_without_its_serial_number(state):
    device, _ = ADAPTER.reports(replace(FACTS, devices=[replace(DEVICE, state=state)]))
    assert device.subject == "device/bms"
    assert device_of(device) == ("bms", "battery", "Acme B 10", STATES.index(state))
    assert b"SECRET" not in device.call.data and "SECRET" not in device.value
    assert state in device.value


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_model_has_room(vendor, model):
    device, _ = ADAPTER.reports(replace(FACTS, devices=[replace(DEVICE, vendor=vendor, model=model)]))
    assert len(device_of(device)[2].encode()) <= 64


def test_the_alerts_that_stand_are_bits_and_the_worst_of_them():
    (none,) = ADAPTER.reports(FACTS)
    assert (none.subject, none.value) == ("alerts", "0 0")
    alerts = [
        Alert(AlertCode.SOH_LOW, Severity.CRITICAL, 0, ""),
        Alert(AlertCode.COLD, Severity.NOTICE, 0, ""),
    ]
    (said,) = ADAPTER.reports(replace(FACTS, alerts=alerts))
    bits = 1 << list(AlertCode).index(AlertCode.SOH_LOW) | 1 << list(AlertCode).index(AlertCode.COLD)
    assert decode(("uint32", "uint8"), said.call.data[4:]) == (bits, 3)
    assert len(AlertCode) <= 32, "the contract has 32 bits"


def figures_of(found):
    ((name, call),) = found
    assert name == "figures/5"
    return decode(("uint256", "(uint48,uint48,uint64,uint64,uint64,uint64,uint16)"), call.data[4:])


def test_figures_follow_each_interval():
    known = period.figures(Tally(INTERVAL.start_ms, INTERVAL.end_ms, available_ms=450_000))
    i = INTERVAL
    said = (i.start_ms, i.end_ms, i.produced_wh, i.consumed_wh, i.imported_wh, i.exported_wh)
    assert figures_of(ADAPTER.follow_ups(made(i), "", known)) == (7, (*said, 5000))
    assert figures_of(ADAPTER.follow_ups(made(i), "", None)) == (7, (*said, 0)), (
        "what is not known earns nothing"
    )


def test_without_rewards_nothing_follows():
    plain = {role: AT[role] for role in ("devices", "balance")}
    adapter = platform(replace(SETTINGS, platform="registry", contracts=plain))
    assert adapter.follow_ups(made(INTERVAL), "", None) == ()
