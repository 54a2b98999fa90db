"""Packed words against the field table of Records.sol; what has no room is refused."""

import pytest

from gateway.chain.platforms import platform
from gateway.chain.platforms.calls import NotEncodable
from gateway.evidence import records
from gateway.evidence.typed import GENESIS, NO_CHAIN, Gap, GapCause, keccak, site_hash
from gateway.model import Cause, Interval
from tests.chain.world import KeySigner
from tests.gateway.platform_samples import (
    DELIVERY,
    INTERVAL,
    PREVIOUS,
    SETTINGS,
    VERIFICATION,
    arguments,
    made,
)


@pytest.fixture
def adapter():
    return platform(SETTINGS)


def test_an_interval_is_packed_as_records_sol_reads_it(adapter):
    record = made(INTERVAL)
    call = adapter.record_call(record)
    site, previous, root, status, figures, r, vs = arguments(call, "StorageVerification", "submitInterval")
    assert call.contract == VERIFICATION
    assert (site, previous, root) == (site_hash("meadow"), PREVIOUS, b"\x07" * 32)
    widths = [1, 32, 42, 14, 14, 30, 2, 8, 28, 28, 28, 28, 1]  # the layout comment of Records.sol, in order
    assert fields(status, widths) == [0, 5, 1_790_000_900_000, 5000, 9900, 7500, 1, 8, 3, 4, 5, 6, 0]
    widths = [96, 32, 32, 28, 28, 18, 22]
    assert fields(figures, widths) == [0, 900_000, 3600, 1, 2, 49_998, 230_100]
    assert r == record.signature[:32]
    assert int.from_bytes(vs, "big") >> 255 == record.signature[64] - 27
    assert int.from_bytes(vs, "big") & (1 << 255) - 1 == int.from_bytes(record.signature[32:64], "big")


def fields(word, widths):
    found, low = [], 256
    for width in widths:
        low -= width
        found.append(word >> low & (1 << width) - 1)
    assert low == 0
    return found


def test_a_delivery_and_a_gap(adapter):
    call = adapter.record_call(made(DELIVERY))
    found = arguments(call, "StorageVerification", "submitDelivery")
    *_, command, root, curtailments, times, amounts, tracking, _, _ = found
    assert (command, root) == (b"\xab" * 32, b"\x05" * 32)
    assert curtailments == keccak(bytes.fromhex("080000012c0600000064"))
    assert fields(times, [64, 64, 64, 32, 32]) == [5, 1_790_000_000_000, 1_790_000_060_000, 60, 400]
    causes = sum(1 << list(Cause).index(c) for c, _ in DELIVERY.curtailments)
    assert fields(tracking, [160, 32, 32, 32]) == [0, 2**32 - 2940, 700, 31]
    assert fields(amounts, [8, 16, 64, 64, 32, 32, 32, 8]) == [
        0, 9876, 2**64 - 50, 2**64 - 49, 2**32 - 3000, 12, causes, 2,
    ]  # fmt: skip
    call = adapter.record_call(made(Gap(0, 9, 4, GapCause.RESTORED), sequence=12))
    found = arguments(call, "StorageVerification", "submitGap")
    assert found[:7] == (site_hash("meadow"), 12, PREVIOUS, 0, 9, 4, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("charged_wh", 2**28), ("available_wh", 2**30), ("voltage_mv", 2**22), ("flags", 256),
     ("soc_bp", 2**14), ("start_ms", 0)],
)  # fmt: skip
def test_what_has_no_room_in_the_contract_is_said_not_cut(adapter, name, value):
    wide = Interval(**{f: getattr(INTERVAL, f) for f in Interval.__slots__} | {name: value})
    with pytest.raises(NotEncodable, match="bits for"):
        adapter.record_call(made(wide))


def test_a_record_for_another_contract_has_no_room_here(adapter):
    sealed = records.seal(NO_CHAIN, "meadow", 1, GENESIS, Gap(1, 2, 3, GapCause.STORE_LOST))
    record = records.signed(sealed, KeySigner("0x" + "11" * 32).sign(sealed.digest))
    with pytest.raises(NotEncodable, match="for the contract 0x0000"):
        adapter.record_call(record)
    assert not adapter.fits(record)
