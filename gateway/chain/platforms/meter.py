"""Platform `meter`: SmartMeter holds the evidence and the readings, GridManagement orders and pays.

A table. Each interval's own figures follow its record as a reading, so both say the same.
"""

from collections.abc import Sequence

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import Call
from gateway.chain.platforms.evm import Asset, EvmPlatform, Role, System
from gateway.model import Interval, ServiceKind
from gateway.site import ChainSettings

READING_GAS = 300_000  # twice the dearest measured


def _figures(asset: Asset, interval: Interval, figures: Performance | None) -> Sequence[tuple[str, Call]]:
    del figures
    reading = (
        interval.end_ms // 1000,
        interval.consumed_wh,
        interval.produced_wh,
        interval.frequency_mhz,
        interval.voltage_mv,
    )
    return (("reading", asset.call("meter", SYSTEM, "submitReading", reading, gas=READING_GAS)),)


SYSTEM = System(
    name="meter",
    asset="meter",
    roles={"meter": Role("SmartMeter"), "management": Role("GridManagement")},
    evidence="meter",
    orders=("management",),
    # Measure of GridManagement.sol
    services={
        0: ServiceKind.FIXED_POWER,
        1: ServiceKind.DEMAND_RESPONSE,
        2: ServiceKind.VOLTAGE,
        3: ServiceKind.FREQUENCY,
        4: ServiceKind.GRID_LIMIT,
    },
    register=("registerMeter", lambda plate: (plate.site,)),
    figures=_figures,
)


def adapter(settings: ChainSettings) -> EvmPlatform:
    asset = Asset(settings.contracts, settings.asset_id)
    return EvmPlatform(SYSTEM, asset)
