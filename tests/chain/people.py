"""Records of a site for the chain tests: sealed, signed and stored as the attestor does."""

from gateway.evidence import records as chain_of_records
from gateway.evidence.typed import GENESIS, Domain
from gateway.model import ClockTrust, CommandState, Delivery, Interval
from gateway.store import records

SITE = "meadow-lane-7"
START_MS = 1_790_000_000_000


def interval(number: int) -> Interval:
    start = START_MS + number * 900_000
    return Interval(
        start, start + 900_000, 60, bytes([number % 256]) * 32,
        120, 0, 300, 0, 500, 680, 5500, 9900, 5400, 49_991, 230_400, ClockTrust.TRUSTED, 0,
    )  # fmt: skip


def delivery(command: str, begin_ms: int, end_ms: int, energy_wh: int) -> Delivery:
    return Delivery(
        command, begin_ms, end_ms, energy_wh, energy_wh, 0, 1500, 1480, 700, 20, 10_000, 0, (),
        CommandState.DONE, bytes(32), 60,
    )  # fmt: skip


class Attestor:
    """The next link of the site's chain, durable before it is signed."""

    def __init__(self, store, signer, chain_id: int, contract: str) -> None:
        self.store, self.signer, self.domain = store, signer, Domain(chain_id, contract)

    async def attest(self, body) -> int:
        last = await self.store.call(records.last)
        sequence, previous = (last.sequence + 1, last.digest) if last else (1, GENESIS)
        record = chain_of_records.seal(self.domain, SITE, sequence, previous, body)
        await self.store.call(records.append, record)
        await self.store.call(records.sign, sequence, self.signer.sign(record.digest))
        return sequence

    async def confirmed(self) -> list[int]:
        found = await self.store.call(records.entries)
        return [e.record.sequence for e in found if e.state is records.RecordState.CONFIRMED]
