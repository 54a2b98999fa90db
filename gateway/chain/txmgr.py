"""The transaction manager: carries every stored intent to the chain, once.

It owns the account's nonces and the loop over gateway.chain.send_state: look, decide, make durable, then
act. Whatever it knows that matters is in the store, so a new manager on the same store goes on where the
old one stopped. It refuses to send on an endpoint's word alone, past the fee cap, or past the day's budget.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.chain.faults import Fault, RpcError
from gateway.chain.quorum import GAS_MAX, Head
from gateway.chain.send_state import (
    DAY_MS,
    Accepted,
    Action,
    Draft,
    Fees,
    Looked,
    Mined,
    Phase,
    Policy,
    Rejected,
    SendState,
    affordable,
    bumped,
    bumped_fees,
    first_fees,
    step,
)
from gateway.chain.shapes import Receipt
from gateway.clock import Clock
from gateway.errors import ChainError
from gateway.model import ClockTrust
from gateway.store import Store, intents
from gateway.store.intents import Intent, Outgoing

WINDOW = 8  # transactions waiting for a block at once; nodes keep 16 or more of one account
SHALLOW_MAX = 64  # of those and the mined ones that are not deep yet
REORG_MAX = 1024  # blocks; a chain that lacks more of what was confirmed is another one
COST_MAX_WEI = 2**63 - 1  # of one transaction: as much as its row holds
REFUSALS_MAX = 30  # with the pauses below: a day in which somebody can bind the key or fund the site
REFUSAL_PAUSE_MS, REFUSAL_PAUSE_MOST_MS = 15_000, 3_600_000


class Operators(Protocol):
    """The chain as several operators agree on it (gateway.chain.quorum has what each answer means)."""

    async def ensure(self) -> None: ...

    async def head(self) -> Head: ...

    async def transaction_count(self, address: str, at: int) -> int: ...

    async def transaction_count_most(self, address: str) -> int: ...

    async def receipts(self, transaction: str) -> Sequence[Receipt | None]: ...

    async def knows(self, transaction: str) -> bool: ...

    async def tip(self) -> int: ...

    async def estimate_gas(self, sender: str, to: str, data: bytes) -> int: ...

    async def publish(self, raw: bytes) -> None: ...


Sign = Callable[[Draft], tuple[str, bytes]]  # hash and bytes; it may block for seconds, and raise LinkError


@dataclass(frozen=True, slots=True)
class SendStatus:
    """For people: how many calls wait and are on their way, and what is in the way of the next."""

    queued: int
    sent: int
    trouble: str


@dataclass(frozen=True, slots=True)
class _Refused:
    times: int
    again_ms: int
    said: str


class TxManager:
    """`run` until cancelled; ChainError when the chain is not reachable (run it again later)."""

    def __init__(
        self,
        store: Store,
        quorum: Operators,
        address: str,
        sign: Sign,
        clock: Clock,
        policy: Policy,
        *,
        poll_ms: int = 4000,
    ) -> None:
        self._store = store
        self._quorum = quorum
        self._address = address  # who pays
        self._sign = sign
        self._clock = clock
        self._policy = policy
        self._poll_s = poll_ms / 1000
        self._states: dict[int, SendState] = {}  # of what is on its way; rebuilt from the store
        self._refused: dict[int, _Refused] = {}  # of what is queued
        self._wake = asyncio.Event()
        self._adopted = False  # what a key that handed over had on its way
        self._trouble = ""
        self._counts = (0, 0)

    @property
    def status(self) -> SendStatus:
        return SendStatus(*self._counts, self._trouble)

    async def submit(self, call: intents.NewIntent) -> bool:
        """Make a call durable; it will be sent. False: its key is known, or the queue is full."""
        added = await self._store.call(intents.add, call, self._clock.now().wall_ms)
        self._wake.set()
        return added

    def wake(self) -> None:
        """Something was put into the store: look now, not at the next poll."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            await self.tick()
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def tick(self) -> None:
        """One round: follow what is on its way, then send what waits."""
        await self._quorum.ensure()
        head = await self._quorum.head()
        if not self._adopted:
            await self._store.call(intents.adopt, self._address)
            self._adopted = True
        self._trouble = ""
        spent = await self._quorum.transaction_count(self._address, head.number)
        await self._take_back(head, spent)
        on_their_way = await self._store.call(intents.sent, self._address)
        for intent, transactions in on_their_way:
            await self._follow(intent, transactions, head, spent)
        await self._send_queued(head, spent)

    # ---- what is on its way -----------------------------------------------------------------------------

    async def _follow(self, intent: Intent, transactions: list[Outgoing], head: Head, spent: int) -> None:
        newest = transactions[-1]
        before = self._states.get(intent.id) or _resumed(intent, transactions, self._clock.mono_ms())
        seen, receipt = await self._look(intent, transactions, before, head, spent)
        state, action = step(before, seen, self._policy)
        await self._note_place(intent, state)
        match action:
            case Action.CONFIRM | Action.GIVE_UP:
                await self._finish(intent, state, receipt)
                return
            case Action.RENONCE:
                await self._store.call(intents.requeue, intent.id)
                self._states.pop(intent.id, None)
                return
            case Action.PUBLISH:
                state = await self._publish(intent, newest, state, head)
            case Action.BUMP:
                state = await self._bump(intent, state, head)
            case Action.WAIT:
                pass
        self._states[intent.id] = state

    async def _take_back(self, head: Head, spent: int) -> None:
        """A reorg deeper than `confirmations` took finished calls out of the chain: they go out again, each
        with its own nonce, before anything that comes after them."""
        address = self._address
        on_their_way = await self._store.call(intents.sent, address)
        first = (
            on_their_way[0][0].nonce if on_their_way else await self._store.call(intents.next_nonce, address)
        )
        if spent >= first:
            return
        spent = await self._quorum.transaction_count_most(address)  # one that lags is no reorg
        gone = await self._store.call(intents.unmined, address, spent, first, SHALLOW_MAX)
        if any(abs(head.number - intent.block_number) > REORG_MAX for intent in gone):
            raise self._counts_too_few(spent, first)
        for intent in gone:
            fees = first_fees(head.base_fee_wei, await self._quorum.tip(), self._policy.fee_cap_wei)
            if fees is None or not await self._affordable(intent, intent.gas * fees.max_wei):
                self._trouble = self._trouble or f"{intent.key}: waits; gas costs more than the fee cap"
                return
            once_more = await self._signed(intent, intent.nonce, intent.gas, fees)
            await self._store.call(intents.reopen, intent.id, once_more)

    async def _look(
        self, intent: Intent, transactions: list[Outgoing], state: SendState, head: Head, spent: int
    ) -> tuple[Looked, Receipt | None]:
        now_ms, newest = self._clock.mono_ms(), transactions[-1].hash
        if intent.nonce >= spent:  # not mined, whatever the node says of receipts
            known = state.phase is not Phase.PENDING or await self._quorum.knows(newest)
            return Looked(now_ms, head.number, known=known), None
        for transaction in reversed(transactions):
            receipts = await self._quorum.receipts(transaction.hash)
            receipt = receipts[0]
            if any(other != receipt for other in receipts):  # not yet agreed; never taken for a stranger's
                return Looked(now_ms, head.number, spent=True), None
            if receipt is not None:
                mined = Mined(receipt.block_number, receipt.block_hash, receipt.ok)
                return Looked(now_ms, head.number, mined, spent=True), receipt
        deep = max(0, head.number + 1 - self._policy.confirmations)
        spent_deep = await self._quorum.transaction_count(self._address, deep) > intent.nonce
        return Looked(now_ms, head.number, spent=True, spent_deep=spent_deep), None

    async def _note_place(self, intent: Intent, state: SendState) -> None:
        place = (state.mined.block_number, state.mined.block_hash) if state.mined else (0, "")
        if place != (intent.block_number, intent.block_hash):
            await self._store.call(intents.place, intent.id, *place)

    async def _finish(self, intent: Intent, state: SendState, receipt: Receipt | None) -> None:
        assert receipt is not None  # step confirms only what was seen mined
        # A price or use beyond what was signed is a lie; the reservation bounds it.
        cost = min(receipt.gas_used * receipt.price_wei, intent.cost_wei)
        gas = min(receipt.gas_used, intent.gas)
        await self._store.call(intents.finish, intent.id, state.phase.value, cost, gas, receipt.hash)
        self._states.pop(intent.id, None)

    async def _publish(self, intent: Intent, newest: Outgoing, state: SendState, head: Head) -> SendState:
        """Hand in the newest transaction; if it is too cheap, one dearer, once."""
        state, action = await self._hand_in(newest, state)
        return await self._bump(intent, state, head) if action is Action.BUMP else state

    async def _hand_in(self, newest: Outgoing, state: SendState) -> tuple[SendState, Action]:
        try:
            await self._quorum.publish(newest.raw)
        except ChainError as error:
            self._trouble = str(error)
            fault = error.fault if isinstance(error, RpcError) else Fault.UNAVAILABLE
            return step(state, Rejected(self._clock.mono_ms(), fault), self._policy)
        if not newest.published:
            await self._store.call(intents.published, newest.hash)
        return step(state, Accepted(self._clock.mono_ms()), self._policy)

    async def _bump(self, intent: Intent, state: SendState, head: Head) -> SendState:
        tip = await self._quorum.tip()
        fees = bumped_fees(state.fees, head.base_fee_wei, tip, self._policy.fee_cap_wei)
        if fees is None:
            self._trouble = f"{intent.key}: waits; a dearer transaction would pass the fee cap"
            return state
        if not await self._affordable(intent, intent.gas * fees.max_wei):
            return state
        dearer = await self._signed(intent, intent.nonce, intent.gas, fees)
        await self._store.call(intents.raise_fees, intent.id, dearer)
        return (await self._hand_in(dearer, bumped(state, fees)))[0]

    # ---- what waits -------------------------------------------------------------------------------------

    async def _send_queued(self, head: Head, spent: int) -> None:
        waiting = await self._store.call(intents.queued)
        in_flight = sum(state.phase is not Phase.MINED for state in self._states.values())
        self._refused = {i.id: r for i in waiting if (r := self._refused.get(i.id))}
        held = False
        for intent in waiting:
            full = in_flight >= WINDOW or len(self._states) >= SHALLOW_MAX
            if full or (intent.ordered and held):
                continue
            # An ordered call depends on those on their way, so only without them can it be tried out; what
            # was refused before is never sent untried.
            testable = in_flight == 0 or not intent.ordered
            refused = self._refused.get(intent.id)
            if refused and (not testable or refused.again_ms > self._clock.mono_ms()):
                self._trouble = self._trouble or refused.said
                held = held or intent.ordered
                continue
            gas = await self._gas(intent, testable=testable)
            if gas == 0:
                held = held or intent.ordered
                continue
            if not await self._start(intent, gas, head, spent):
                break
            in_flight += 1
        queued = await self._store.call(intents.count_open) - len(self._states)
        self._counts = (queued, len(self._states))

    async def _gas(self, intent: Intent, *, testable: bool) -> int:
        """The gas to allow; 0 when the contract refuses the call now."""
        if not testable:
            return intent.gas
        try:
            estimate = await self._quorum.estimate_gas(self._address, intent.contract, intent.data)
        except RpcError as error:
            if error.fault is not Fault.REVERTED:
                raise
            await self._refuse(intent, str(error))
            return 0
        return min(max(intent.gas, estimate * 5 // 4), GAS_MAX)  # a quarter: storage may be colder later

    async def _refuse(self, intent: Intent, said: str) -> None:
        self._trouble = f"{intent.key}: {said}"
        times = self._refused[intent.id].times + 1 if intent.id in self._refused else 1
        if times > REFUSALS_MAX:
            await self._store.call(intents.withdraw, intent.id)
            return
        pause_ms = min(REFUSAL_PAUSE_MS * 2 ** (times - 1), REFUSAL_PAUSE_MOST_MS)
        self._refused[intent.id] = _Refused(times, self._clock.mono_ms() + pause_ms, self._trouble)

    async def _start(self, intent: Intent, gas: int, head: Head, spent: int) -> bool:
        """Give the intent its nonce, durably, and publish. False: nothing more can be sent now."""
        tip = await self._quorum.tip()
        fees = first_fees(head.base_fee_wei, tip, self._policy.fee_cap_wei)
        if fees is None:
            self._trouble = f"{intent.key}: waits; gas costs more than the fee cap"
            return False
        if not await self._affordable(intent, gas * fees.max_wei):
            return False
        address = self._address
        nonce = await self._store.call(intents.next_nonce, address)
        if spent < nonce and not self._states:
            raise self._counts_too_few(spent, nonce)
        nonce = max(nonce, spent)  # above: restored from a backup, or the key was used elsewhere
        first = await self._signed(intent, nonce, gas, fees)
        wall_ms = self._clock.now().wall_ms
        stored = await self._store.call(intents.claim, intent.id, address, nonce, first, gas, wall_ms)
        if stored is None:
            return True  # the outbox has withdrawn it meanwhile
        state = SendState(Phase.READY, fees, at_ms=self._clock.mono_ms())
        self._states[intent.id] = state
        self._states[intent.id] = await self._publish(stored, first, state, head)
        return True

    def _counts_too_few(self, spent: int, nonce: int) -> ChainError:
        return ChainError(
            f"the chain counts {spent} transactions of {self._address}, but {nonce} were confirmed:"
            " its endpoints lag, or this is another chain"
        )

    async def _affordable(self, intent: Intent, cost_wei: int) -> bool:
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            self._trouble = f"{intent.key}: waits until the clock is synchronised: a day's budget needs a day"
            return False
        spent_wei = await self._store.call(intents.spent_since, now.wall_ms - DAY_MS)
        if cost_wei <= COST_MAX_WEI and affordable(spent_wei, intent.cost_wei, cost_wei, self._policy):
            return True
        self._trouble = f"{intent.key}: waits; the day's budget for gas is used up (chain.spend)"
        return False

    async def _signed(self, intent: Intent, nonce: int, gas: int, fees: Fees) -> Outgoing:
        draft = Draft(nonce, intent.contract, intent.data, gas, fees)
        # In a thread: a token may take seconds. What it gives is durable before anything is published.
        name, raw = await asyncio.to_thread(self._sign, draft)
        return Outgoing(name, raw, fees.max_wei, fees.tip_wei)


def _resumed(intent: Intent, transactions: list[Outgoing], now_ms: int) -> SendState:
    """After a restart: what the store says. Not published for certain means: publish again."""
    newest = transactions[-1]
    phase = Phase.PENDING if newest.published else Phase.READY
    if intent.block_number:
        phase = Phase.MINED
    return SendState(phase, Fees(newest.max_wei, newest.tip_wei), len(transactions), now_ms)
