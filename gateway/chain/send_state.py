"""What to do next with one intent that may have many transactions: pure decisions on a frozen state.

One nonce, several hashes (each raises the fees of the one before), at most one of them is ever mined. The
transaction manager observes the chain, feeds what it saw to `step` and carries out the Action that comes
back. It refuses to know RPC, keys, store and clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.chain.faults import Fault

# A node replaces a transaction only when both fees rise by 10 %; an eighth leaves room for its rounding.
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8
BUMPS_MAX = 24  # (9/8)^24 = 17 times the first price: the market price is followed besides
DAY_MS = 86_400_000


class Phase(StrEnum):
    """Where an intent is. The last three are ends."""

    QUEUED = "queued"  # no nonce yet
    READY = "ready"  # nonce and signed transaction durable, not known to be published
    PENDING = "pending"  # an endpoint took it
    MINED = "mined"  # in a block, not deep enough
    CONFIRMED = "confirmed"
    REVERTED = "reverted"  # mined, deep, and failed: its nonce is spent
    REFUSED = "refused"  # would fail: never sent, no nonce used


class Action(StrEnum):
    """What the manager is to do now."""

    WAIT = "wait"
    PUBLISH = "publish"  # the newest transaction, again or for the first time
    BUMP = "bump"  # sign a dearer one for the same nonce, then publish it
    RENONCE = "renonce"  # somebody else spent the nonce: queue again
    CONFIRM = "confirm"
    GIVE_UP = "give-up"


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559 prices in wei a gas: the cap and the tip in it."""

    max_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction that is to be signed: a call with its nonce, the gas it may use, and its fees."""

    nonce: int
    contract: str
    data: bytes
    gas: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's bounds. `confirmations` 1 = in the newest block."""

    confirmations: int = 12
    fee_cap_wei: int = 100 * 10**9
    spend_per_day_wei: int = 10**16
    bump_after_ms: int = 60_000  # five slots of a 12 s chain
    retry_after_ms: int = 4_000


@dataclass(frozen=True, slots=True)
class Mined:
    """Where one of the hashes was found."""

    block_number: int
    block_hash: str
    ok: bool


@dataclass(frozen=True, slots=True)
class SendState:
    """One intent that has a nonce. `at_ms` is the monotonic time of the last publish, tried or done."""

    phase: Phase
    fees: Fees
    transactions: int = 1
    at_ms: int = 0
    tried: bool = False  # published, or tried to, since it became READY
    mined: Mined | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An endpoint took the newest transaction."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """No endpoint took it, and why."""

    at_ms: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Looked:
    """What the endpoints agree on now. `spent`: the account's nonce is past ours at the head; `spent_deep`:
    also at the block that is deep enough to be final for us. `known`: some endpoint has the newest hash."""

    at_ms: int
    head_number: int
    mined: Mined | None = None
    known: bool = True
    spent: bool = False
    spent_deep: bool = False


Event = Accepted | Rejected | Looked


def step(state: SendState, event: Event, policy: Policy) -> tuple[SendState, Action]:
    """The state after `event` and what to do about it."""
    match event:
        case Accepted(at_ms):
            return replace(state, phase=Phase.PENDING, at_ms=at_ms, tried=True), Action.WAIT
        case Rejected(at_ms, fault):
            return _rejected(replace(state, at_ms=at_ms, tried=True), fault)
        case Looked():
            return _looked(state, event, policy)


def _rejected(state: SendState, fault: Fault) -> tuple[SendState, Action]:
    if fault in (Fault.ALREADY_KNOWN, Fault.NONCE_TOO_LOW):
        # Too low: one of ours was mined, or a stranger's; the next look tells.
        return replace(state, phase=Phase.PENDING), Action.WAIT
    if fault is Fault.UNDERPRICED and state.transactions <= BUMPS_MAX:
        return state, Action.BUMP
    return replace(state, phase=Phase.READY), Action.WAIT  # trouble of the moment never costs a fee


def _looked(state: SendState, seen: Looked, policy: Policy) -> tuple[SendState, Action]:
    if seen.mined is not None:
        return _found(state, seen.mined, seen.head_number, policy)
    if state.phase is Phase.MINED:  # a reorg took it out again
        return replace(state, phase=Phase.READY, mined=None, at_ms=seen.at_ms), Action.PUBLISH
    if seen.spent_deep:
        return replace(state, phase=Phase.QUEUED), Action.RENONCE
    if seen.spent:  # one endpoint lags, or the nonce is a stranger's and not yet final
        return state, Action.WAIT
    waited_ms = seen.at_ms - state.at_ms
    if state.phase is Phase.READY:
        due = not state.tried or waited_ms >= policy.retry_after_ms
        return state, Action.PUBLISH if due else Action.WAIT
    if not seen.known:  # dropped
        return replace(state, phase=Phase.READY), Action.PUBLISH
    if waited_ms >= policy.bump_after_ms and state.transactions <= BUMPS_MAX:
        return replace(state, at_ms=seen.at_ms), Action.BUMP
    return state, Action.WAIT


def _found(state: SendState, mined: Mined, head: int, policy: Policy) -> tuple[SendState, Action]:
    if head - mined.block_number + 1 < max(policy.confirmations, 1):
        return replace(state, phase=Phase.MINED, mined=mined), Action.WAIT
    if mined.ok:
        return replace(state, phase=Phase.CONFIRMED, mined=mined), Action.CONFIRM
    return replace(state, phase=Phase.REVERTED, mined=mined), Action.GIVE_UP


def bumped(state: SendState, fees: Fees) -> SendState:
    """The state when a dearer transaction has been made durable."""
    return replace(
        state, phase=Phase.READY, fees=fees, transactions=state.transactions + 1, tried=False, mined=None
    )


def first_fees(base_fee_wei: int, tip_wei: int, cap_wei: int) -> Fees | None:
    """Prices for a new transaction; twice the base fee outlasts five full blocks. None: above the cap."""
    if base_fee_wei + tip_wei > cap_wei:
        return None
    most = min(2 * base_fee_wei + tip_wei, cap_wei)
    return Fees(most, tip_wei)


def bumped_fees(fees: Fees, base_fee_wei: int, tip_wei: int, cap_wei: int) -> Fees | None:
    """Both prices raised by an eighth, or to the market if that is more. None: the cap forbids it."""
    tip = max(_raised(fees.tip_wei), min(tip_wei, cap_wei))
    most = max(_raised(fees.max_wei), min(2 * base_fee_wei + tip_wei, cap_wei), tip)
    return Fees(most, tip) if most <= cap_wei else None


def _raised(wei: int) -> int:
    # At least one wei: an eighth of a tip of 0 would not be a rise.
    return max(wei + 1, -(-wei * BUMP_NUMERATOR // BUMP_DENOMINATOR))


def affordable(spent_today_wei: int, already_reserved_wei: int, cost_wei: int, policy: Policy) -> bool:
    """Whether a transaction of at most `cost_wei` fits the day, in place of what its intent reserved."""
    return spent_today_wei - already_reserved_wei + cost_wei <= policy.spend_per_day_wei
