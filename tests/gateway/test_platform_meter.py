"""Platform `meter`: each interval's figures follow it as a reading."""

from dataclasses import replace

from eth_abi.abi import decode

from gateway.chain.platforms import platform
from tests.gateway.platform_samples import DELIVERY, INTERVAL, SETTINGS, made

METER, MANAGEMENT = "0x" + "aa" * 20, "0x" + "bb" * 20
ADAPTER = platform(replace(SETTINGS, platform="meter", contracts={"meter": METER, "management": MANAGEMENT}))


def test_a_reading_follows_each_interval_and_says_the_same():
    ((name, call),) = ADAPTER.follow_ups(made(INTERVAL), "", None)
    assert (name, call.contract) == ("reading/5", METER)
    (reading,) = decode(("(uint256,uint256,uint256,uint256,uint256)",), call.data[4:])
    assert reading == (
        INTERVAL.end_ms // 1000, INTERVAL.consumed_wh, INTERVAL.produced_wh, INTERVAL.frequency_mhz,
        INTERVAL.voltage_mv,
    )  # fmt: skip


def test_a_delivery_is_validated_and_settled_by_the_management():
    found = ADAPTER.follow_ups(made(DELIVERY), "management/9", None)
    assert [(name.split("/")[0], call.contract) for name, call in found] == [
        ("validate", MANAGEMENT), ("settle", MANAGEMENT),
    ]  # fmt: skip
