"""Platform `registry`: DeviceRegistry holds the evidence and the site's devices, GridBalance orders and pays,
RewardSystem takes the figures that rewards come from.

A table, and what it is told of devices and alerts. Serial numbers stay at the site.
"""

from collections.abc import Sequence

from gateway.analytics.figures import AlertCode, Performance, Severity
from gateway.chain.platforms.calls import STATES, Call, DeviceFacts, Facts, Report
from gateway.chain.platforms.evm import Asset, EvmPlatform, Role, System
from gateway.model import Interval, ServiceKind
from gateway.site import ChainSettings

GAS = {"device": 400_000, "alerts": 120_000, "figures": 200_000}  # twice the dearest measured
TEXT_MAX = 64  # bytes, of DeviceRegistry.sol
DEVICE_S = 300
ALERT_S = 60
CODES = tuple(AlertCode)  # a bit in the contract is a place in this list
SEVERITIES = tuple(Severity)


def _device(asset: Asset, device: DeviceFacts) -> Report:
    model = _text(f"{device.vendor} {device.model}".strip())
    call = asset.call(
        "devices", SYSTEM, "registerDevice",
        device.name, device.role, model, STATES.index(device.state), gas=GAS["device"],
    )  # fmt: skip
    return Report(f"device/{device.name}", f"{device.role} {model} {device.state}", call, DEVICE_S)


def _text(text: str) -> str:
    """As much of it as the contract has room for; never half of a character."""
    return text.encode()[:TEXT_MAX].decode(errors="ignore")


def _reports(asset: Asset, facts: Facts) -> Sequence[Report]:
    standing = {alert.code: alert.severity for alert in facts.alerts}
    bits = sum(1 << CODES.index(code) for code in standing)
    worst = max((1 + SEVERITIES.index(s) for s in standing.values()), default=0)
    call = asset.call("devices", SYSTEM, "reportAlerts", bits, worst, gas=GAS["alerts"])
    alerts = Report("alerts", f"{bits} {worst}", call, ALERT_S)
    return [*(_device(asset, device) for device in facts.devices), alerts]


def _figures(asset: Asset, interval: Interval, figures: Performance | None) -> Sequence[tuple[str, Call]]:
    if "rewards" not in asset.contracts:
        return ()
    i = interval
    there_bp = figures.availability_bp if figures else None
    said = (
        i.start_ms, i.end_ms, i.produced_wh, i.consumed_wh, i.imported_wh, i.exported_wh,
        min(max(there_bp or 0, 0), 10_000),
    )  # fmt: skip
    call = asset.call("rewards", SYSTEM, "submitFigures", asset.id, said, gas=GAS["figures"])
    return (("figures", call),)


SYSTEM = System(
    name="registry",
    asset="microgrid",
    roles={
        "devices": Role("DeviceRegistry"),
        "balance": Role("GridBalance"),
        "rewards": Role("RewardSystem", optional=True),
    },
    evidence="devices",
    orders=("balance",),
    # Measure of GridBalance.sol
    services={0: ServiceKind.DEMAND_RESPONSE, 1: ServiceKind.FIXED_POWER, 2: ServiceKind.GRID_LIMIT},
    reports=_reports,
    register=("registerMicrogrid", lambda plate: ()),
    figures=_figures,
)


def adapter(settings: ChainSettings) -> EvmPlatform:
    asset = Asset(settings.contracts, settings.asset_id)
    return EvmPlatform(SYSTEM, asset)
