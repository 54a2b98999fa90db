"""What every step costs in gas, first round and steady state, as a table and as JSON.

    python hardware-in-loop/contracts/gas.py [--json]

Runs the shipped bytecode on an in-process EVM with Prague rules (EIP-7623 calldata floor included). Gas is
deterministic but for the bytes of signatures and digests: a zero byte is 12 gas cheaper.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from contracts.scene import FULLEST, INTERVAL, Scene, gap, proof_of  # noqa: E402

from gateway.model import Interval  # noqa: E402

STEADY_MAX = 45_000  # the promise


def shifted(interval: Interval, n: int) -> Interval:
    """The n-th interval after this one: all figures differ, so every slot is really written."""
    span = interval.end_ms - interval.start_ms
    return replace(
        interval,
        start_ms=interval.start_ms + n * span,
        end_ms=interval.end_ms + n * span,
        charged_wh=interval.charged_wh + n,
        imported_wh=interval.imported_wh + n,
        soc_bp=interval.soc_bp + n,
    )


def measure() -> dict[str, int]:
    """Gas of each step, by name."""
    scene = Scene()
    ring = int(scene.verification.call("RING"))
    table = {"deploy StorageVerification": scene.deploy_gas, "deploy GridServices": scene.services_gas}
    table["interval, the very first of a key"] = scene.submit(shifted(INTERVAL, 0)).gas
    first = [scene.submit(shifted(INTERVAL, n)).gas for n in range(1, ring)]
    table["interval, first round, dearest"] = max(first)
    steady = [scene.submit(shifted(INTERVAL, n)).gas for n in range(ring, ring + 40)]
    table["interval, steady, mean of 40"] = round(sum(steady) / len(steady))
    table["interval, steady, dearest of 40"] = max(steady)
    record = scene.sealed(INTERVAL)
    scene.post(record)
    table["prove one reading"] = scene.verification.send(
        "proveReading", scene.key.address, *proof_of(record, INTERVAL, 3), sender=scene.stranger
    ).gas
    table["gap, steady"] = scene.submit(gap()).gas
    table["interval, steady, every field full"] = scene.submit(FULLEST).gas
    table |= _service(scene)
    table["first round more than steady, whole ring"] = sum(first) - len(first) * max(steady)
    return table


def _service(scene: Scene) -> dict[str, int]:
    """Order, deliver, validate, settle."""
    scene.verify_installation()
    command = scene.order(energy_wh=750, value=10**15)
    delivered = scene.submit(scene.delivery(command, 745)).gas
    validated = scene.services.send("validateServiceDelivery", scene.service, sender=scene.stranger).gas
    settled = scene.services.send("settlePayments", scene.service, sender=scene.stranger).gas
    return {"delivery, steady": delivered, "validate delivery": validated, "settle": settled}


def main() -> None:
    parser = argparse.ArgumentParser(description="gas of each step of the reference contracts")
    parser.add_argument("--json", action="store_true", help="only the JSON")
    args = parser.parse_args()
    table = measure()
    if not args.json:
        for name, gas in table.items():
            print(f"{name:<44}{gas:>12,}")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
