"""Platform `storage`: StorageVerification holds the evidence, GridServices orders and pays services.

A table. What is the same in every EVM system is evm.py's.
"""

from gateway.chain.platforms.evm import EvmPlatform, Role, System
from gateway.model import ServiceKind
from gateway.site import ChainSettings

SYSTEM = System(
    name="storage",
    asset="storage",
    roles={"verification": Role("StorageVerification"), "services": Role("GridServices")},
    evidence="verification",
    orders="services",
    # ServiceType of GridServices.sol -> the law that carries it out; its values are the law's parameters.
    services={
        0: ServiceKind.FREQUENCY,
        1: ServiceKind.PEAK_SHAVING,
        2: ServiceKind.FIXED_POWER,
        3: ServiceKind.VOLTAGE,
        4: ServiceKind.RESERVE,
    },
    steps=(("validate", "validateServiceDelivery"), ("settle", "settlePayments")),
)


def adapter(settings: ChainSettings) -> EvmPlatform:
    return EvmPlatform(SYSTEM, settings.contracts, settings.asset_id)
