"""What the kill test remembers from one life of the daemon to the next, and what it finds wrong.

Everything is learnt from copies of the database taken between a kill and the next start, from the chain,
from the broker's subscriber and from the rig. It refuses to believe the daemon's own account of itself.
"""

import contextlib
import shutil
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_utils import keccak
from rig.deploy import Node, artifact

ORDER = {"refused": 9, "admitted": 0, "running": 1, "done": 9, "cut-short": 9}  # states only go forward
EVENTS = {
    "IntervalAccepted": ("uint256", "bytes32"),
    "DeliveryAccepted": ("uint256", "bytes32", "int64"),
    "GapAccepted": ("uint256", "uint256", "bytes32", "uint64", "uint8"),
}


@dataclass
class Book:
    """One entry a thing that may be only once; `wrong` collects what contradicts an earlier entry."""

    digests: dict[int, bytes] = field(default_factory=dict)
    signatures: dict[int, bytes] = field(default_factory=dict)
    nonces: dict[int, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    samples: int = 0
    boots: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def complain(self, kind: str, text: str) -> None:
        self.wrong[kind] += 1
        self.notes.append(f"{kind}: {text}")

    def read(self, database: Path, scratch: Path) -> None:
        """Compare a database that was just left behind with what was known of it. It is not touched."""
        if not database.exists():
            return
        copy = scratch / "copy.db"
        for suffix in ("", "-wal"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
            if Path(f"{database}{suffix}").exists():
                shutil.copy(f"{database}{suffix}", f"{copy}{suffix}")
        Path(f"{copy}-shm").unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(copy)) as conn:
            self._records(conn)
            self._nonces(conn)
            self._commands(conn)
            self._samples(conn)

    def _records(self, conn: sqlite3.Connection) -> None:
        found = {n: (d, s) for n, d, s in conn.execute("SELECT sequence, digest, signature FROM record")}
        for number, digest in self.digests.items():
            if number not in found:
                self.complain("records_lost", f"record {number} is no longer there")
            elif found[number][0] != digest:
                self.complain("sequences_twice", f"record {number} has another digest")
        for number, signature in self.signatures.items():
            if found.get(number, (b"", b""))[1] != signature:
                self.complain("sequences_twice", f"record {number} has another signature")
        self.digests |= {n: d for n, (d, _) in found.items()}
        self.signatures |= {n: s for n, (_, s) in found.items() if s}

    def _nonces(self, conn: sqlite3.Connection) -> None:
        query = "SELECT n.nonce, coalesce(i.key, '') FROM nonce n LEFT JOIN intent i ON i.id = n.intent"
        found = dict(conn.execute(query).fetchall())
        for nonce, key in self.nonces.items():
            if found.get(nonce) != key:
                self.complain("nonces_reused", f"nonce {nonce} was {key}, is {found.get(nonce)}")
        self.nonces |= found

    def _commands(self, conn: sqlite3.Connection) -> None:
        found = dict(conn.execute("SELECT id, state FROM command").fetchall())
        for name, state in self.commands.items():
            if name not in found or ORDER[found[name]] < ORDER[state]:
                self.complain("commands_back", f"{name[:8]} was {state}, is {found.get(name)}")
        self.commands |= found

    def _samples(self, conn: sqlite3.Connection) -> None:
        ((newest, count),) = conn.execute("SELECT coalesce(max(seq), 0), count(*) FROM sample").fetchall()
        if newest < self.samples or count < newest:
            self.complain("samples_lost", f"{count} samples up to {newest}, were {self.samples}")
        self.samples = newest
        ((self.boots,),) = conn.execute("SELECT coalesce(max(boot), 0) FROM boot").fetchall()


async def chain_story(node: Node, sender: str) -> tuple[dict[int, list[bytes]], list[dict[str, Any]]]:
    """Sequence -> digests that the contract accepted, and the sender's mined transactions."""
    topics = {_topic(name): name for name in EVENTS}
    accepted: dict[int, list[bytes]] = defaultdict(list)
    mined = []
    height = int(await node.call("eth_blockNumber"), 16)
    for number in range(height + 1):
        block = await node.call("eth_getBlockByNumber", hex(number), False)
        for name in block["transactions"]:
            found = await node.call("eth_getTransactionByHash", name)
            if found["from"].lower() != sender.lower():
                continue
            receipt = await node.call("eth_getTransactionReceipt", name)
            mined.append(found | {"ok": receipt["status"] == "0x1"})
            for log in receipt["logs"]:
                if event := topics.get(log["topics"][0]):
                    values = decode(EVENTS[event], bytes.fromhex(log["data"][2:]))
                    accepted[values[event == "GapAccepted"]].append(values[1 + (event == "GapAccepted")])
    return accepted, mined


def _topic(event: str) -> str:
    item = next(
        e for e in artifact("StorageVerification")["abi"] if e["type"] == "event" and e["name"] == event
    )
    return "0x" + keccak(text=f"{event}({','.join(i['type'] for i in item['inputs'])})").hex()


def repeated(mined: list[dict[str, Any]]) -> tuple[int, int]:
    """(nonces, successful calls) that were mined more than once."""
    nonces = Counter(t["nonce"] for t in mined)
    calls = Counter((t["to"], t["input"]) for t in mined if t["ok"])
    return sum(n > 1 for n in nonces.values()), sum(n > 1 for n in calls.values())


def lives_of(journal: list[dict[str, Any]], starts_ms: list[int]) -> dict[int, list[dict[str, Any]]]:
    """The rig's journal by the life of the daemon it falls in; both count the machine's monotonic ms."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in journal:
        found[sum(start <= entry["at_ms"] for start in starts_ms) - 1].append(entry)
    return found


def executions(lives: dict[int, list[dict[str, Any]]], power_w: int) -> list[int]:
    """The lives in which this power was commanded."""
    return [n for n, entries in sorted(lives.items()) if any(e["demand_w"] == power_w for e in entries)]
