"""Stacks as a side of gateway.chain.side: operators, who pays, how it is signed, how orders are heard."""

from typing import cast

from gateway.chain.endpoint import endpoint_name
from gateway.chain.platforms import Platform
from gateway.chain.platforms.stacks import StacksPlatform
from gateway.chain.send_state import Draft, Policy
from gateway.chain.side import Ears, Listening, Side, Wallet
from gateway.chain.stacks.address import of_key, version_of
from gateway.chain.stacks.client import Api, HttpApi
from gateway.chain.stacks.operators import Operators
from gateway.chain.stacks.orders import Requests
from gateway.chain.stacks.transaction import Fields, sign
from gateway.clock import Clock
from gateway.evidence.signer import Signer
from gateway.site import ChainSettings
from gateway.store import Store

BUMP_AFTER_MS = 600_000  # about one Bitcoin block: without its tenure no fee helps


def make(settings: ChainSettings, platform: Platform, clock: Clock) -> Side:
    system = cast(StacksPlatform, platform)
    posts = [HttpApi(url) for url in settings.rpc]
    endpoints = [Api(endpoint_name(url), post) for url, post in zip(settings.rpc, posts, strict=True)]
    operators = Operators(
        endpoints,
        clock,
        chain_id=settings.chain_id,
        account=system.reader,
        trial=system.trial,
        contracts=system.uses,
    )
    policy = Policy(
        confirmations=max(1, settings.confirmations),
        fee_cap_wei=settings.fee_cap_wei,
        spend_per_day_wei=settings.spend_per_day_wei,
        bump_after_ms=BUMP_AFTER_MS,
    )

    def listen(store: Store, ears: Ears) -> Listening:
        depth, poll_ms = policy.confirmations, settings.poll_ms
        requests = Requests(store, operators, system, clock, ears.submit, depth=depth, poll_ms=poll_ms)
        return Listening(lambda: requests.status, {"orders": requests.run})

    return Side(operators, policy, lambda signer: wallet(settings.chain_id, signer), listen, posts)


def wallet(chain_id: int, signer: Signer) -> Wallet:
    """The account of a signer's key, which pays for what it signs."""

    def signed(draft: Draft) -> tuple[str, bytes]:
        fee_ustx = draft.gas * draft.fees.max_wei
        fields = Fields(chain_id, draft.nonce, fee_ustx, signer.public_key)
        return sign(fields, draft.data, signer.sign)

    return Wallet(str(of_key(signer.public_key, version_of(chain_id))), signed)
