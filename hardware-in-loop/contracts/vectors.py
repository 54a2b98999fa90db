"""The test vectors of docs/attestation.md, of every kind: made and written between the page's marks.

    python hardware-in-loop/contracts/vectors.py

Everything is fixed (key, readings, records), so the page changes only when the format does; a test compares.
"""

import json
import sys
from pathlib import Path
from typing import Any

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from gateway import signed_order  # noqa: E402
from gateway.chain.platforms.evm import Asset, EvmPlatform  # noqa: E402
from gateway.chain.platforms.storage import SYSTEM  # noqa: E402
from gateway.evidence import endorsement, merkle, possession, records  # noqa: E402
from gateway.evidence.signer import KeySigner  # noqa: E402
from gateway.evidence.typed import (  # noqa: E402
    GENESIS,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
    Setup,
    site_hash,
)
from gateway.model import (  # noqa: E402
    Cause,
    ClockTrust,
    Command,
    CommandState,
    Delivery,
    Interval,
    ServiceKind,
    Source,
)

PAGE = ROOT / "docs" / "attestation.md"
BEGIN, END = "<!-- vectors begin -->", "<!-- vectors end -->"
SECRET = bytes(range(1, 33))  # public, worthless, for this page only
DOMAIN = Domain(10, "0x1111111111111111111111111111111111111111")
SITE = "meadow-lane-7"
NEXT = bytes(range(97, 129))  # to whom the key hands over
IDENTITY = 7  # a P-256 key
OWNER = "0x2222222222222222222222222222222222222222"
ASSET = 7
ORDERER = bytes(range(33, 65))  # as worthless: another key orders than the one that attests
ORDER = Command(
    "a7" * 32, Source.REMOTE, ServiceKind.PEAK_SHAVING, 1_790_000_000_000, 1_790_003_600_000,
    {"import_w": 5000, "power_w": 0}, shared=True,
)  # fmt: skip
READINGS = [
    ("bms/battery_soc_bp", 1_790_000_000_250, 5120, 0),
    ("inverter/battery_power_w", 1_790_000_000_250, -2950, 0),
    ("inverter/battery_power_w", 1_790_000_001_250, -2948, 1),
    ("meter/grid_voltage_mv", 1_790_000_001_250, 0, 3),
    ("bms/battery_soc_bp", 1_790_000_001_250, 5121, 0),
]


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def tree_vector() -> tuple[list[bytes], dict[str, Any]]:
    """The nodes, and what the page shows of them: leaves, root, the proof of the second reading."""
    leaves = [merkle.leaf(*reading) for reading in READINGS]
    nodes = merkle.tree(leaves)
    proof = merkle.proof(nodes, leaves[1])
    shown = {
        "readings": [list(reading) for reading in READINGS],
        "leaves": [hexed(leaf) for leaf in leaves],
        "root": hexed(nodes[0]),
        "proof of readings[1]": [hexed(node) for node in proof],
    }
    return nodes, shown


def vectors() -> dict[str, Any]:
    nodes, tree = tree_vector()
    key, following = KeySigner(SECRET), KeySigner(NEXT)
    adapter = EvmPlatform(SYSTEM, Asset({"verification": DOMAIN.contract, "services": DOMAIN.contract}, 1))
    count = len(READINGS)
    bodies = [
        Interval(
            1_790_000_000_000, 1_790_000_900_000, count, nodes[0], 738, 0, 12, 3, 1200, 471, 5120, 9875,
            5056, 50_012, 231_400, ClockTrust.TRUSTED, 8,
        ),
        Delivery(
            "5a" * 32, 1_790_000_000_000, 1_790_000_900_000, -750, -738, -3000, 0, -2952, 1500, 52,
            9561, 41_000, ((Cause.RAMP, 1500), (Cause.BMS, 39_500)), CommandState.DONE, nodes[0], count,
        ),
        Gap(1_790_000_900_000, 1_790_003_600_000, 0, GapCause.RESTORED),
        Setup(1_790_003_600_000, b"\x44" * 32, b"\x55" * 32, "gridseal 0.1.0"),
        Rotation(1_790_003_700_000, following.address.lower(), ASSET, agreed(following, key.address)),
        Revocation(1_790_003_800_000, RevocationReason.RETIRED),
    ]  # fmt: skip
    shown, previous = [], GENESIS
    for sequence, body in zip((1, 2, 9, 10, 11, 12), bodies, strict=True):
        made = records.seal(DOMAIN, SITE, sequence, previous, body)
        signer = following if shown and shown[-1]["kind"] == "rotation" else key
        made = records.signed(made, signer.sign(made.digest))
        previous = made.digest
        shown.append(
            {
                "type": "record",
                "sequence": sequence,
                "kind": made.kind,
                "previous": hexed(made.previous),
                "body": made.body,
                "digest": hexed(made.digest),
                "signature": hexed(made.signature),
                "calldata": hexed(adapter.record_call(made).data),
            }
        )
    return {
        "secret": hexed(SECRET),
        "address": key.address,
        "domainSeparator": hexed(DOMAIN.separator),
        "site": SITE,
        "siteHash": hexed(site_hash(SITE)),
        "tree": tree,
        "records": shown,
        "next": {"secret": hexed(NEXT), "address": following.address},
        "possession": possession_vector(key),
        "endorsement": endorsement_vector(key),
        "order": order_vector(),
    }


def agreed(key: KeySigner, binder: str) -> bytes:
    return key.sign(possession.digest(DOMAIN, binder, ASSET, SITE))


def possession_vector(key: KeySigner) -> dict[str, Any]:
    """What the first key gives to the owner, for setGatewayKey."""
    return {
        "binder": OWNER,
        "asset": ASSET,
        "digest": hexed(possession.digest(DOMAIN, OWNER, ASSET, SITE)),
        "signature": hexed(agreed(key, OWNER)),
    }


def endorsement_vector(key: KeySigner) -> dict[str, str]:
    """A line of an export, and the secret that signed it (RFC 6979)."""
    secret = ECC.construct(curve="P-256", d=IDENTITY)
    point = b"".join(int(n).to_bytes(32, "big") for n in (secret.pointQ.x, secret.pointQ.y))
    said = endorsement.of(SITE, key.address, 1_790_000_000_000, b"\x04" + point)
    digest = endorsement.digest(DOMAIN, said)
    signature = DSS.new(secret, "deterministic-rfc6979").sign(SHA256.new(digest))
    return {
        "secret": hexed(IDENTITY.to_bytes(32, "big")),
        "type": "endorsement",
        "body": endorsement.write(DOMAIN, said),
        "digest": hexed(digest),
        "signature": hexed(endorsement.low(signature)),
    }


def order_vector() -> dict[str, str]:
    """A signed order: who signed it, its digest, and the text as it is sent."""
    key, digest = KeySigner(ORDERER), signed_order.digest(DOMAIN, SITE, ORDER)
    return {
        "secret": hexed(ORDERER),
        "address": key.address,
        "digest": hexed(digest),
        "text": signed_order.write(SITE, ORDER, key.sign(digest)),
    }


def block() -> str:
    return f"{BEGIN}\n```json\n{json.dumps(vectors(), indent=1, ensure_ascii=False)}\n```\n{END}"


def printed() -> dict[str, Any]:
    """What the page shows."""
    inner = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    return dict(json.loads(inner.strip().removeprefix("```json").removesuffix("```")))


def main() -> None:
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(before + block() + after)


if __name__ == "__main__":
    main()
