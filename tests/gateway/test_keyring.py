"""Which key signs: the chain in the store says it, at every moment between two steps of a rotation."""

import asyncio
import json
from dataclasses import replace

import pytest

from gateway import keyring
from gateway.attest import Attestor
from gateway.cli.export import record_rows
from gateway.errors import ConfigError, LinkError, StoreError
from gateway.evidence import body, endorsement, possession, setup
from gateway.evidence import records as chains
from gateway.evidence import token as tokens
from gateway.evidence.audit import Audit
from gateway.evidence.signer import KeySigner, make_keystore, open_signer
from gateway.evidence.typed import NO_CHAIN, Setup
from gateway.model import ClockTrust
from gateway.site import AttestSettings, KeySettings, Keystore
from gateway.store import endorsements, gaps, records
from tests.gateway import softhsm
from tests.gateway.test_attest import SIGNER, Bench, in_virtual_time

NEXT, STRANGER = KeySigner(bytes(31) + b"\x08"), KeySigner(bytes(31) + b"\x09")


def request(to: KeySigner = NEXT, by: KeySigner = SIGNER, asset: int = 0) -> dict:
    agreed = to.sign(possession.digest(NO_CHAIN, by.address, asset, "s1"))
    return {"next": to.address, "asset": asset, "possession": "0x" + agreed.hex()}


def keystore(folder, signer_byte: int) -> KeySettings:
    path = folder / f"{signer_byte}.json"
    path.write_bytes(make_keystore(bytes(31) + bytes([signer_byte]), b"words", 2))
    (folder / "words").write_text("words\n")
    return KeySettings(Keystore(path), folder / "words")


async def attest_something(bench: Bench, attestor: Attestor) -> None:
    await bench.store.call(gaps.add, "bms", 1, 2, 77, gaps.DROPPED)
    await attestor.seal_due()


def with_key(bench: Bench, signer: KeySigner) -> Attestor:
    return Attestor(bench.site, bench.store, bench.clock, signer, NO_CHAIN)


class Crash(Exception):
    """The process ends here."""


class Dies(KeySigner):
    """Killed as it is about to sign."""

    def sign(self, digest: bytes) -> bytes:
        raise Crash


@pytest.mark.parametrize("crash", ["nowhere", "before the rotation", "between its digest and its signature"])
def test_after_a_stop_at_any_moment_the_right_key_goes_on(tmp_path, crash: str) -> None:
    attest = AttestSettings(60, keystore(tmp_path, 7), keystore(tmp_path, 8))

    async def scenario(bench: Bench) -> None:
        await attest_something(bench, bench.attestor)
        if crash == "between its digest and its signature":
            dying = with_key(bench, Dies(bytes(31) + b"\x07"))
            with pytest.raises(Crash):
                await keyring.KeyDesk(dying).rotate(request())
        elif crash == "nowhere":
            await keyring.KeyDesk(bench.attestor).rotate(request())
        for _ in range(2):  # starts
            signer = await keyring.holder(bench.store, attest, SIGNER)
            attestor = with_key(bench, signer)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(attestor.run())
                await asyncio.sleep(1)
                task.cancel()
        if crash == "before the rotation":
            assert signer is SIGNER
            await keyring.KeyDesk(attestor).rotate(request())
        signer = await keyring.holder(bench.store, attest, SIGNER)
        assert signer.address == NEXT.address
        await attest_something(bench, with_key(bench, signer))
        links = [entry.record for entry in await bench.entries()]
        assert [link.kind for link in links] == ["gap", "rotation", "gap"]
        walk = chains.Chain(SIGNER.address)
        assert [str(fault) for link in links for fault in walk.add(link)] == []
        assert walk.keys == [SIGNER.address, NEXT.address]

    in_virtual_time(tmp_path, scenario)


def test_behind_its_rotation_the_old_key_signs_nothing_even_while_it_runs(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        answer = await keyring.KeyDesk(bench.attestor).rotate(request())
        assert answer["record"] == 1
        with pytest.raises(LinkError, match=f"handed over to {NEXT.address}: the daemon begins anew"):
            await attest_something(bench, bench.attestor)
        with pytest.raises(LinkError, match="handed over"):
            await keyring.KeyDesk(bench.attestor).rotate(request(STRANGER))
        assert len(await bench.entries()) == 1

    in_virtual_time(tmp_path, scenario)


def test_behind_its_rotation_the_daemon_ends_once_no_order_runs(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        busy, ended = True, []
        handover = keyring.Handover(lambda: busy, lambda: ended.append(bench.clock.mono_ms()))
        site = bench.site
        keys = keyring.Keys(site, bench.store, bench.clock, SIGNER, NO_CHAIN, None, handover)
        async with asyncio.TaskGroup() as group:
            group.create_task(keys.parts["handover"]())
            await asyncio.sleep(2 * keyring.IDLE_WAIT_S)
            assert ended == []
            assert (await keys.requests["rotate"](request()))["restarts"]
            await asyncio.sleep(30)
            assert ended == []
            busy = False
        assert len(ended) == 1

    in_virtual_time(tmp_path, scenario)


def test_an_order_without_an_end_in_sight_does_not_hold_the_new_key_up_for_ever(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        ended = []
        handover = keyring.Handover(lambda: True, lambda: ended.append(True))
        handover.due.set()
        async with asyncio.timeout(keyring.IDLE_WAIT_S + 5):
            await handover.run()
        assert ended == [True]

    in_virtual_time(tmp_path, scenario)


def test_a_next_key_that_the_daemon_may_not_read_takes_nothing_over(tmp_path, monkeypatch) -> None:
    """Root reads everything: what the kernel says to others is played."""
    monkeypatch.setattr(keyring.os, "access", lambda path, _: path != "/etc/new.json")

    async def scenario(bench: Bench) -> None:
        desk = keyring.KeyDesk(bench.attestor)
        with pytest.raises(LinkError, match=r"may not read /etc/new.json"):
            await desk.rotate({**request(), "files": ["/etc/words", "/etc/new.json"]})
        assert await bench.entries() == []
        assert not (await desk.rotate({**request(), "files": ["/etc/words"]}))["restarts"]

    in_virtual_time(tmp_path, scenario)


def test_a_key_that_did_not_agree_does_not_become_the_sites(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        desk = keyring.KeyDesk(bench.attestor)
        for wrong in (
            {**request(), "next": STRANGER.address},
            {**request(), "asset": 5},
            request(by=STRANGER),
            {**request(), "possession": "0x00"},
        ):
            with pytest.raises(LinkError, match="does not become the site's key"):
                await desk.rotate(wrong)
        bench.clock.trust = ClockTrust.UNTRUSTED
        with pytest.raises(LinkError, match="clock is not synchronised"):
            await desk.rotate(request())
        assert await bench.entries() == []

    in_virtual_time(tmp_path, scenario)


def test_after_a_revocation_no_key_starts_on_this_store(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        desk = keyring.KeyDesk(bench.attestor)
        assert (await desk.revoke({"reason": "compromised"}))["record"] == 1
        with pytest.raises(LinkError, match="was revoked"):
            await attest_something(bench, bench.attestor)
        with pytest.raises(ConfigError, match="it was revoked, by record 1"):
            await keyring.holder(bench.store, AttestSettings(60, keystore(tmp_path, 7)), SIGNER)
        for bad in ({"reason": "bored"}, {}):
            with pytest.raises(KeyError):
                await desk.revoke(bad)

    in_virtual_time(tmp_path, scenario)


@pytest.mark.parametrize("following", [None, 9])
def test_a_key_whose_turn_it_is_not_is_refused(tmp_path, following) -> None:
    next_key = keystore(tmp_path, following) if following else None
    attest = AttestSettings(60, keystore(tmp_path, 7), next_key)

    async def scenario(bench: Bench) -> None:
        assert await keyring.holder(bench.store, attest, SIGNER) is SIGNER  # nothing was signed yet
        await keyring.KeyDesk(bench.attestor).rotate(request())
        with pytest.raises(ConfigError, match=f"{NEXT.address} took over the records") as refused:
            await keyring.holder(bench.store, attest, SIGNER)
        assert "\n" not in str(refused.value)

    in_virtual_time(tmp_path, scenario)


def test_what_a_start_works_under_is_said_once_and_again_when_it_changes(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        def start(site) -> Attestor:
            return keyring.attestor(site, bench.store, bench.clock, SIGNER, NO_CHAIN, None)

        began_ms = bench.clock.now().wall_ms
        first = start(bench.site)
        await asyncio.sleep(5)  # the clock is trusted later than the start
        await attest_something(bench, first)
        await attest_something(bench, start(bench.site))
        narrower = replace(bench.site, limits=replace(bench.site.limits, ramp_w_per_s=1))
        await attest_something(bench, start(narrower))
        links = [entry.record for entry in await bench.entries()]
        assert [link.kind for link in links] == ["setup", "gap", "gap", "setup", "gap"]
        said = body.read("setup", links[0].body).body
        assert isinstance(said, Setup) and said.at_ms == began_ms
        assert setup.same(said, setup.of(bench.site, said.software))
        assert said.software.startswith("gridseal ")
        assert json.loads(links[3].body)["configuration"] != json.loads(links[0].body)["configuration"]
        assert chains.check(links, SIGNER.address) == []

    in_virtual_time(tmp_path, scenario)


def test_the_keys_that_handed_over_are_known_newest_first(tmp_path) -> None:
    async def scenario(bench: Bench) -> None:
        await keyring.KeyDesk(bench.attestor).rotate(request())
        await keyring.KeyDesk(with_key(bench, NEXT)).rotate(request(STRANGER, NEXT))
        found = await bench.store.call(records.rotations)
        assert [chains.turn(record) for record in found] == [STRANGER.address, NEXT.address]

    in_virtual_time(tmp_path, scenario)


@pytest.fixture
def hsm(tmp_path):
    (tmp_path / "hsm").mkdir()
    with softhsm.token(tmp_path / "hsm") as made:
        yield made


def test_a_hardware_identity_vouches_for_the_key_once_and_its_word_is_exported(tmp_path, hsm) -> None:
    tokens.make(hsm.place("identity"), softhsm.PIN.encode(), tokens.P256)

    async def scenario(bench: Bench) -> None:
        with_identity = KeySettings(hsm.place("identity"), pin=hsm.pin)
        site = replace(bench.site, attest=replace(bench.site.attest, identity=with_identity))
        keys = keyring.Keys(site, bench.store, bench.clock, SIGNER, NO_CHAIN, None)
        await attest_something(bench, keys.attestor)
        for _ in range(2):
            await keys.parts["identity"]()
        (kept,) = await bench.store.call(endorsements.every)
        assert endorsement.check(kept.body, kept.digest, kept.signature) == []
        public = tokens.Token(hsm.place("identity"), softhsm.PIN.encode(), tokens.P256).public_key
        assert endorsement.read(kept.body)[1] == endorsement.of("s1", SIGNER.address, 600_000, public)
        audit = Audit()
        for row in await bench.store.call(lambda conn: list(record_rows(conn, (0, 2**60), False))):
            audit.row(row)
        audit.finish()
        assert audit.faults == []
        assert f"{SIGNER.address} is endorsed by the P-256 key 0x{public.hex()}" in audit.notes

    in_virtual_time(tmp_path, scenario)


def test_an_identity_that_is_away_or_wrong_is_tried_again_and_holds_up_nothing(tmp_path, hsm) -> None:
    async def scenario(bench: Bench) -> None:
        place = KeySettings(hsm.place("identity"), pin=hsm.pin)
        site = replace(bench.site, attest=replace(bench.site.attest, identity=place))
        identity = keyring.Keys(site, bench.store, bench.clock, SIGNER, NO_CHAIN, None).parts["identity"]
        with pytest.raises(LinkError, match="no such key"):
            await identity()
        bench.clock.trust = ClockTrust.UNTRUSTED
        with pytest.raises(LinkError, match="clock is synchronised"):
            await identity()
        assert keyring.Keys(bench.site, bench.store, bench.clock, SIGNER, NO_CHAIN, None).parts == {}

    in_virtual_time(tmp_path, scenario)


@pytest.mark.parametrize("crash", ["before the signature", "before it is stored"])
def test_a_token_never_gives_two_signatures_of_one_record_away(tmp_path, hsm, crash: str) -> None:
    """It signs the same digest another way each time: the one that was stored is the only one there is."""
    tokens.make(hsm.place("k"), softhsm.PIN.encode(), tokens.SECP256K1)
    key = KeySettings(hsm.place("k"), pin=hsm.pin)
    signer = open_signer(key)
    made: list[bytes] = []

    class Counted:
        address, public_key = signer.address, signer.public_key

        def sign(self, digest: bytes) -> bytes:
            if crash == "before the signature" and not made:
                made.append(b"")
                raise Crash
            made.append(signer.sign(digest))
            if crash == "before it is stored" and len(made) == 1:
                raise Crash
            return made[-1]

    async def scenario(bench: Bench) -> None:
        attestor = Attestor(bench.site, bench.store, bench.clock, Counted(), NO_CHAIN)
        with pytest.raises(Crash):
            await attest_something(bench, attestor)
        (pending,) = await bench.entries()
        assert pending.record.signature == b"", "nothing to hand out yet"
        for _ in range(3):  # starts
            async with asyncio.TaskGroup() as group:
                task = group.create_task(attestor.run())
                await asyncio.sleep(1)
                task.cancel()
        (signed,) = await bench.entries()
        assert signed.record == replace(pending.record, signature=made[-1])
        assert len(made) == 2 and made[0] != made[1]
        assert chains.check([signed.record], signer.address) == []
        with pytest.raises(StoreError, match="already signed"):
            await bench.store.call(records.sign, 1, signer.sign(signed.record.digest))

    in_virtual_time(tmp_path, scenario)
