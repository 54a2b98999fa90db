"""What an interval costs when one relayer submits those of many sites in one transaction.

    python hardware-in-loop/contracts/fleet.py [--json] [--batch RECORDS] [SITES ...]

Gas for each site, in the steady state of a ring, against the same interval submitted by itself. Each site has
a key of its own; the relayer has nothing to do with any of them. More sites than a batch takes are several
transactions, as `gridseal relay` sends them.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from contracts.inprocess import Contract, Local, Receipt  # noqa: E402
from contracts.scene import INTERVAL, SPECS  # noqa: E402

from gateway.chain.platforms import packed  # noqa: E402
from gateway.evidence import possession, records  # noqa: E402
from gateway.evidence.signer import KeySigner  # noqa: E402
from gateway.evidence.typed import GENESIS, Domain, site_hash  # noqa: E402
from gateway.model import Record  # noqa: E402

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
RING = 2  # the steady state is reached after two rounds
BLOCK_GAS = 40_000_000


class FleetSite:
    """One site: its key, its name, the head of its chain."""

    def __init__(self, contract: Contract, owner: str, number: int) -> None:
        self.key, self.name = KeySigner(number.to_bytes(32, "big")), f"site-{number}"
        self.domain = Domain(contract.chain.chain_id, contract.address)
        self.sequence, self.previous = 0, GENESIS
        contract.send("registerStorage", owner, SPECS, sender=owner)
        agreed = self.key.sign(possession.digest(self.domain, owner, number, self.name))
        contract.send("setGatewayKey", number, self.key.address, site_hash(self.name), agreed, sender=owner)

    def next(self) -> Record:
        """Its next interval, signed; every figure differs from the one before."""
        n, self.sequence = self.sequence, self.sequence + 1
        body = replace(
            INTERVAL, start_ms=INTERVAL.start_ms + n * 900_000, end_ms=INTERVAL.end_ms + n * 900_000,
            charged_wh=INTERVAL.charged_wh + n, imported_wh=INTERVAL.imported_wh + n,
        )  # fmt: skip
        sealed = records.seal(self.domain, self.name, self.sequence, self.previous, body)
        self.previous = sealed.digest
        return records.signed(sealed, self.key.sign(sealed.digest))


class Fleet:
    """Many storages of one owner in one contract, and a relayer."""

    def __init__(self, sites: int) -> None:
        self.chain = Local(BLOCK_GAS)
        admin, owner, self.relayer = self.chain.accounts[:3]
        self.contract, _ = self.chain.deploy("StorageVerification", admin, RING)
        self.sites = [FleetSite(self.contract, owner, number) for number in range(1, sites + 1)]

    def relay(self, found: list[Record]) -> Receipt:
        words = [words_of(record, self.contract.address) for record in found]
        return self.contract.send("submitIntervals", words, sender=self.relayer)

    def accepted(self, receipt: Receipt) -> int:
        return len(self.contract.events(receipt))


def words_of(record: Record, contract: str) -> list[bytes]:
    """The seven words of submitInterval."""
    _, arguments = packed.submission(record, contract.lower())
    return [w if isinstance(w, bytes) else w.to_bytes(32, "big") for w in arguments]


def measure(sizes: tuple[int, ...] = SIZES, batch: int = max(SIZES)) -> dict[str, int]:
    """Gas a site, by the number of sites; and that of an interval sent alone."""
    fleet = Fleet(max(sizes))
    for _ in range(RING + 1):  # every slot is written once
        for start in range(0, len(fleet.sites), 100):
            fleet.relay([site.next() for site in fleet.sites[start : start + 100]])
    alone = fleet.sites[0].next()
    _, arguments = packed.submission(alone, fleet.contract.address.lower())
    table = {"alone": fleet.contract.send("submitInterval", *arguments, sender=fleet.relayer).gas}
    for size in sizes:
        sites = fleet.sites[:size]
        receipts = [
            fleet.relay([site.next() for site in sites[n : n + batch]]) for n in range(0, size, batch)
        ]
        if (accepted := sum(map(fleet.accepted, receipts))) != size:
            raise RuntimeError(f"{accepted} of {size} records were accepted")
        table[f"{size} sites"] = round(sum(receipt.gas for receipt in receipts) / size)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="gas a site of intervals that a relayer submits together")
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--json", action="store_true", help="only the JSON")
    parser.add_argument("--batch", type=int, default=max(SIZES), help="most records in a transaction")
    args = parser.parse_args()
    table = measure(tuple(args.sizes), args.batch)
    if not args.json:
        for name, gas in table.items():
            print(f"{name:<16}{gas:>12,}")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
