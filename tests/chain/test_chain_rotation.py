"""A key hands over while its records are on their way: none is lost, none stays stuck; in virtual time."""

import pytest

from gateway.chain.outbox import LAST_AGE_MS, last_sequence, speakers
from gateway.evidence import possession
from gateway.evidence.typed import Rotation
from gateway.store import intents
from tests.chain.people import SITE, interval
from tests.chain.world import BLOCK_MS, KeySigner
from tests.gateway.test_chain_outbox import Site, simulate


def rotation(site: Site, to: KeySigner) -> Rotation:
    old, domain = site.w.signer, site.attestor.domain
    agreed = to.sign(possession.digest(domain, old.address, site.storage, SITE))
    return Rotation(1, to.address.lower(), site.storage, agreed)


async def hand_over(site: Site, to: KeySigner) -> None:
    """The record, and a start with the next key."""
    await site.attestor.attest(rotation(site, to))
    site.w.signer = site.attestor.signer = to
    site.restart()


async def settle(site: Site) -> None:
    """Until everything is deep. What the old key had sent is found by asking the contract now and then."""
    await site.rounds(15)
    site.w.block(LAST_AGE_MS // BLOCK_MS)
    await site.rounds(15)


@pytest.mark.parametrize("rounds", range(5))
def test_whatever_was_on_its_way_arrives_and_the_next_key_goes_on(tmp_path, rounds: int) -> None:
    """Before anything was sent, while it is in the pool, mined and not deep, and confirmed."""

    async def scenario(site: Site) -> None:
        old, new = site.w.signer, KeySigner(site.w.evm.keys[4])
        for n in range(3):
            await site.attestor.attest(interval(n))
        await site.rounds(rounds)
        await hand_over(site, new)
        await site.attestor.attest(interval(3))
        await settle(site)
        assert await site.attestor.confirmed() == [1, 2, 3, 4, 5]
        assert await site.market.last_sequence(new.address) == 5
        assert await site.market.last_sequence(old.address) == 4  # its rotation
        assert await site.w.store.call(intents.count_open) == 0

    simulate(tmp_path, scenario)


def test_two_rotations_before_the_chain_hears_of_the_first(tmp_path) -> None:
    async def scenario(site: Site) -> None:
        w = site.w
        first, second, third = w.signer, KeySigner(w.evm.keys[4]), KeySigner(w.evm.keys[5])
        await site.attestor.attest(interval(0))
        await site.rounds(1)
        await hand_over(site, second)
        await hand_over(site, third)
        assert await speakers(w.store, third.address) == (third.address, second.address, first.address)
        assert await last_sequence(w.quorum(), site.platform, await speakers(w.store, third.address)) == 1
        await site.attestor.attest(interval(1))
        await settle(site)
        assert await site.attestor.confirmed() == [1, 2, 3, 4]
        assert await site.market.last_sequence(third.address) == 4

    simulate(tmp_path, scenario)


def test_a_transaction_of_the_old_key_that_is_mined_late_does_no_harm(tmp_path) -> None:
    """Its record was sent again by the new key meanwhile: the contract takes one of the two."""

    async def scenario(site: Site) -> None:
        w, new = site.w, KeySigner(site.w.evm.keys[4])
        await site.attestor.attest(interval(0))
        await site.outbox.tick()
        await site.manager.tick()  # in the pool, not mined
        assert (await w.store.call(intents.sent, w.signer.address)) != []
        await hand_over(site, new)
        await site.outbox.tick()
        await site.manager.tick()
        w.block()
        await settle(site)
        assert await site.attestor.confirmed() == [1, 2]

    simulate(tmp_path, scenario)
