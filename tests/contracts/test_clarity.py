"""The Clarity contracts in the simulator: digests and keys as everywhere, and who may do what when."""

import re
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.chain.platforms.calls import Facts
from gateway.chain.platforms.stacks import NUMBERS, StacksPlatform, verifying_contract
from gateway.chain.send_state import Draft, Fees
from gateway.chain.stacks import side
from gateway.chain.stacks.address import TESTNET_ID
from gateway.chain.stacks.codec import Err, Int, Ok, Some, UInt
from gateway.chain.stacks.transaction import read_payload
from gateway.evidence import possession, typed
from gateway.evidence import records as chains
from gateway.evidence.signer import ORDER, KeySigner
from gateway.evidence.typed import (
    GENESIS,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
    Setup,
)
from gateway.model import Limits
from gateway.principal import parse
from tests.chain.people import SITE, delivery, interval
from tests.chain.stacks_ground import OPERATOR, OWNER, STRANGER, STX, stacks_node

FIRST, SECOND = KeySigner(b"\x11" * 32), KeySigner(b"\x22" * 32)
NO_KEY, BAD_SIGNATURE, SEQUENCE, PREVIOUS, KIND, CONSENT, USED = (
    Err(UInt(n)) for n in (201, 202, 203, 204, 205, 206, 207)
)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node():
    async with stacks_node() as found:
        yield found


class Links:
    """Records of a facility's chain, signed, and what the contract says to each."""

    def __init__(self, node, facility: int, signer=FIRST) -> None:
        self.node, self.facility, self.signer = node, facility, signer
        self.platform = StacksPlatform(node.settings(facility))
        self.domain = Domain(TESTNET_ID, self.platform.evidence_contract)
        self.sequence, self.previous = 0, GENESIS

    def next(self, body, **changed):
        record = chains.seal(
            changed.get("domain", self.domain), changed.get("site", SITE),
            changed.get("sequence", self.sequence + 1), changed.get("previous", self.previous), body,
        )  # fmt: skip
        return chains.signed(record, self.signer.sign(record.digest))

    async def said(self, record):
        """What the contract says: the same before, when it is only asked, and when it is done."""
        call = read_payload(self.platform.record_call(record).data)
        asked = await self.node.ask("record-chain", call.function.replace("submit", "check"), *call.arguments)
        done = await self.node.do("record-chain", call.function, *call.arguments, sender=STRANGER)
        assert isinstance(asked, Ok) == isinstance(done, Ok)
        assert isinstance(done, Ok) or asked == done
        return done

    async def take(self, body, **changed):
        record = self.next(body, **changed)
        assert await self.said(record) == Ok(True)
        self.sequence, self.previous = record.sequence, record.digest
        return record

    def rotation(self, key: KeySigner, asset: int = 0) -> Rotation:
        asset = asset or self.facility
        consent = key.sign(possession.digest(self.domain, self.signer.address, asset, SITE))
        return Rotation(5, key.address.lower(), asset, consent)


async def links(node, secret: int) -> Links:
    """Of a new facility with a key of its own."""
    facility = await node.register()
    found = Links(node, facility, KeySigner(bytes((secret,)) * 32))
    assert await node.bind(facility, found.signer, found.platform.evidence_contract) == Ok(True)
    return found


async def test_the_type_hashes_are_those_of_the_attestation_page():
    text = Path("hardware-in-loop/contracts/clarity/record-chain.clar").read_text()
    said = re.findall(r"0x([0-9a-f]{64})", text)
    types = (
        typed.DOMAIN_TYPE, "Gridseal", "1", possession.TYPE, typed.INTERVAL_TYPE, typed.DELIVERY_TYPE,
        typed.GAP_TYPE, typed.SETUP_TYPE, typed.ROTATION_TYPE, typed.REVOCATION_TYPE,
    )  # fmt: skip
    assert said[: len(types)] == [typed.keccak(t.encode()).hex() for t in types]


async def test_domain_and_digests_are_those_of_the_gateway(node):
    contract = verifying_contract(parse(node.contracts["record-chain"]))
    domain = Domain(TESTNET_ID, contract)
    assert await node.ask("record-chain", "verifying-contract") == bytes.fromhex(contract[2:])
    assert await node.ask("record-chain", "domain-separator") == domain.separator
    consent = FIRST.sign(bytes(32))
    bodies = {
        "interval": interval(3),
        "delivery": replace(delivery("ab" * 32, 5, 9, -250), power_min_w=-5000),
        "gap": Gap(1, 2, 3, GapCause.RESTORED),
        "setup": Setup(1, b"\1" * 32, b"\2" * 32, "gridseal 0"),
        "rotation": Rotation(1, SECOND.address.lower(), 7, consent),
        "revocation": Revocation(1, RevocationReason.RETIRED),
    }
    for kind, body in bodies.items():
        words = typed.words(SITE, 4, b"\3" * 32, body)
        digest = typed.digest(domain, SITE, 4, b"\3" * 32, body)
        assert await node.ask("record-chain", "record-digest", UInt(NUMBERS[kind]), words) == Ok(digest)
    assert await node.ask("record-chain", "record-digest", UInt(7), words) == KIND


async def test_a_facility_is_approved_by_the_administrator_alone(node):
    name, facility = "facility-verification", await node.register(approve=False)
    assert await node.ask(name, "is-approved", UInt(facility)) is False
    assert await node.do(name, "approve-facility", UInt(facility), sender=OWNER) == Err(UInt(100))
    assert await node.do(name, "approve-facility", UInt(999)) == Err(UInt(101))
    assert await node.do(name, "approve-facility", UInt(facility)) == Ok(UInt(1))
    assert await node.do(name, "approve-facility", UInt(facility)) == Err(UInt(102))
    assert await node.ask(name, "is-approved", UInt(facility)) is True
    assert await node.do(name, "reject-facility", UInt(facility)) == Ok(UInt(2))
    assert await node.ask(name, "is-approved", UInt(facility)) is False


async def test_every_kind_of_record_has_its_place_in_the_chain(node):
    chain = await links(node, 0x31)
    facility, key = UInt(chain.facility), bytes.fromhex(chain.signer.address[2:])
    await chain.take(interval(0))
    await chain.take(Setup(1, b"\1" * 32, b"\2" * 32, "gridseal 0"))
    await chain.take(delivery("cd" * 32, 1000, 2000, -250))
    await chain.take(Gap(1, 2, 0, GapCause.READINGS_DROPPED))
    assert await node.ask("record-chain", "last-sequence", key) == UInt(4)
    kept = await node.ask("record-chain", "get-latest", facility)
    i = interval(0)
    assert (kept.value["sequence"], kept.value["charged"], kept.value["soc"]) == (
        UInt(1), UInt(i.charged_wh), UInt(i.soc_bp),
    )  # fmt: skip
    delivered = await node.ask("record-chain", "get-delivery", facility, b"\xcd" * 32)
    assert (delivered.value["energy"], delivered.value["outcome"]) == (Int(-250), UInt(2))

    successor = KeySigner(b"\x32" * 32)
    rotation = await chain.take(chain.rotation(successor))
    chain.signer = successor
    assert await node.ask("record-chain", "gateway-of", facility) == Some(
        bytes.fromhex(successor.address[2:])
    )
    assert await node.ask("record-chain", "predecessor-of", bytes.fromhex(successor.address[2:])) == Some(key)
    assert chain.previous == rotation.digest
    await chain.take(interval(1))
    await chain.take(Gap(1, 2, 0, GapCause.RESTORED), sequence=20_000)
    await chain.take(Revocation(9, RevocationReason.RETIRED))
    assert await node.ask("record-chain", "gateway-of", facility) is None
    assert await chain.said(chain.next(interval(2))) == NO_KEY


async def test_what_is_not_the_next_link_is_refused(node):
    chain = await links(node, 0x41)
    first = await chain.take(interval(0))
    assert await chain.said(first) == SEQUENCE, "once"
    s = int.from_bytes(first.signature[32:64], "big")
    flipped = first.signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes((55 - first.signature[64],))
    assert await chain.said(replace(first, signature=flipped)) == SEQUENCE, "nor with the high s"
    good = chain.next(interval(1))
    assert await chain.said(chain.next(interval(1), sequence=3)) == SEQUENCE
    assert await chain.said(chain.next(interval(1), previous=b"\5" * 32)) == PREVIOUS
    assert await chain.said(chain.next(interval(1), site="elsewhere")) == PREVIOUS
    for recovery in (0, 1, 26, 29):
        wrong = good.signature[:64] + bytes((recovery,))
        assert await chain.said(replace(good, signature=wrong)) == BAD_SIGNATURE
    other = chain.next(interval(2))
    assert await chain.said(replace(good, signature=other.signature)) == NO_KEY, "not what was signed"
    for cause in (GapCause.READINGS_DROPPED, GapCause.NOT_ENCODABLE):
        assert await chain.said(chain.next(Gap(1, 2, 0, cause), sequence=9)) == SEQUENCE
    skipping = chain.next(Gap(1, 2, 0, GapCause.NOT_ENCODABLE), sequence=3)
    assert await chain.said(skipping) == Ok(True), "passes over one"


async def test_a_key_is_bound_once_and_only_when_it_agrees(node):
    chain = await links(node, 0x51)
    contract, facility = chain.platform.evidence_contract, await node.register()
    assert await node.bind(facility, chain.signer, contract) == USED
    assert await node.bind(facility, KeySigner(b"\x52" * 32), contract, binder=STRANGER) == CONSENT
    assert await node.bind(facility, KeySigner(b"\x52" * 32), "0x" + "11" * 20) == CONSENT
    assert await node.bind(10**6, KeySigner(b"\x52" * 32), contract) == Err(UInt(200))
    replacement = KeySigner(b"\x53" * 32)
    await chain.take(interval(0))
    assert await node.bind(chain.facility, replacement, contract) == Ok(True), "the owner replaces a lost one"
    assert await chain.said(chain.next(interval(1))) == NO_KEY
    fresh = Links(node, chain.facility, replacement)
    await fresh.take(Gap(1, 2, 0, GapCause.STORE_LOST))
    refused = fresh.next(fresh.rotation(KeySigner(b"\x54" * 32), asset=facility))
    assert await fresh.said(refused) == Err(UInt(208))
    assert await fresh.said(fresh.next(fresh.rotation(chain.signer))) == USED


async def test_capacity_and_actions_are_the_gateways_own(node):
    chain = await links(node, 0x61)
    account, facility = await node.fund(chain.signer), UInt(chain.facility)
    name = "capacity-tracking"
    assert await node.do(name, "update-capacity", facility, UInt(1), sender=account) == Err(UInt(302))
    assert await node.do(name, "initialize-capacity", facility, UInt(9000), sender=OWNER) == Err(UInt(300))
    assert await node.do(name, "initialize-capacity", facility, UInt(9000), sender=account) == Ok(True)
    assert await node.do(name, "update-capacity", facility, UInt(9001), sender=account) == Err(UInt(303))
    assert await node.do(name, "update-capacity", facility, UInt(4000), sender=account) == Ok(True)
    kept = (await node.ask(name, "get-capacity", facility)).value
    assert (kept["total-wh"], kept["available-wh"]) == (UInt(9000), UInt(4000))
    await node.do("facility-verification", "reject-facility", facility)
    assert await node.do(name, "initialize-capacity", facility, UInt(1), sender=account) == Err(UInt(301))

    name = "charge-discharge"
    await chain.take(interval(0))
    await chain.take(interval(1))
    assert await node.do(name, "record-action", facility, UInt(1), sender=OWNER) == Err(UInt(400))
    assert await node.do(name, "record-action", facility, UInt(9), sender=account) == Err(UInt(401))
    assert await node.do(name, "record-action", facility, UInt(1), sender=account) == Ok(True)
    assert await node.do(name, "record-action", facility, UInt(1), sender=account) == Err(UInt(402))
    assert await node.do(name, "record-action", facility, UInt(2), sender=account) == Ok(True)
    totals = await node.ask(name, "get-totals", facility)
    assert totals["charged-wh"] == UInt(interval(0).charged_wh + interval(1).charged_wh)
    action = (await node.ask(name, "get-action", facility, UInt(1))).value
    assert action["action"].text == "charge"


async def test_a_suggestion_follows_demand_and_charge(node):
    chain, name = await links(node, 0x71), "charge-discharge"
    facility = UInt(chain.facility)

    async def suggested(level: int):
        assert await node.do(name, "set-demand-level", UInt(level), UInt(10), UInt(20)) == Ok(True)
        return await node.ask(name, "get-suggested-action", facility)

    assert await node.do(name, "set-demand-level", UInt(2), UInt(10), UInt(20), sender=OWNER) == Err(
        UInt(400)
    )
    assert await node.do(name, "set-demand-level", UInt(2), UInt(20), UInt(20)) == Err(UInt(403))
    assert await suggested(3) is None, "nothing is known of its charge"
    assert (await suggested(0)).value["power-w"] == Int(-2500)
    await chain.take(interval(0))  # 55 %
    found = [await suggested(level) for level in (0, 1, 2, 3)]
    assert [f and f.value["power-w"].value for f in found] == [-2500, None, 2500, 5000]
    assert len({f.value["command"] for f in found if f}) == 3
    await chain.take(replace(interval(1), soc_bp=9600))
    assert await suggested(0) is None
    await chain.take(replace(interval(2), soc_bp=1400))
    assert await suggested(3) is None


async def test_a_request_is_paid_by_its_delivery_and_shared(node):
    chain, name = await links(node, 0x81), "grid-services"
    account, facility = await node.fund(chain.signer), UInt(chain.facility)
    now_s = await node.time_s()
    window = (UInt(now_s), UInt(now_s + 900))

    async def ask_for(energy_wh: int, payment: int = 10 * STX) -> UInt:
        made = await node.do(
            name, "request-service", facility, UInt(2), *window, Int(energy_wh), [Int(2000)], UInt(payment),
            sender=OPERATOR,
        )  # fmt: skip
        assert isinstance(made, Ok), made
        return made.value

    assert await node.do(name, "set-frequency-target", UInt(60_000), sender=OWNER) == Err(UInt(500))
    assert await node.do(name, "set-frequency-target", UInt(60_000)) == Ok(True)
    past = (UInt(1), UInt(2))
    terms = (Int(500), [Int(2000)], UInt(STX))
    assert await node.do(name, "request-service", facility, UInt(2), *past, *terms) == Err(UInt(502))
    requests = [await ask_for(500) for _ in range(4)]
    kept = [(await node.ask(name, "get-request", r)).value for r in requests]
    assert kept[0]["target-mhz"] == UInt(60_000)
    assert len({k["command"] for k in kept}) == 4
    assert await node.do(name, "fulfill-request", requests[0], sender=account) == Err(UInt(505))
    for k, energy, begin_s in zip(kept, (490, 300, 100, 500), (0, 0, 0, -60), strict=True):
        body = delivery(k["command"].hex(), (now_s + begin_s) * 1000, (now_s + 900) * 1000, energy)
        await chain.take(body)
    assert await node.do(name, "fulfill-request", requests[0], sender=OWNER) == Err(UInt(500))
    shares = [await node.do(name, "fulfill-request", r, sender=account) for r in requests]
    assert shares == [Ok(UInt(10_000)), Ok(UInt(6000)), Ok(UInt(0)), Err(UInt(502))]
    assert await node.do(name, "fulfill-request", requests[0], sender=account) == Err(UInt(504))
    assert await node.do(name, "cancel-request", requests[3], sender=OPERATOR) == Err(UInt(506))

    revenue, half = "revenue-sharing", {"who": parse(STRANGER), "share-bp": UInt(2500)}
    assert await node.do(revenue, "set-shares", facility, [half], sender=OWNER) == Err(UInt(601))
    rest = {"who": parse(OWNER), "share-bp": UInt(7500)}
    assert await node.do(revenue, "set-shares", facility, [half, rest], sender=STRANGER) == Err(UInt(600))
    assert await node.do(revenue, "set-shares", facility, [half, rest], sender=OWNER) == Ok(True)
    before = [await node.balance(who) for who in (OWNER, OPERATOR, STRANGER)]
    paid = [await node.do(name, "settle-request", r, sender=STRANGER) for r in requests]
    assert paid == [Ok(UInt(10 * STX)), Ok(UInt(6 * STX)), Ok(UInt(0)), Err(UInt(504))]
    assert await node.do(name, "settle-request", requests[0], sender=STRANGER) == Err(UInt(504))
    assert await node.do(revenue, "distribute", facility, sender=STRANGER) == Ok(UInt(16 * STX))
    assert await node.do(revenue, "distribute", facility, sender=STRANGER) == Err(UInt(602))
    after = [await node.balance(who) for who in (OWNER, OPERATOR, STRANGER)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [12 * STX, 14 * STX, 4 * STX]
    assert (await node.ask(revenue, "get-distribution", facility, UInt(1))).value["amount"] == UInt(16 * STX)


# What is sent -> bytes of its transaction (its fee is reckoned by them), and the most runtime its call may
# take. Clarity's costs are deterministic; a block holds 5,000,000,000 of runtime and 15,000 writes.
COSTS = {
    "interval": (900, 300_000),
    "action": (206, 100_000),
    "capacity": (213, 50_000),
    "available": (209, 50_000),
    "delivery": (900, 300_000),
    "fulfil": (188, 120_000),
    "setup": (484, 200_000),
    "rotation": (608, 400_000),
}


async def test_what_each_transaction_of_the_gateway_costs(node):
    chain = await links(node, 0xA1)
    await node.fund(chain.signer)
    wallet, nonces, found = side.wallet(TESTNET_ID, chain.signer), count(), {}

    async def sent(what: str, call) -> None:
        name, raw = wallet.sign(Draft(next(nonces), call.contract, call.data, call.gas, Fees(1, 1)))
        assert await node.publish(raw) == name
        await node.mine()
        (mined,) = [t for t in await node.people("mined") if t["tx_id"] == name]
        assert mined["tx_status"] == "success"
        assert len(raw) == int(mined["fee_rate"]) == call.gas
        cost = mined["execution_cost"]
        assert cost["writeCount"] <= 10
        found[what] = (len(raw), cost["runtime"])

    async def recorded(what: str, body) -> None:
        record = chain.next(body)
        chain.sequence, chain.previous = record.sequence, record.digest
        await sent(what, chain.platform.record_call(record))
        for name, call in chain.platform.follow_ups(record, str(request), None):
            await sent(name.split("/")[0], call)

    begin_s = await node.time_s()
    terms = (UInt(2), UInt(begin_s), UInt(begin_s + 900), Int(250), [Int(4000), Int(20), Int(200)], UInt(STX))
    asked = await node.do("grid-services", "request-service", UInt(chain.facility), *terms, sender=OPERATOR)
    request = asked.value.value
    known = (await node.ask("grid-services", "get-request", UInt(request))).value
    for number in range(2):
        await recorded("interval", interval(number))
    for report in chain.platform.reports(Facts(0, Limits(5000, 5000), capacity_wh=10_000, available_wh=6200)):
        await sent(report.subject, report.call)
    window = begin_s * 1000, (begin_s + 900) * 1000
    await recorded("delivery", delivery(known["command"].hex(), *window, 250))
    await recorded("setup", Setup(1, b"\1" * 32, b"\2" * 32, "gridseal 0"))
    await recorded("rotation", chain.rotation(KeySigner(b"\xa2" * 32)))
    assert found.keys() == COSTS.keys()
    for what, (size, runtime) in found.items():
        assert size == COSTS[what][0], what
        assert runtime <= COSTS[what][1], what
