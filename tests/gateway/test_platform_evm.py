"""The adapter of EVM systems: what follows a delivery, the key it is bound to, settings that are refused."""

import pytest

from gateway.chain.platforms import platform
from gateway.errors import ConfigError
from gateway.site import ChainSettings
from tests.gateway.platform_samples import (
    DELIVERY,
    INTERVAL,
    SERVICES,
    SETTINGS,
    VERIFICATION,
    arguments,
    made,
)


@pytest.fixture
def adapter():
    return platform(SETTINGS)


def test_follow_ups_of_a_delivery_that_was_ordered_here(adapter):
    record = made(DELIVERY)
    assert adapter.command_id(record) == "ab" * 32
    assert adapter.follow_ups(record, "", None) == ()
    assert adapter.follow_ups(made(INTERVAL), "services/3", None) == ()
    (one, validate), (two, settle) = adapter.follow_ups(record, "services/3", None)
    assert (one, two) == ("validate/" + "ab" * 32, "settle/" + "ab" * 32)
    assert arguments(validate, "GridServices", "validateServiceDelivery") == (3,)
    assert arguments(settle, "GridServices", "settlePayments") == (3,)
    assert validate.contract == settle.contract == SERVICES


def test_bad_settings_are_one_line():
    def settings(**change):
        plain = {f: getattr(SETTINGS, f) for f in ChainSettings.__slots__}
        return ChainSettings(**plain | change)

    with pytest.raises(ConfigError, match="is none of storage"):
        platform(settings(platform="nosuch"))
    with pytest.raises(ConfigError, match="missing: services"):
        platform(settings(contracts={"verification": VERIFICATION}))
    with pytest.raises(ConfigError, match="unknown: other"):
        platform(settings(contracts=SETTINGS.contracts | {"other": VERIFICATION}))
    with pytest.raises(ConfigError, match="ids begin at 1"):
        platform(settings(asset_id=0))


def test_the_key_that_the_contract_has_for_the_site(adapter):
    call = adapter.key_call()
    assert (call.contract, arguments(call, "StorageVerification", "gatewayOf")) == (VERIFICATION, (7,))
    ours, other = "0x" + "Ab" * 20, bytes(12) + b"\xcd" * 20
    assert adapter.predecessor_call(ours).data.endswith(bytes.fromhex(ours[2:]))
    assert adapter.key_problem(bytes(32), ours) == "", "nobody's yet: what is sealed waits"
    assert adapter.key_problem(bytes(12) + b"\xab" * 20, ours) == ""
    said = adapter.key_problem(other, ours)
    assert said.startswith(
        f"chain.storage: storage 7 is bound to the key 0x{'cd' * 20}, but attest.key is {ours}"
    )
