"""Digest and signature of one Interval against a bare coincurve signature of a ready digest.

Ours is what the attestor pays: the EIP-712 digest of a body that differs each time, and 65 bytes
r || s || v. `seal` adds the canonical JSON body that goes to the store with it.
"""

import asyncio
from dataclasses import replace

import coincurve

from bench.common import Result, compare, cost_us, main, ratio
from gateway.evidence.records import seal
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import Domain, digest
from gateway.model import ClockTrust, Interval

SECRET = bytes(range(1, 33))
DOMAIN = Domain(10, "0x" + "ab" * 20)
BODY = Interval(
    start_ms=1_764_000_000_000,
    end_ms=1_764_000_900_000,
    count=90_000,
    merkle_root=bytes(range(32)),
    charged_wh=120,
    discharged_wh=900,
    imported_wh=40,
    exported_wh=70,
    produced_wh=1800,
    consumed_wh=950,
    soc_bp=5120,
    soh_bp=9900,
    available_wh=7000,
    frequency_mhz=50_003,
    voltage_mv=231_400,
    clock=ClockTrust.TRUSTED,
    flags=0,
)


async def measure(loops: int, rounds: int) -> Result:
    signer, bare = KeySigner(SECRET), coincurve.PrivateKey(SECRET)
    bodies = [replace(BODY, count=n) for n in range(loops)]
    digests = [digest(DOMAIN, "bench", n, bytes(32), body) for n, body in enumerate(bodies)]

    async def ours() -> None:
        for n, body in enumerate(bodies):
            signer.sign(digest(DOMAIN, "bench", n, bytes(32), body))

    async def sealed() -> None:
        for n, body in enumerate(bodies):
            signer.sign(seal(DOMAIN, "bench", n, bytes(32), body).digest)

    async def library() -> None:
        for value in digests:
            bare.sign_recoverable(value, hasher=None)

    async def digest_only() -> None:
        for n, body in enumerate(bodies):
            digest(DOMAIN, "bench", n, bytes(32), body)

    works = {"gridseal": ours, "gridseal_seal": sealed, "coincurve": library, "gridseal_digest": digest_only}
    spent = await compare(rounds, works)
    return {
        "cpu_us": cost_us(spent, loops),
        "ratio_to_coincurve": ratio(spent, "gridseal", "coincurve"),
        "ratio_seal_to_coincurve": ratio(spent, "gridseal_seal", "coincurve"),
        "aim_ratio_to_coincurve": 1.25,
    }


def bench(quick: bool) -> Result:
    """CPU of digest and signature of one interval."""
    loops, rounds = (20, 2) if quick else (2000, 11)
    return asyncio.run(measure(loops, rounds))


if __name__ == "__main__":
    main("sign", bench)
