"""Platform `storage`: StorageVerification holds the evidence, GridServices orders and pays services.

A table, with what the optional contracts want: the pool the capacity, the analytics the figures of each
interval. What is the same in every EVM system is evm.py's.
"""

from collections.abc import Sequence

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import Call, Facts, Heard, Nameplate, Order, Report, Signal, Unusable
from gateway.chain.platforms.evm import Asset, Event, EvmPlatform, Role, System
from gateway.chain.shapes import Block, Log
from gateway.errors import ConfigError
from gateway.model import Command, Interval, ServiceKind, Source
from gateway.services.prices import SLOTS_MAX
from gateway.site import ChainSettings

WAD_PER_WH = 10**15
CAPACITY_STEP_BP = 100  # of the capacity: a smaller change is not worth a transaction
POOL_STEP_BP = 500
DAY_S = 86_400
GAS = {"capacity": 120_000, "pool": 200_000, "performance": 250_000}
NOT_KNOWN = 2**16 - 1
NO_TEMPERATURE = -(2**15)
SIGNAL_BYTES_MAX = 32 * (4 + SLOTS_MAX)


def _allocated(log: Log, block: Block) -> Heard:
    """A share of the pool's obligation: so much of the battery is held back."""
    del block
    origin = f"pool {log.address}"
    try:
        _, share_bp, begin_s, end_s = decode(("uint256", "uint16", "uint64", "uint64"), log.data)
    except (DecodingError, OverflowError) as error:
        return Unusable(f"{origin}: the allocation does not decode: {error}")
    if share_bp > 10_000 or end_s > 2**40:
        return Unusable(f"{origin}: allocates {share_bp} of 10,000 parts until {end_s}")
    command = Command(
        log.topics[1].hex(), Source.CHAIN, ServiceKind.RESERVE, begin_s * 1000, end_s * 1000,
        {"soc_bp": share_bp}, origin, shared=True,
    )  # fmt: skip
    return Order(command, "")


def _priced(log: Log, block: Block) -> Heard:
    del block
    origin = f"prices of {log.address}"
    if len(log.data) > SIGNAL_BYTES_MAX:
        return Unusable(f"{origin}: more than {SLOTS_MAX} prices")
    try:
        start_s, step_s, prices = decode(("uint64", "uint32", "int32[]"), log.data)
    except (DecodingError, OverflowError) as error:
        return Unusable(f"{origin}: the prices do not decode: {error}")
    if not (60 <= step_s <= DAY_S and 0 < start_s < 2**40 and 0 < len(prices) <= SLOTS_MAX):
        return Unusable(f"{origin}: {len(prices)} slots of {step_s} s from {start_s} are no prices")
    return Signal(start_s * 1000, step_s * 1000, tuple(prices), origin)


def _step(value: int, whole: int, step_bp: int) -> int:
    """`value` on a grid of steps of the whole, rounded down: what is promised must be there."""
    step = max(1, whole * step_bp // 10_000)
    return value // step * step


def _reports(asset: Asset, facts: Facts) -> Sequence[Report]:
    found, measured_wh = [], facts.day.capacity_wh if facts.day else None
    if measured_wh:
        wh = _step(measured_wh, measured_wh, CAPACITY_STEP_BP)
        call = asset.call(
            "verification", SYSTEM, "updateCapacity", asset.id, wh * WAD_PER_WH, gas=GAS["capacity"]
        )
        found.append(Report("capacity", str(wh), call, DAY_S))
    if "aggregation" in asset.contracts and asset.leave:
        call = asset.call("aggregation", SYSTEM, "leavePool", asset.id, gas=GAS["pool"])
        found.append(Report("pool", "left", call))
    elif "aggregation" in asset.contracts and facts.available_wh is not None and facts.capacity_wh:
        wh = _step(facts.available_wh, facts.capacity_wh, POOL_STEP_BP)
        call = asset.call("aggregation", SYSTEM, "joinPool", asset.id, wh * WAD_PER_WH, gas=GAS["pool"])
        found.append(Report("pool", str(wh), call))
    return found


def _within(value: int | None, most: int) -> int:
    return NOT_KNOWN if value is None else min(max(value, 0), most)


def _figures(asset: Asset, interval: Interval, figures: Performance | None) -> Sequence[tuple[str, Call]]:
    if "analytics" not in asset.contracts or figures is None:
        return ()
    cold, hot = figures.temperature_min_cc, figures.temperature_max_cc
    data = (
        interval.start_ms,
        interval.end_ms,
        min(figures.throughput_wh, 2**32 - 1),
        min(figures.cycles_milli or 0, 2**32 - 1),
        min(figures.capacity_wh or 0, 2**32 - 1),
        _within(figures.efficiency_bp, 10_000),
        _within(figures.soh_bp, 10_000),
        _within(figures.imbalance_mv, NOT_KNOWN - 1),
        NO_TEMPERATURE if cold is None else max(cold, NO_TEMPERATURE + 1),
        NO_TEMPERATURE if hot is None else min(hot, 2**15 - 1),
        _within(figures.availability_bp, 10_000),
        min(figures.faults, NOT_KNOWN),
    )
    call = asset.call("analytics", SYSTEM, "recordPerformanceData", asset.id, data, gas=GAS["performance"])
    return (("performance", call),)


def _register(plate: Nameplate) -> Sequence[object]:
    if not plate.capacity_wh:
        raise ConfigError("a storage is registered by its capacity: give --capacity")
    return (
        plate.owner,
        (
            plate.capacity_wh * WAD_PER_WH,
            plate.power_w * WAD_PER_WH,
            plate.efficiency_bp // 100,
            plate.location,
            plate.battery,
        ),
    )


SYSTEM = System(
    name="storage",
    asset="storage",
    roles={
        "verification": Role("StorageVerification"),
        "services": Role("GridServices"),
        "aggregation": Role("CapacityAggregation", optional=True),
        "revenue": Role("RevenueOptimization", optional=True),
        "analytics": Role("PerformanceAnalytics", optional=True),
    },
    evidence="verification",
    orders=("services",),
    # ServiceType of GridServices.sol -> the law that carries it out; its values are the law's parameters.
    services={
        0: ServiceKind.FREQUENCY,
        1: ServiceKind.PEAK_SHAVING,
        2: ServiceKind.FIXED_POWER,
        3: ServiceKind.VOLTAGE,
        4: ServiceKind.RESERVE,
    },
    register=("registerStorage", _register),
    steps=(("validate", "validateServiceDelivery"), ("settle", "settlePayments")),
    events=(
        Event("aggregation", "CapacityAllocated", 2, 3, _allocated),
        Event("revenue", "PricingAdjusted", 1, 2, _priced, of=lambda asset: asset.pool),
    ),
    reports=_reports,
    figures=_figures,
)


def adapter(settings: ChainSettings) -> EvmPlatform:
    asset = Asset(settings.contracts, settings.asset_id, settings.pool, settings.leave)
    return EvmPlatform(SYSTEM, asset)
