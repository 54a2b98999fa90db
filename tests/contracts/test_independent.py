"""Our digests, signatures, roots and proofs, judged by ethers and OpenZeppelin's JavaScript library."""

import json
import random
import subprocess
from pathlib import Path

from gateway.evidence import merkle, records
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Domain, Gap, GapCause
from gateway.model import Cause, ClockTrust, CommandState, Delivery, Interval
from tests import tools

HERE = Path("hardware-in-loop/contracts")
KEY = KeySigner(b"\x07" * 32)
DOMAIN = Domain(10, "0x" + "c0" * 20)


def chain_of_every_kind(rnd: random.Random) -> list[dict]:
    """Random records of each kind, in numbers JavaScript holds exactly."""
    bodies = []
    for _ in range(12):
        root = rnd.randbytes(32)
        energies = [rnd.randrange(2**50) for _ in range(6)]
        bodies.append(
            Interval(
                rnd.randrange(2**42),
                rnd.randrange(2**42),
                rnd.randrange(2**32),
                root,
                *energies,
                rnd.randrange(2**16),
                rnd.randrange(2**16),
                *[rnd.randrange(2**32) for _ in range(3)],
                rnd.choice(list(ClockTrust)),
                rnd.randrange(2**16),
            )
        )
        bodies.append(
            Delivery(
                rnd.randbytes(32).hex(),
                1,
                2,
                rnd.randrange(-(2**50), 2**50),
                rnd.randrange(-(2**50), 2**50),
                -(2**31),
                2**31 - 1,
                rnd.randrange(-(2**31), 2**31),
                rnd.randrange(2**32),
                rnd.randrange(2**32),
                rnd.randrange(2**16),
                rnd.randrange(2**32),
                tuple((c, rnd.randrange(2**32)) for c in rnd.sample(list(Cause), rnd.randrange(4))),
                rnd.choice([CommandState.DONE, CommandState.REFUSED]),
                root,
                7,
            )
        )
        bodies.append(Gap(0, rnd.randrange(2**42), rnd.randrange(2**50), rnd.choice(list(GapCause))))
    rows, previous = [], GENESIS
    for sequence, body in enumerate(bodies, 1):
        record = records.seal(DOMAIN, "Wiese Ü7", sequence, previous, body)
        rows.append(
            {
                "sequence": sequence,
                "kind": record.kind,
                "body": record.body,
                "previous": "0x" + previous.hex(),
                "digest": "0x" + record.digest.hex(),
                "signature": "0x" + KEY.sign(record.digest).hex(),
            }
        )
        previous = record.digest
    return rows


def test_ethers_and_openzeppelin_agree() -> None:
    node = tools.need("node")
    if not (HERE / "node_modules" / "ethers").is_dir():
        tools.missing("ethers (npm)")
    rnd = random.Random(20261121)
    readings = [
        (f"inverter/pöint_{n}_w", rnd.randrange(2**42), rnd.randrange(-(2**50), 2**50), n % 4)
        for n in range(101)
    ]
    leaves = [merkle.leaf(*reading) for reading in readings]
    nodes = merkle.tree(leaves)
    proofs = [["0x" + node.hex() for node in merkle.proof(nodes, leaf)] for leaf in leaves]
    rows = chain_of_every_kind(rnd)
    asked = json.dumps({"records": rows, "readings": readings, "proofs": proofs})
    done = subprocess.run(
        [node, "independent.mjs"],
        cwd=HERE,
        input=asked,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    assert [r["digest"] for r in found["records"]] == [row["digest"] for row in rows]
    assert {r["signer"] for r in found["records"]} == {KEY.address}
    assert found["root"] == "0x" + nodes[0].hex()
    assert found["proofs"] == proofs
    assert found["theirs"] == [True] * len(readings)
