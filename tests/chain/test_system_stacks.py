"""Platform `stacks` end to end, over the stand-in for a node: register, approve, attest, report, obey,
prove, be paid."""

import asyncio
import json
import time
from pathlib import Path

from gateway import cli
from gateway.chain import reporter, txmgr
from gateway.chain.platforms.calls import Facts
from gateway.chain.stacks.codec import Int, Ok, UInt, decode
from gateway.cli import against
from gateway.config import load
from gateway.evidence.signer import make_keystore
from gateway.model import Limits, ServiceKind
from tests.chain.ground import GATEWAY_KEY, running
from tests.chain.people import SITE, delivery, interval
from tests.chain.stacks_ground import OPERATOR, OWNER, STX, stacks_node
from tests.chain.world import KeySigner
from tests.gateway.cli_bench import write

REGULATION, PAYMENT = 0, 10 * STX
FACTS = Facts(0, Limits(5000, 5000), capacity_wh=10_000, available_wh=6200)


async def test_from_registration_to_payment(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reporter, "POLL_S", 0.1)
    monkeypatch.setattr(txmgr, "REFUSAL_PAUSE_MS", 100)
    known = []
    async with stacks_node() as node:
        verbs = Verbs(capsys, sitefile(tmp_path, node))
        settings, signer = load(verbs.site).chain, KeySigner(GATEWAY_KEY)
        await verbs.do("check", verbs.site)
        call = await verbs.said("register", verbs.site, "--owner", OWNER, "--capacity", "10 kWh")
        assert await by_wallet(node, call) == Ok(UInt(1))
        async with running(settings, tmp_path, node.mine, lambda: known[0] if known else None) as site:
            await site.attestor.attest(interval(0))
            account = await node.fund(signer)

            async def refused() -> bool:
                return "check-record says error 201" in site.chain.status()["trouble"]

            await site.until(refused)  # the key is not bound yet: nothing is paid for that

            proof = await verbs.said("keys", "prove", verbs.site, "--owner", OWNER, "--json")
            assert proof["account"] == account
            assert await by_wallet(node, json.loads(proof["call"])) == Ok(True)
            known.append(FACTS)

            async def unapproved() -> bool:
                return "is-approved says no" in site.chain.status()["trouble"]

            await node.do("facility-verification", "reject-facility", UInt(1))
            await site.until(unapproved)  # nor is anything told of a facility that is rejected
            await node.do("facility-verification", "approve-facility", UInt(1))
            await site.attestor.attest(interval(1))
            await site.until(lambda: counted(node, 2))
            totals = await node.ask("charge-discharge", "get-totals", UInt(1))
            assert totals["charged-wh"] == UInt(2 * interval(0).charged_wh)
            await site.until(lambda: told(node))

            begin_s = int(time.time())
            window = (UInt(begin_s), UInt(begin_s + 7200))
            await node.do("charge-discharge", "set-demand-level", UInt(2), *window)
            command = await site.command()
            assert (command.kind, dict(command.parameters)) == (ServiceKind.FIXED_POWER, {"power_w": 2500})
            assert command.not_after_ms == (begin_s + 7200) * 1000

            await node.do("grid-services", "set-frequency-target", UInt(59_990))
            terms = (Int(250), [Int(v) for v in (4000, 20, 200)], UInt(PAYMENT))
            asked = await node.do(
                "grid-services", "request-service", UInt(1), UInt(REGULATION), *window, *terms,
                sender=OPERATOR,
            )  # fmt: skip
            assert asked == Ok(UInt(1))
            order = await site.command(2)
            assert order.kind is ServiceKind.FREQUENCY
            said = order.parameters
            assert (said["power_w"], said["deadband_mhz"], said["target_mhz"]) == (4000, 20, 59_990)
            await site.attestor.attest(delivery(order.id, order.not_before_ms, order.not_after_ms, 250))
            await site.until(lambda: fulfilled(node))
            await site.quiet()

            before = await node.balance(OWNER)
            assert await node.do("grid-services", "settle-request", UInt(1), sender=OPERATOR) == Ok(
                UInt(PAYMENT)
            )
            assert await node.do("revenue-sharing", "distribute", UInt(1), sender=OPERATOR) == Ok(
                UInt(PAYMENT)
            )
            assert await node.balance(OWNER) - before == PAYMENT
            await nothing_twice(site, node, account)
            held = await asyncio.to_thread(against.held, verbs.site, [signer.address])
            assert (held.bound, held.last) == (signer.address, {signer.address: 3})
        async with running(settings, tmp_path, node.mine, lambda: known[0]) as site:
            for _ in range(5):
                await node.mine()
                await asyncio.sleep(0.2)
            await nothing_twice(site, node, account)
            repeated = {command.id for command in site.commands}
            assert repeated == {command.id}, "only what is still suggested, whose id control knows"


class Verbs:
    """The command line on a site.yaml, in a thread: it asks the node that this loop drives."""

    def __init__(self, capsys, site: Path) -> None:
        self.capsys, self.site = capsys, site

    async def do(self, *words: object) -> str:
        self.capsys.readouterr()
        code = await asyncio.to_thread(cli.main, [str(word) for word in words])
        found = self.capsys.readouterr()
        assert code == 0, found.err
        return found.out

    async def said(self, *words: object) -> dict:
        return dict(json.loads(await self.do(*words)))


def sitefile(folder: Path, node) -> Path:
    (folder / "key.json").write_bytes(make_keystore(bytes.fromhex(GATEWAY_KEY[2:]), b"w", 2))
    (folder / "words").write_text("w\n")
    path = write(folder)
    made = node.settings()
    path.write_text(
        path.read_text().replace("id: here", f"id: {SITE}")
        + f"""\
attest: {{key: key.json, passphrase: words}}
chain:
  platform: stacks
  network: testnet
  api: {json.dumps(made.rpc)}
  contracts: {json.dumps(made.contracts)}
  facility: 1
  confirmations: 2
  poll: 50 ms
"""
    )
    return path


async def by_wallet(node, call: dict):
    """The owner's wallet makes the call that a verb printed."""
    name = call["contract"].partition(".")[2]
    given = [decode(bytes.fromhex(a[2:])) for a in call["functionArgs"]]
    return await node.do(name, call["functionName"], *given, sender=OWNER)


async def counted(node, sequence: int) -> bool:
    return (await node.ask("charge-discharge", "get-totals", UInt(1)))["sequence"] == UInt(sequence)


async def told(node) -> bool:
    found = await node.ask("capacity-tracking", "get-capacity", UInt(1))
    return found is not None and (found.value["total-wh"], found.value["available-wh"]) == (
        UInt(10_000), UInt(6000),
    )  # fmt: skip


async def fulfilled(node) -> bool:
    return (await node.ask("grid-services", "get-request", UInt(1))).value["state"] == UInt(2)


async def nothing_twice(site, node, account: str) -> None:
    """What went out: three records, two actions, two reports, a fulfilment; each in one transaction, at the
    price that was noted, and none that the contract or a post-condition aborted."""
    states = await site.store.call(
        lambda conn: conn.execute(
            "SELECT key, state, nonce, cost_wei, paid_wei FROM intent ORDER BY nonce"
        ).fetchall()
    )
    assert {state for _, state, *_ in states} == {"confirmed"}
    begins = sorted(key.split("/")[0] for key, *_ in states)
    assert begins == ["action"] * 2 + ["fulfil"] + ["record"] * 3 + ["report"] * 2
    mined = [t for t in await node.people("mined") if t["sender_address"] == account]
    assert sorted(t["nonce"] for t in mined) == [nonce for _, _, nonce, *_ in states] == list(range(8))
    assert {t["tx_status"] for t in mined} == {"success"}
    assert await node.balance(account) == 1000 * STX - sum(cost + paid for *_, cost, paid in states)
