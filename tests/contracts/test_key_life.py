"""The life of a key on chain: bound with its consent, rotated, revoked, replaced, ended by proven misuse."""

import dataclasses

import pytest
from contracts.inprocess import Receipt, Reverted
from contracts.scene import INTERVAL, SITE, START_MS, Scene, gap, proof_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.evidence import body as bodies
from gateway.evidence import typed
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Revocation, RevocationReason, Setup, keccak, site_hash
from gateway.model import Record

OTHER, THIRD = KeySigner(b"\x02" * 32), KeySigner(b"\x03" * 32)
NOBODY = "0x" + "00" * 20
SETUP = Setup(START_MS, b"\x44" * 32, b"\x55" * 32, "gridseal 0.1.0")
REVOCATION = Revocation(START_MS, RevocationReason.COMPROMISED)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def said(scene: Scene, receipt: Receipt) -> dict[str, dict]:
    return dict(scene.verification.events(receipt))


# ---- binding -----------------------------------------------------------------------------------------


def bind(scene: Scene, key: str, agreed: bytes, asset: int = 1) -> Receipt:
    return scene.verification.send("setGatewayKey", asset, key, site_hash(SITE), agreed, sender=scene.owner)


def test_nobody_binds_a_key_that_they_do_not_hold(scene: Scene) -> None:
    for agreed in (
        scene.consent(THIRD, scene.owner),  # another key's consent
        scene.consent(OTHER, scene.stranger),  # to somebody else
        scene.consent(OTHER, scene.owner, asset=2),  # to another asset
        OTHER.sign(bytes(32)),
    ):
        with pytest.raises(Reverted, match="NotItsConsent"):
            bind(scene, OTHER.address, agreed)
    with pytest.raises(Reverted, match="ECDSAInvalidSignatureLength"):
        bind(scene, OTHER.address, b"")
    assert scene.verification.call("gatewayOf", 1) == scene.key.address.lower()


def test_the_zero_address_has_no_consent_to_give(scene: Scene) -> None:
    """It revokes. That a signature that recovers to nobody would bind it is no way in."""
    bind(scene, NOBODY, b"")
    assert scene.verification.call("gatewayOf", 1) == NOBODY
    assert scene.verification.call("storageOf", NOBODY) == 0


def test_a_destroyed_device_is_replaced_and_its_key_is_refused(scene: Scene) -> None:
    old, record = scene.key, scene.sealed(INTERVAL)
    scene.post(record)
    late = scene.sealed(INTERVAL)
    scene.bind(OTHER)
    assert scene.verification.call("predecessorOf", OTHER.address) == old.address.lower()
    scene.submit(gap(typed.GapCause.STORE_LOST))
    assert scene.verification.call("lastSequence", OTHER.address) == 1
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(late)
    assert scene.verification.call("isReading", old.address, *proof_of(record, INTERVAL, 0))


# ---- rotation and revocation ---------------------------------------------------------------------------


def test_a_rotation_closes_one_chain_and_opens_the_next_of_the_same_history(scene: Scene) -> None:
    old, record = scene.key, scene.sealed(INTERVAL)
    scene.post(record)
    before = scene.verification.call("latest", 1)
    handed = scene.sealed(scene.rotation(OTHER))
    events = said(scene, scene.post(handed))
    assert events["RotationAccepted"] == {
        "gateway": old.address.lower(), "next": OTHER.address.lower(), "sequence": 2, "digest": handed.digest,
    }  # fmt: skip
    assert events["GatewayKeySet"]["before"] == old.address.lower()
    assert scene.verification.call("gatewayOf", 1) == OTHER.address.lower()
    assert scene.verification.call("predecessorOf", OTHER.address) == old.address.lower()
    assert scene.verification.call("latest", 1) == (2, *before[1:]), "what was measured stays known"
    assert not scene.verification.call("isActive", old.address)
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(scene.sealed(INTERVAL))
    scene.key, scene.sequence, scene.previous = OTHER, 2, handed.digest
    with pytest.raises(Reverted, match="WrongPrevious"):
        scene.post(scene.sealed(INTERVAL, previous=GENESIS))
    second = scene.sealed(INTERVAL)
    scene.post(second)
    for key, link in ((old, record), (OTHER, second)):
        assert scene.verification.call("isReading", key.address, *proof_of(link, INTERVAL, 3))
    scene.submit(scene.rotation(THIRD))
    assert scene.verification.call("gatewayOf", 1) == THIRD.address.lower()


def test_a_rotation_needs_the_next_keys_consent_to_this_key_and_asset(scene: Scene) -> None:
    right = scene.rotation(OTHER)
    for wrong in (
        dataclasses.replace(right, possession=scene.consent(THIRD, scene.key.address)),
        dataclasses.replace(right, possession=scene.consent(OTHER, scene.owner)),
        dataclasses.replace(right, next=THIRD.address.lower()),
    ):
        with pytest.raises(Reverted, match="NotItsConsent"):
            scene.post(scene.sealed(wrong))
    elsewhere = dataclasses.replace(right, asset=2, possession=scene.consent(OTHER, scene.key.address, 2))
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(scene.sealed(elsewhere))


def test_a_key_that_was_ever_bound_is_no_next_one(scene: Scene) -> None:
    first = scene.key
    with pytest.raises(Reverted, match="KeyAlreadyUsed"):
        scene.post(scene.sealed(scene.rotation(first)))
    scene.bind(OTHER)
    with pytest.raises(Reverted, match="KeyAlreadyUsed"):
        scene.post(scene.sealed(scene.rotation(first)))


def test_a_revocation_ends_the_chain(scene: Scene) -> None:
    scene.submit(INTERVAL)
    events = said(scene, scene.submit(REVOCATION))
    assert events["RevocationAccepted"]["reason"] == 2
    assert scene.verification.call("gatewayOf", 1) == NOBODY
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.submit(INTERVAL)
    old = scene.key
    scene.bind(OTHER)
    assert scene.verification.call("predecessorOf", OTHER.address) == old.address.lower()


def test_a_setup_takes_its_place_and_is_told(scene: Scene) -> None:
    scene.submit(INTERVAL)
    before = scene.verification.call("latest", 1)
    event = said(scene, scene.submit(SETUP))["SetupAccepted"]
    assert (event["sequence"], event["atMs"]) == (2, START_MS)
    assert (event["configuration"], event["profiles"]) == (b"\x44" * 32, b"\x55" * 32)
    assert event["software"] == keccak(b"gridseal 0.1.0")
    assert scene.verification.call("latest", 1) == (2, *before[1:])
    scene.submit(INTERVAL)


_SHARED = Scene()
_RECORDS = [_SHARED.sealed(body) for body in (SETUP, _SHARED.rotation(OTHER), REVOCATION)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(_RECORDS), st.data())
def test_any_changed_bit_of_what_was_signed_is_refused(record: Record, data) -> None:
    whole = bytearray(_SHARED.adapter.record_call(record).data)
    _SHARED.chain.call(_SHARED.verification.address, bytes(whole))
    skipped = range(4 + 10 * 32 + 65, len(whole)) if record.kind == "rotation" else ()  # filling of the bytes
    offset = range(4 + 6 * 32, 4 + 7 * 32) if record.kind == "rotation" else ()  # where the bytes are
    place = data.draw(st.integers(4, len(whole) - 1).filter(lambda i: i not in skipped and i not in offset))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Reverted):
        _SHARED.chain.call(_SHARED.verification.address, bytes(whole))


# ---- equivocation --------------------------------------------------------------------------------------


def words(record: Record) -> bytes:
    """A struct as it is hashed: the type hash, then a word a field."""
    found = bodies.read(record.kind, record.body)
    kind = keccak(getattr(typed, f"{record.kind.upper()}_TYPE").encode())
    return kind + typed.words(found.site, record.sequence, record.previous, found.body)


def report(scene: Scene, a: Record, b: Record) -> Receipt:
    arguments = (words(a), a.signature, words(b), b.signature)
    return scene.verification.send("reportEquivocation", *arguments, sender=scene.stranger)


def every_kind(scene: Scene) -> list[Record]:
    scene.not_before, scene.not_after = 1_800_000_000, 1_800_000_900
    kinds = (INTERVAL, scene.delivery(b"\x77" * 32, 5), gap(), SETUP, scene.rotation(OTHER), REVOCATION)
    return [scene.sealed(body) for body in kinds]


@pytest.mark.parametrize("second", range(1, 6))
def test_two_records_with_one_sequence_end_the_chain_whatever_their_kind(scene: Scene, second: int) -> None:
    records = every_kind(scene)
    event = said(scene, report(scene, records[0], records[second]))["Equivocation"]
    assert (event["gateway"], event["sequence"]) == (scene.key.address.lower(), 1)
    assert (event["digestA"], event["digestB"]) == (records[0].digest, records[second].digest)
    assert scene.verification.call("gatewayOf", 1) == NOBODY
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(records[0])
    with pytest.raises(Reverted, match="UnknownGateway"):
        report(scene, records[0], records[second])  # once is enough


def test_an_honest_key_cannot_be_reported(scene: Scene) -> None:
    record = scene.sealed(INTERVAL)
    scene.post(record)
    following = scene.sealed(INTERVAL)
    with pytest.raises(Reverted, match="NoEquivocation"):
        report(scene, record, record)
    with pytest.raises(Reverted, match="NoEquivocation"):
        report(scene, record, following)
    theirs = dataclasses.replace(following, signature=OTHER.sign(following.digest))
    forged = dataclasses.replace(scene.sealed(gap(), sequence=2), signature=theirs.signature)
    with pytest.raises(Reverted, match="NoEquivocation"):
        report(scene, following, forged)
    scene.submit(INTERVAL)


def test_only_records_count_not_whatever_else_the_key_signed(scene: Scene) -> None:
    """Its consents and certificates are signed in the same domain, and their third word is no sequence."""
    record = scene.sealed(INTERVAL)
    shown = bytearray(words(record))
    for bad in (shown[32:], shown + bytes(32), shown[:-1], b"", keccak(b"Possession") + shown[32:]):
        with pytest.raises(Reverted, match="NoEquivocation"):
            scene.verification.send(
                "reportEquivocation", bytes(bad), record.signature, bytes(shown), record.signature
            )
        with pytest.raises(Reverted, match="NoEquivocation"):
            scene.verification.send(
                "reportEquivocation", bytes(shown), record.signature, bytes(bad), record.signature
            )
