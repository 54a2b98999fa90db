"""kill -9 of the real daemon at 30 random moments: what was promised survives, nothing happens twice.

Rig, EVM, broker and subscriber are other processes and know nothing of the kills. Grid services are
ordered on chain meanwhile, each with a power of its own, so that the rig's journal tells them apart. What
is counted is printed as one line of JSON (pytest -s).
"""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiomqtt import Client
from rig import deploy

from gateway import config
from gateway.errors import LinkError
from gateway.uplink.local import ask
from tests import processes
from tests.system import stage
from tests.system.ledger import Book, chain_story, executions, lives_of, repeated

KILLS = 30
LIFE_S = (0.2, 4.0)  # the store is open after 0.7 s, the inverter reached after 1.5
SERVICES_MAX = 60
ORDER_PAUSE_S = 2.0  # a registration and an order take two blocks as well
LEAD_S, LAST_S = 2, 7  # a service begins so long after its order, and lasts so long
DRAIN_S = 40.0


@dataclass
class Heard:
    """A subscriber whose session the broker keeps: every message, by sequence."""

    port: int
    messages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        client = Client("127.0.0.1", self.port, identifier="witness", clean_session=False)
        async with client:
            await client.subscribe("gridseal/meadow/+", qos=1)
            self.listening.set()
            async for message in client.messages:
                if message.topic.value.rsplit("/", 1)[1] not in config.TAKEN:
                    said = json.loads(message.payload)
                    self.messages.setdefault(int(said["id"].rsplit("-", 1)[1]), []).append(said)


@dataclass
class Orders:
    """Grid services ordered on chain now and then, each of another power, until told to stop."""

    market: deploy.Market
    storage: int
    powers: dict[str, int] = field(default_factory=dict)
    enough: bool = False

    async def run(self) -> None:
        for number in range(SERVICES_MAX):
            service = await self.market.register_service(self.storage, "load-shifting")
            power_w = (1000 + 50 * number) * (-1 if number % 3 == 2 else 1)
            begin_s = int(time.time()) + LEAD_S
            energy_wh = power_w * LAST_S // 3600
            name = await self.market.order(
                service, begin_s, begin_s + LAST_S, energy_wh, [power_w], deploy.ETHER // 1000
            )
            self.powers[name] = power_w
            if self.enough:
                return
            await asyncio.sleep(ORDER_PAUSE_S)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[deploy.Market, int, Heard, str]]:
    """Everything but the daemon, and a site.yaml for it."""
    async with AsyncExitStack() as stack:
        where = stack.enter_context(processes.rig(folder, "--tcp", "0", "--slcan"))
        node = stack.enter_context(stage.node(folder, block_s=1.0, finality=1))
        port = stack.enter_context(stage.broker(folder))
        key = stage.new_key(folder)
        market, storage = await stack.enter_async_context(stage.market(node, key))
        mqtt = f'mqtt: {{url: "mqtt://127.0.0.1:{port}"}}\n'
        (folder / "site.yaml").write_text(stage.site(where, stage.chain(node, storage) + mqtt))
        yield market, storage, Heard(port), key.address


async def wait_for(what: str, probe: Any, seconds: float = stage.LONG_S, seen: Any = "") -> Any:
    try:
        async with asyncio.timeout(seconds):
            while not (found := await probe()):
                await asyncio.sleep(0.1)
            return found
    except TimeoutError:
        pytest.fail(f"not within {seconds:.0f} s: {what} {seen}")


async def kill_again_and_again(
    daemon: stage.Daemon, book: Book, rng: random.Random, starts_ms: list[int], scratch: Path
) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(*LIFE_S))
        assert daemon.running, f"it ended by itself: {daemon.said[-3:]}"
        daemon.end(signal.SIGKILL)
        book.read(daemon.folder / "store.db", scratch)
        starts_ms.append(time.monotonic_ns() // 1_000_000)
        daemon.start()


async def drained(daemon: stage.Daemon, status: dict[str, Any]) -> bool:
    """All that was sealed when this was first asked is confirmed, no order runs. `status`: what was seen.

    New records are sealed all the time, so there need be no moment in which nothing is on its way.
    """
    try:
        status.update(await ask(daemon.folder / "control.sock", {"do": "status"}))
    except LinkError:
        return False  # not up yet
    goal = status.setdefault("goal", status["records"]["sequence"])
    return status["chain"]["confirmed"] >= goal > 0 and status["control"]["command"] is None


@pytest.mark.timeout(200)
async def test_kill_9_at_random_moments(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seed = int(os.environ.get("GRIDSEAL_SEED", "1"))
    print(f"\nseed {seed} (GRIDSEAL_SEED)")
    book, starts_ms, scratch, status = Book(), [], tmp_path / "scratch", {}
    store = tmp_path / "store.db"
    scratch.mkdir()
    async with scene(tmp_path) as (market, storage, heard, address):
        daemon = stage.Daemon(tmp_path)
        try:
            starts_ms.append(time.monotonic_ns() // 1_000_000)
            daemon.start()
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(heard.run())

                async def first() -> bool:
                    return await market.last_sequence(address) > 0

                await wait_for("the first record on chain", first)
                await market.verify_installation(storage)
                orders = Orders(market, storage)
                ordering = group.create_task(orders.run())
                await kill_again_and_again(daemon, book, random.Random(seed), starts_ms, scratch)
                orders.enough = True
                await ordering
                await asyncio.sleep(LEAD_S + LAST_S)
                await wait_for("everything is on chain", lambda: drained(daemon, status), DRAIN_S, status)
                assert daemon.end() == 0, daemon.said[-3:]
                book.read(store, scratch)
                await wait_for("the subscriber has it all", lambda: caught_up(heard, store))
                listener.cancel()
            counts = await judge(tmp_path, market, address, book, heard, orders, starts_ms)
        finally:
            if daemon.running:
                daemon.end()
    print(json.dumps({"seed": seed, **counts}))
    assert not book.wrong, "\n".join(book.notes[:20])
    assert counts["writes_outside_envelope"] == 0
    assert counts["samples_unheard"] == counts["orders_lost"] == 0
    assert counts["orders_carried_out"] > 0 and counts["records_on_chain"] > 0


async def caught_up(heard: Heard, store: Path) -> bool:
    """What was committed after the uplink ended is published by the next start."""
    return max(heard.messages, default=0) >= acknowledged(store)


def acknowledged(store: Path) -> int:
    ((position,),) = stage.rows(store, "SELECT number FROM cursor WHERE name = 'mqtt'")
    return position


async def judge(
    folder: Path,
    market: deploy.Market,
    address: str,
    book: Book,
    heard: Heard,
    orders: Orders,
    starts_ms: list[int],
) -> dict[str, Any]:
    """Compare store, broker, chain and rig with each other; contradictions go into the book."""
    store = folder / "store.db"
    kept = {
        seq: (at, device)
        for seq, at, device in stage.rows(
            store, "SELECT s.seq, s.wall_ms, p.device FROM sample s JOIN point_set p ON p.id = s.set_id"
        )
    }
    for seq, said in heard.messages.items():
        if any(kept.get(seq) != (m["at"], m["device"]) for m in said):
            book.complain("acknowledged_lost", f"sample {seq} was published and is not in the store")
    accepted, mined = await chain_story(market.node, address)
    for sequence, digests in accepted.items():
        if set(digests) != {book.digests.get(sequence)} or len(digests) > 1:
            book.complain("sequences_twice", f"the chain holds another record {sequence}")
    nonces, calls = repeated(mined)
    book.wrong.update({"nonces_reused": nonces, "calls_twice": calls} if nonces or calls else {})
    rig = await ask(folder / "rig.sock", {"do": "state"})
    journal = (await ask(folder / "rig.sock", {"do": "journal", "last": 1000}))["entries"]
    assert len(journal) == rig["writes"], "the rig's journal is not whole"
    lives = lives_of(journal, starts_ms)
    ran = {name: executions(lives, power) for name, power in orders.powers.items()}
    for name, seen in ran.items():
        if len(seen) > 1:
            book.complain("commands_twice", f"{orders.powers[name]} W in lives {seen}")
    for life, entries in lives.items():
        if entries[0]["demand_w"]:
            book.complain("not_fallback_first", f"life {life} began with {entries[0]['demand_w']} W")
    states = [book.commands.get(name, "lost") for name in orders.powers]
    return {
        "kills": KILLS,
        "starts": len(starts_ms),
        "starts_that_opened_the_store": book.boots,
        "samples_stored": len(kept),
        "samples_acknowledged": len(heard.messages),
        "messages_repeated": sum(len(m) - 1 for m in heard.messages.values()),
        "samples_unheard": sum(seq <= acknowledged(store) for seq in kept.keys() - heard.messages.keys()),
        "acknowledged_lost": book.wrong["acknowledged_lost"] + book.wrong["samples_lost"],
        "records_signed": len(book.signatures),
        "records_on_chain": len(accepted),
        "sequences_signed_twice": book.wrong["sequences_twice"],
        "transactions_mined": len(mined),
        "transactions_reverted": sum(not t["ok"] for t in mined),
        "nonces_reused": book.wrong["nonces_reused"],
        "calls_mined_twice": book.wrong["calls_twice"],
        "orders": len(orders.powers),
        "orders_carried_out": sum(bool(seen) for seen in ran.values()),
        "orders_carried_out_twice": book.wrong["commands_twice"],
        "orders_lost": states.count("lost"),
        "orders_by_state": {state: states.count(state) for state in sorted(set(states))},
        "writes": rig["writes"],
        "writes_outside_envelope": rig["writes_outside_envelope"],
    }
