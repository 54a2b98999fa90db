"""StorageVerification on an in-process EVM: what it accepts, what it turns down, what contracts can read."""

import dataclasses

import pytest
from contracts.inprocess import Reverted
from contracts.scene import FULLEST, INTERVAL, LEAVES, READINGS, SITE, SPECS, Scene, gap, proof_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, GapCause, site_hash
from gateway.model import CommandState

OTHER = KeySigner(b"\x02" * 32)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_interval_is_accepted_from_anybody_and_its_aggregates_are_readable(scene: Scene) -> None:
    record = scene.sealed(INTERVAL)
    receipt = scene.post(record)
    ((name, event),) = scene.verification.events(receipt)
    assert (name, event["sequence"], event["digest"]) == ("IntervalAccepted", 1, record.digest)
    assert event["gateway"] == scene.key.address.lower()
    i = INTERVAL
    assert scene.verification.call("latest", 1) == (
        1, i.end_ms, i.soc_bp, i.soh_bp, i.available_wh, i.frequency_mhz, i.voltage_mv, i.charged_wh,
        i.discharged_wh, i.imported_wh, i.exported_wh, i.produced_wh, i.consumed_wh, i.clock, i.flags,
    )  # fmt: skip
    assert scene.verification.call("lastSequence", scene.key.address) == 1


def test_the_largest_values_the_contract_has_room_for_come_back_whole(scene: Scene) -> None:
    scene.submit(FULLEST)
    latest = scene.verification.call("latest", 1)
    assert latest[1:] == (
        2**42 - 2, 2**14 - 1, 2**14 - 1, 2**30 - 1, 2**18 - 1, 2**22 - 1, *([2**28 - 1] * 6), 2, 255,
    )  # fmt: skip


def test_delivery_and_gap_move_the_sequence_and_keep_the_aggregates(scene: Scene) -> None:
    scene.submit(INTERVAL)
    before = scene.verification.call("latest", 1)
    scene.submit(gap())
    assert scene.verification.call("latest", 1) == (2, *before[1:])
    scene.submit(INTERVAL)
    assert scene.verification.call("lastSequence", scene.key.address) == 3


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sequence": 3}, "WrongSequence"),
        ({"sequence": 1}, "WrongSequence"),
        ({"previous": b"\x11" * 32}, "WrongPrevious"),
        ({"previous": GENESIS}, "WrongPrevious"),
    ],
)
def test_an_interval_out_of_place_is_refused(scene: Scene, change: dict, error: str) -> None:
    scene.submit(INTERVAL)
    with pytest.raises(Reverted, match=error):
        scene.post(scene.sealed(INTERVAL, **change))


def test_the_same_record_twice_is_refused(scene: Scene) -> None:
    record = scene.sealed(INTERVAL)
    scene.post(record)
    with pytest.raises(Reverted, match="WrongSequence"):
        scene.post(record)


def test_another_site_under_the_same_key_is_refused(scene: Scene) -> None:
    data = bytearray(scene.adapter.record_call(scene.sealed(INTERVAL)).data)
    data[4:36] = site_hash("elsewhere")
    with pytest.raises(Reverted, match="UnknownGateway"):  # the digest is another, so is the signer
        scene.chain.send(scene.verification.address, bytes(data))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(bit=st.integers(0, 7 * 256 - 1))
def test_any_changed_bit_of_a_submission_is_refused(bit: int) -> None:
    scene = _SHARED
    data = bytearray(scene.adapter.record_call(scene.sealed(INTERVAL)).data)
    data[4 + bit // 8] ^= 1 << bit % 8
    with pytest.raises(Reverted):
        scene.chain.call(scene.verification.address, bytes(data))


_SHARED = Scene()


def test_a_high_s_is_refused_so_a_record_has_one_signature(scene: Scene) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    record = scene.sealed(INTERVAL)
    s = order - int.from_bytes(record.signature[32:64], "big")
    flipped = record.signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - record.signature[64]])
    with pytest.raises(Reverted):  # in EIP-2098 a high s does not even fit: its top bit is v
        scene.post(dataclasses.replace(record, signature=flipped))


def test_only_a_gap_may_jump_and_the_chain_goes_on_behind_it(scene: Scene) -> None:
    scene.submit(INTERVAL)
    receipt = scene.post(scene.sealed(gap(), sequence=58, previous=b"\x22" * 32))
    ((name, event),) = scene.verification.events(receipt)
    assert (name, event["lastSequence"], event["sequence"]) == ("GapAccepted", 1, 58)
    assert (event["lost"], event["cause"]) == (12, GapCause.RESTORED)
    scene.submit(INTERVAL)
    assert scene.verification.call("lastSequence", scene.key.address) == 59


def test_a_gap_that_does_not_jump_must_link_and_none_goes_back(scene: Scene) -> None:
    scene.submit(INTERVAL)
    with pytest.raises(Reverted, match="WrongPrevious"):
        scene.post(scene.sealed(gap(), previous=b"\x22" * 32))
    with pytest.raises(Reverted, match="WrongSequence"):
        scene.post(scene.sealed(gap(), sequence=1))
    scene.key = OTHER
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(scene.sealed(gap(), sequence=58))


def test_a_gap_that_takes_nothing_from_the_chain_never_jumps(scene: Scene) -> None:
    """Whoever has to pay for the delivery sees its calldata and hands in the gap behind it first."""
    scene.submit(INTERVAL)
    delivery = scene.sealed(FULLEST)
    behind = scene.sealed(gap(GapCause.READINGS_DROPPED), sequence=3, previous=delivery.digest)
    with pytest.raises(Reverted, match="WrongSequence"):
        scene.post(behind)
    scene.post(delivery)
    scene.post(behind)


def test_a_gap_for_what_does_not_fit_passes_over_that_and_no_more(scene: Scene) -> None:
    scene.submit(INTERVAL)
    for sequence in (4, 5, 2**31):
        with pytest.raises(Reverted, match="WrongSequence"):
            scene.post(scene.sealed(gap(GapCause.NOT_ENCODABLE), sequence=sequence))
    scene.post(scene.sealed(gap(GapCause.NOT_ENCODABLE), sequence=3))
    scene.submit(INTERVAL)


def test_a_chain_may_begin_behind_records_for_another_contract(scene: Scene) -> None:
    scene.post(scene.sealed(gap(GapCause.NOT_ENCODABLE), sequence=700))
    scene.submit(INTERVAL)
    assert scene.verification.call("lastSequence", scene.key.address) == 701


def test_the_sequence_ends_where_its_field_does(scene: Scene) -> None:
    last = scene.sealed(gap(), sequence=2**32 - 1)
    scene.post(last)
    beyond = scene.sealed(gap(), sequence=2**32)
    body = gap()
    r, s = beyond.signature[:32], int.from_bytes(beyond.signature[32:64], "big")
    vs = (s | (beyond.signature[64] - 27) << 255).to_bytes(32, "big")
    fields = (body.start_ms, body.end_ms, body.lost, int(body.cause))
    with pytest.raises(Reverted, match="WrongSequence"):
        scene.verification.send(
            "submitGap", site_hash(SITE), beyond.sequence, beyond.previous, *fields, r, vs
        )


def test_anybody_proves_one_reading_while_it_is_in_the_ring(scene: Scene) -> None:
    record = scene.sealed(INTERVAL)
    scene.post(record)
    for index in (0, 3, len(LEAVES) - 1):  # a plain one, a negative one, an ABSENT one
        arguments = proof_of(record, INTERVAL, index)
        assert scene.verification.call("isReading", scene.key.address, *arguments)
        assert not scene.verification.call("proven", scene.key.address, *READINGS[index])
        receipt = scene.verification.send(
            "proveReading", scene.key.address, *arguments, sender=scene.stranger
        )
        ((name, event),) = scene.verification.events(receipt)
        assert (name, event["sequence"]) == ("ReadingProven", 1)
        assert (event["point"], event["atMs"], event["value"], event["quality"]) == READINGS[index]
        assert scene.verification.call("proven", scene.key.address, *READINGS[index])


def test_a_wrong_value_or_a_record_never_accepted_proves_nothing(scene: Scene) -> None:
    record = scene.sealed(INTERVAL)
    with pytest.raises(Reverted, match="NotInRing"):
        scene.verification.send("proveReading", scene.key.address, *proof_of(record, INTERVAL, 0))
    scene.post(record)
    words, point, at_ms, value, quality, proof = proof_of(record, INTERVAL, 0)
    lie = (words, point, at_ms, value + 1, quality, proof)
    assert not scene.verification.call("isReading", scene.key.address, *lie)
    with pytest.raises(Reverted, match="NotInTree"):
        scene.verification.send("proveReading", scene.key.address, *lie)
    with pytest.raises(Reverted, match="NotInRing"):
        scene.verification.call("isReading", OTHER.address, *proof_of(record, INTERVAL, 0))


def test_the_ring_forgets_after_its_length_and_not_before(scene: Scene) -> None:
    ring = scene.verification.call("RING")
    record = scene.sealed(INTERVAL)
    scene.post(record)
    for _ in range(ring - 1):
        scene.submit(gap())
    assert scene.verification.call("isReading", scene.key.address, *proof_of(record, INTERVAL, 0))
    scene.submit(gap())
    with pytest.raises(Reverted, match="NotInRing"):
        scene.verification.call("isReading", scene.key.address, *proof_of(record, INTERVAL, 0))


def test_a_new_key_begins_anew_and_an_old_one_is_spent_for_ever(scene: Scene) -> None:
    old, record = scene.key, scene.sealed(INTERVAL)
    scene.post(record)
    scene.bind(OTHER)
    assert scene.verification.call("gatewayOf", 1) == OTHER.address.lower()
    scene.submit(INTERVAL)
    assert scene.verification.call("isReading", old.address, *proof_of(record, INTERVAL, 0))
    scene.key, scene.sequence, scene.previous = old, 1, record.digest
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.submit(INTERVAL)
    with pytest.raises(Reverted, match="KeyAlreadyUsed"):
        scene.bind(old)


def test_a_revoked_key_is_refused_and_none_takes_its_place(scene: Scene) -> None:
    scene.submit(INTERVAL)
    nobody = "0x" + "00" * 20
    scene.verification.send("setGatewayKey", 1, nobody, bytes(32), b"", sender=scene.owner)
    assert not scene.verification.call("isActive", scene.key.address)
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.submit(INTERVAL)
    with pytest.raises(Reverted, match="UnknownGateway"):
        scene.post(scene.sealed(gap(), sequence=50))


def test_a_second_delivery_of_a_command_takes_its_place_but_changes_nothing(scene: Scene) -> None:
    scene.not_before, scene.not_after = 1_800_000_000, 1_800_000_900
    command = b"\x77" * 32
    scene.submit(scene.delivery(command, 700, available_bp=9987))
    scene.submit(scene.delivery(command, -9, outcome=CommandState.CUT_SHORT))
    assert scene.verification.call("deliveryOf", 1, command) == (
        1, 1_800_000_000_000, 1_800_000_900_000, 700, 9987, 2,
    )  # fmt: skip
    assert scene.verification.call("deliveryOf", 2, command)[0] == 0


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(bit=st.integers(0, 10 * 256 - 1))
def test_any_changed_bit_of_a_delivery_is_refused(bit: int) -> None:
    scene = _SHARED
    scene.not_before, scene.not_after = 1_800_000_000, 1_800_000_900
    record = scene.sealed(scene.delivery(b"\x77" * 32, -9, power_mean_w=-3, available_bp=2**16 - 1))
    data = bytearray(scene.adapter.record_call(record).data)
    scene.chain.call(scene.verification.address, bytes(data))
    data[4 + bit // 8] ^= 1 << bit % 8
    with pytest.raises(Reverted):
        scene.chain.call(scene.verification.address, bytes(data))


def test_who_may_register_bind_verify_and_update(scene: Scene) -> None:
    contract, stranger = scene.verification, scene.stranger
    with pytest.raises(Reverted, match="NotAllowed"):
        contract.send("registerStorage", scene.owner, SPECS, sender=stranger)
    with pytest.raises(Reverted, match="NotAllowed"):
        contract.send("setGatewayKey", 1, OTHER.address, site_hash(SITE), bytes(65), sender=stranger)
    with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
        contract.send("verifyInstallation", 1, sender=stranger)
    with pytest.raises(Reverted, match="NotAllowed"):
        contract.send("updateCapacity", 1, 1, sender=stranger)
    with pytest.raises(Reverted, match="UnknownAsset"):
        contract.send("updateCapacity", 2, 1)
    with pytest.raises(Reverted, match="BadSpecs"):
        contract.send("registerStorage", scene.owner, (0, *SPECS[1:]))
    with pytest.raises(Reverted, match="BadSpecs"):
        contract.send("registerStorage", scene.owner, (1, 1, 101, "", ""))


def test_an_installation_is_verified_only_on_signed_evidence(scene: Scene) -> None:
    with pytest.raises(Reverted, match="NoEvidence"):
        scene.verify_installation()
    scene.submit(INTERVAL)
    scene.verify_installation()
    scene.verification.send("updateCapacity", 1, 9 * 10**18, sender=scene.owner)
    owner, verified, specs = scene.verification.call("getStorageDetails", 1)
    assert (owner, verified) == (scene.owner.lower(), True)
    assert scene.verification.call("gatewayOf", 1) == scene.key.address.lower()
    assert specs == (9 * 10**18, *SPECS[1:])
