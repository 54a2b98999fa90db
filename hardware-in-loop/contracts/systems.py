"""What an interval costs in each contract system: its record, and what the system wants to be told with it.

    python hardware-in-loop/contracts/systems.py [--json]

Gas in the steady state, through the gateway's own adapters; a reading's share at READINGS an interval.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from contracts.inprocess import Local  # noqa: E402
from contracts.scene import INTERVAL, SITE, SPECS  # noqa: E402

from gateway.analytics import period  # noqa: E402
from gateway.analytics.tally import Tally  # noqa: E402
from gateway.chain.platforms.evm import Asset, EvmPlatform, System  # noqa: E402
from gateway.chain.platforms.meter import SYSTEM as METER  # noqa: E402
from gateway.chain.platforms.microgrid import SYSTEM as MICROGRID  # noqa: E402
from gateway.chain.platforms.registry import SYSTEM as REGISTRY  # noqa: E402
from gateway.chain.platforms.storage import SYSTEM as STORAGE  # noqa: E402
from gateway.evidence import possession, records  # noqa: E402
from gateway.evidence.signer import KeySigner  # noqa: E402
from gateway.evidence.typed import GENESIS, Domain, site_hash  # noqa: E402

KEY = b"\x01" * 32
RING = 2
ROUNDS = 5
READINGS = 3600


@dataclass(frozen=True)
class Plan:
    """How a system's asset comes to be. Contracts not named in `admin` take the evidence contract alone."""

    system: System
    register: tuple[str, tuple[object, ...]]
    alone: tuple[str, ...] = ()  # roles whose contract has no administrator


PLANS = (
    Plan(STORAGE, ("registerStorage", ("{owner}", SPECS)), ("analytics",)),
    Plan(MICROGRID, ("registerMember", ()), ("consumption",)),
    Plan(METER, ("registerMeter", ("SN-1",))),
    Plan(REGISTRY, ("registerMicrogrid", ())),
)


def measure_one(plan: Plan) -> dict[str, int]:
    """Gas by call, of the last of ROUNDS intervals."""
    chain, system = Local(), plan.system
    admin, owner, stranger = chain.accounts[:3]
    evidence, _ = chain.deploy(system.roles[system.evidence].artifact, admin, RING)
    contracts = {system.evidence: evidence.address}
    for role, made in system.roles.items():
        if role != system.evidence:
            arguments = (evidence.address,) if role in plan.alone else (admin, evidence.address)
            contracts[role] = chain.deploy(made.artifact, *arguments)[0].address
    method, arguments = plan.register
    evidence.send(method, *(owner if a == "{owner}" else a for a in arguments), sender=owner)
    signer, domain = KeySigner(KEY), Domain(chain.chain_id, evidence.address)
    agreed = signer.sign(possession.digest(domain, owner, 1, SITE))
    evidence.send("setGatewayKey", 1, signer.address, site_hash(SITE), agreed, sender=owner)
    gateway, adapter = chain.adopt(KEY), EvmPlatform(system, Asset(contracts, 1))
    previous, table = GENESIS, dict[str, int]()
    for n in range(ROUNDS):
        start_ms = INTERVAL.start_ms + n * 900_000
        body = replace(INTERVAL, start_ms=start_ms, end_ms=start_ms + 900_000, charged_wh=1250 + n)
        sealed = records.seal(domain, SITE, n + 1, previous, body)
        record, previous = records.signed(sealed, signer.sign(sealed.digest)), sealed.digest
        call = adapter.record_call(record)
        table["record"] = chain.send(call.contract, call.data, sender=stranger).gas
        figures = period.figures(Tally(start_ms, body.end_ms, soh_bp=9900, available_ms=900_000))
        for name, call in adapter.follow_ups(record, "", figures):
            table[name.split("/")[0]] = chain.send(call.contract, call.data, sender=gateway).gas
    return table


def measure() -> Mapping[str, dict[str, int]]:
    """By system: gas of each call, of all of them, and of one reading."""
    found = {}
    for plan in PLANS:
        table = measure_one(plan)
        whole = sum(table.values())
        found[plan.system.name] = {**table, "whole": whole, "a reading": round(whole / READINGS)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="gas of an interval in each contract system")
    parser.add_argument("--json", action="store_true", help="only the JSON")
    args = parser.parse_args()
    table = measure()
    if not args.json:
        for name, costs in table.items():
            print(f"{name:<12}", "  ".join(f"{what} {gas:,}" for what, gas in costs.items()))
    print(json.dumps(table))


if __name__ == "__main__":
    main()
