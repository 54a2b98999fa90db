"""Platform `microgrid`: MicrogridProduction holds the evidence and what was produced, MicrogridConsumption
what was consumed; MicrogridBalancing and, where there is one, MicrogridTrading order and pay.

A table. Only the sums of an interval go out, and they are those of its record.
"""

from collections.abc import Sequence

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import Call
from gateway.chain.platforms.evm import Asset, EvmPlatform, Role, System
from gateway.model import Interval, ServiceKind
from gateway.site import ChainSettings

GAS = {"production": 250_000, "consumption": 250_000}  # twice the dearest measured


def _figures(asset: Asset, interval: Interval, figures: Performance | None) -> Sequence[tuple[str, Call]]:
    del figures
    i = interval
    made = (i.start_ms, i.end_ms, i.produced_wh, i.discharged_wh, i.frequency_mhz, i.voltage_mv)
    used = (i.start_ms, i.end_ms, i.consumed_wh, i.imported_wh)
    return (
        ("production", asset.call("production", SYSTEM, "recordProduction", made, gas=GAS["production"])),
        (
            "consumption",
            asset.call("consumption", SYSTEM, "recordConsumption", asset.id, used, gas=GAS["consumption"]),
        ),
    )


SYSTEM = System(
    name="microgrid",
    asset="member",
    roles={
        "production": Role("MicrogridProduction"),
        "consumption": Role("MicrogridConsumption"),
        "balancing": Role("MicrogridBalancing"),
        "trading": Role("MicrogridTrading", optional=True),
    },
    evidence="production",
    orders=("balancing", "trading"),
    # Measure of MicrogridBalancing.sol; MicrogridTrading.sol knows the first alone.
    services={
        0: ServiceKind.FIXED_POWER,
        1: ServiceKind.DEMAND_RESPONSE,
        2: ServiceKind.PEAK_SHAVING,
        3: ServiceKind.FREQUENCY,
        4: ServiceKind.VOLTAGE,
        5: ServiceKind.RESERVE,
        6: ServiceKind.ISLAND,
        7: ServiceKind.RECONNECT,
    },
    register=("registerMember", lambda plate: ()),
    figures=_figures,
)


def adapter(settings: ChainSettings) -> EvmPlatform:
    asset = Asset(settings.contracts, settings.asset_id)
    return EvmPlatform(SYSTEM, asset)
