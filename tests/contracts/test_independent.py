"""Our digests, signatures, roots and proofs, judged by ethers and OpenZeppelin's JavaScript library."""

import json
import random
import subprocess
from pathlib import Path

from contracts import vectors

from gateway.evidence import merkle, records
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, KINDS, Domain, Gap, GapCause
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


def independent(asked: dict) -> dict:
    """What ethers, OpenZeppelin's library and WebCrypto say of it."""
    node = tools.need("node")
    if not (HERE / "node_modules" / "ethers").is_dir():
        tools.missing("ethers (npm)")
    done = subprocess.run(
        [node, "independent.mjs"],
        cwd=HERE,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_ethers_and_openzeppelin_agree() -> None:
    rnd = random.Random(20261121)
    readings = [
        (f"inverter/pöint_{n}_w", rnd.randrange(2**42), rnd.randrange(-(2**50), 2**50), n % 4)
        for n in range(101)
    ]
    leaves = [merkle.leaf(*reading) for reading in readings]
    nodes = merkle.tree(leaves)
    proofs = [["0x" + node.hex() for node in merkle.proof(nodes, leaf)] for leaf in leaves]
    rows = chain_of_every_kind(rnd)
    found = independent({"records": rows, "readings": readings, "proofs": proofs})
    assert [r["digest"] for r in found["records"]] == [row["digest"] for row in rows]
    assert {r["signer"] for r in found["records"]} == {KEY.address}
    assert found["root"] == "0x" + nodes[0].hex()
    assert found["proofs"] == proofs
    assert found["theirs"] == [True] * len(readings)


def test_every_vector_of_the_page_is_what_they_make_of_it() -> None:
    """All kinds of record, a consent, an order, and the word of a P-256 identity."""
    shown = vectors.printed()
    found = independent({**shown, "readings": shown["tree"]["readings"]})
    first, following = shown["address"], shown["next"]["address"]
    assert [row["kind"] for row in shown["records"]] == list(KINDS)
    assert [r["digest"] for r in found["records"]] == [row["digest"] for row in shown["records"]]
    assert [r["signer"] for r in found["records"]] == [first] * 5 + [following]
    assert found["records"][4]["consented"] == following
    assert found["root"] == shown["tree"]["root"]
    assert found["possession"] == {"digest": shown["possession"]["digest"], "signer": first}
    assert found["endorsement"] == {"digest": shown["endorsement"]["digest"], "good": True}
    assert found["order"] == {"digest": shown["order"]["digest"], "signer": shown["order"]["address"]}
