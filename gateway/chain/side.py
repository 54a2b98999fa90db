"""What differs between kinds of chains, put together: the operators, who pays, how orders are heard.

The EVM's is here, that of Stacks in gateway.chain.stacks.side; everything above takes a `Side` and knows
neither.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from gateway.chain import txmgr
from gateway.chain.alarm import Alarm
from gateway.chain.endpoint import endpoint_name
from gateway.chain.handover import InboxStatus, Submit
from gateway.chain.inbox import Inbox, Signalled
from gateway.chain.platforms import EventPlatform, Platform
from gateway.chain.quorum import Quorum
from gateway.chain.rpc import HttpPost, Rpc
from gateway.chain.send_state import Policy
from gateway.clock import Clock
from gateway.evidence.signer import Signer
from gateway.site import ChainSettings
from gateway.store import Store


class Operators(txmgr.Operators, Protocol):
    """The same, and what contracts say."""

    async def check(self) -> None: ...

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes: ...


class Post(Protocol):
    """A way to an endpoint, which is closed in the end."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ears:
    """Who takes what the chain says: commands, and prices."""

    submit: Submit
    signalled: Signalled


@dataclass(frozen=True, slots=True)
class Wallet:
    """The account that pays for transactions, and how they are signed."""

    address: str
    sign: txmgr.Sign


@dataclass(frozen=True, slots=True)
class Listening:
    """How orders are heard: its status, and what to keep running, "orders" among it."""

    status: Callable[[], InboxStatus]
    parts: Mapping[str, Callable[[], Awaitable[None]]]


@dataclass(frozen=True, slots=True)
class Side:
    operators: Operators
    policy: Policy
    wallet: Callable[[Signer], Wallet]
    listen: Callable[[Store, Ears], Listening]
    posts: Sequence[Post]

    async def close(self) -> None:
        for post in self.posts:
            await post.close()


def of(settings: ChainSettings, platform: Platform, clock: Clock) -> Side:
    """The side that a site's platform is on."""
    if settings.platform == "stacks":
        from gateway.chain.stacks import side  # the one that is not used is not loaded

        return side.make(settings, platform, clock)
    return _evm(settings, cast(EventPlatform, platform), clock)


def _evm(settings: ChainSettings, platform: EventPlatform, clock: Clock) -> Side:
    posts = [HttpPost(url) for url in settings.rpc]
    endpoints = [Rpc(endpoint_name(url), post) for url, post in zip(settings.rpc, posts, strict=True)]
    contracts = tuple(settings.contracts.values())
    quorum = Quorum(endpoints, clock, chain_id=settings.chain_id, contracts=contracts)
    policy = Policy(
        confirmations=max(1, settings.confirmations),
        fee_cap_wei=settings.fee_cap_wei,
        spend_per_day_wei=settings.spend_per_day_wei,
    )

    def wallet(signer: Signer) -> Wallet:
        from gateway.chain import transaction  # half a second of imports: at the start, not in the loop

        return Wallet(signer.address, transaction.signing(settings.chain_id, signer.sign))

    def listen(store: Store, ears: Ears) -> Listening:
        poll_ms = settings.poll_ms
        inbox = Inbox(store, quorum, platform, clock, ears.submit, ears.signalled, poll_ms=poll_ms)
        alarm = Alarm(quorum, platform, ears.submit, poll_ms=poll_ms)
        return Listening(lambda: inbox.status, {"orders": inbox.run, "stops": alarm.run})

    return Side(quorum, policy, wallet, listen, posts)
