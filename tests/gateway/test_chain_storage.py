"""Platform `storage`: packed words against the field table of Records.sol, events to commands, refusals."""

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.platforms import platform
from gateway.chain.platforms.artifacts import artifact
from gateway.chain.platforms.calls import NotEncodable, Order, Unusable
from gateway.chain.shapes import Block, Log
from gateway.errors import ConfigError
from gateway.evidence import records
from gateway.evidence.typed import GENESIS, NO_CHAIN, Domain, Gap, GapCause, keccak, site_hash
from gateway.model import Cause, ClockTrust, CommandState, Delivery, Interval, ServiceKind, Source
from gateway.services import LAWS
from gateway.site import ChainSettings
from tests.chain.world import KeySigner

VERIFICATION, SERVICES = "0x" + "aa" * 20, "0x" + "bb" * 20
SETTINGS = ChainSettings(
    31337, ("http://a", "http://b"), "storage", {"verification": VERIFICATION, "services": SERVICES}, 7
)
BLOCK = Block(50, "0x" + "01" * 32, "0x" + "02" * 32, 1_790_000_000, 1)
PREVIOUS = b"\x09" * 32
INTERVAL = Interval(
    1_790_000_000_000, 1_790_000_900_000, 3600, b"\x07" * 32,
    1, 2, 3, 4, 5, 6, 5000, 9900, 7500, 49_998, 230_100, ClockTrust.TRUSTED, 8,
)  # fmt: skip
DELIVERY = Delivery(
    "ab" * 32, 1_790_000_000_000, 1_790_000_060_000, -50, -49, -3000, 12, -2940, 700, 31, 9876, 400,
    ((Cause.RAMP, 300), (Cause.SOC, 100)), CommandState.DONE, b"\x05" * 32, 60,
)  # fmt: skip


@pytest.fixture
def adapter():
    return platform(SETTINGS)


def made(body, sequence=5):
    record = records.seal(Domain(31337, VERIFICATION), "meadow", sequence, PREVIOUS, body)
    return records.signed(record, KeySigner("0x" + "11" * 32).sign(record.digest))


def arguments(call, contract, method):
    signature = next(s for s in artifact(contract)["methods"] if s.startswith(method + "("))
    assert call.data[:4] == keccak(signature.encode())[:4]
    return decode(signature.partition("(")[2].rstrip(")").split(","), call.data[4:])


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


def test_follow_ups_of_a_delivery_that_was_ordered_here(adapter):
    record = made(DELIVERY)
    assert adapter.command_id(record) == "ab" * 32
    assert adapter.follow_ups(record, "", None) == ()
    assert adapter.follow_ups(made(INTERVAL), "3", None) == ()
    (one, validate), (two, settle) = adapter.follow_ups(record, "3", None)
    assert (one, two) == ("validate/" + "ab" * 32, "settle/" + "ab" * 32)
    assert arguments(validate, "GridServices", "validateServiceDelivery") == (3,)
    assert arguments(settle, "GridServices", "settlePayments") == (3,)
    assert validate.contract == settle.contract == SERVICES


def test_the_events_are_those_of_the_shipped_abi(adapter):
    events = {}
    for item in artifact("GridServices")["abi"]:
        if item["type"] == "event":
            events[item["name"]] = f"{item['name']}({','.join(i['type'] for i in item['inputs'])})"
    wanted = ["0x" + keccak(events[n].encode()).hex() for n in ("ServiceOrdered", "EmergencyStop")]
    assert list(adapter.topics) == wanted


def ordered(adapter, *, kind=2, storage=7, begin=100, end=200, values=(1500,), data=None, topics=4):
    parts = ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256")
    data = encode(parts, (kind, begin, end, 5, list(values), 10**15)) if data is None else data
    words = (bytes.fromhex(adapter.topics[0][2:]), b"\xcc" * 32, (4).to_bytes(32), storage.to_bytes(32))
    return Log(SERVICES, words[:topics], data, BLOCK.hash, "0x" + "dd" * 32, 2)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, ServiceKind.FREQUENCY),
        (1, ServiceKind.PEAK_SHAVING),
        (2, ServiceKind.FIXED_POWER),
        (3, ServiceKind.VOLTAGE),
        (4, ServiceKind.RESERVE),
    ],
)
def test_an_order_becomes_a_command(adapter, number, kind):
    names = tuple(LAWS[kind].parameters)
    found = adapter.read_event(ordered(adapter, kind=number, values=range(1, len(names) + 1)), BLOCK)
    assert isinstance(found, Order)
    assert found.reference == "4"
    command = found.command
    assert (command.id, command.source, command.kind) == ("cc" * 32, Source.CHAIN, kind)
    assert (command.not_before_ms, command.not_after_ms) == (100_000, 200_000)
    assert dict(command.parameters) == dict(zip(names, range(1, len(names) + 1), strict=True))


@pytest.mark.parametrize(
    "change",
    [{"kind": 5}, {"kind": 200}, {"values": ()}, {"values": (1, 2)}, {"values": (2**63,)},
     {"end": 2**50}, {"data": b""}, {"data": b"\xff" * 192}, {"data": b"\x00" * 31}],
)  # fmt: skip
def test_orders_that_cannot_be_obeyed_say_why(adapter, change):
    found = adapter.read_event(ordered(adapter, **change), BLOCK)
    assert isinstance(found, Unusable)
    assert "service 4" in found.reason


def test_events_of_others_do_not_concern_us(adapter):
    assert adapter.read_event(ordered(adapter, storage=8), BLOCK) is None
    assert adapter.read_event(ordered(adapter, topics=3), BLOCK) is None
    assert adapter.read_event(ordered(adapter, topics=0), BLOCK) is None


def test_an_order_far_too_large_is_refused_in_few_words(adapter):
    """One operator's order must not stop the orders of all the others, nor fill the status."""
    found = adapter.read_event(ordered(adapter, data=bytes(2**21)), BLOCK)
    assert isinstance(found, Unusable)
    assert len(found.reason) < 200


def test_a_record_for_another_contract_has_no_room_here(adapter):
    sealed = records.seal(NO_CHAIN, "meadow", 1, GENESIS, Gap(1, 2, 3, GapCause.STORE_LOST))
    record = records.signed(sealed, KeySigner("0x" + "11" * 32).sign(sealed.digest))
    with pytest.raises(NotEncodable, match="for the contract 0x0000"):
        adapter.record_call(record)
    assert not adapter.fits(record)


def test_an_emergency_stop(adapter):
    words = (bytes.fromhex(adapter.topics[1][2:]), (7).to_bytes(32), bytes(12) + b"\x42" * 20)
    log = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "dd" * 32, 2)
    found = adapter.read_event(log, BLOCK)
    assert found.command.kind is ServiceKind.STOP
    assert found.command.not_before_ms == BLOCK.timestamp_s * 1000
    assert found.command.id == adapter.read_event(log, BLOCK).command.id
    moved = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "dd" * 32, 3)  # by a reorg
    assert found.command.id == adapter.read_event(moved, BLOCK).command.id
    other = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "de" * 32, 2)
    assert found.command.id != adapter.read_event(other, BLOCK).command.id


@given(st.binary(max_size=400), st.lists(st.binary(min_size=32, max_size=32), max_size=4))
def test_any_log_is_an_order_a_refusal_or_nothing(data, topics):
    adapter = platform(SETTINGS)
    ours = (bytes.fromhex(adapter.topics[0][2:]), *topics[1:3], (7).to_bytes(32))
    for words in (tuple(topics), ours):
        found = adapter.read_event(Log(SERVICES, words, data, BLOCK.hash, BLOCK.hash, 0), BLOCK)
        assert found is None or isinstance(found, Order | Unusable)


def test_bad_settings_are_one_line():
    def settings(**change):
        plain = {f: getattr(SETTINGS, f) for f in ChainSettings.__slots__}
        return ChainSettings(**plain | change)

    with pytest.raises(ConfigError, match="is none of storage"):
        platform(settings(platform="nosuch"))
    with pytest.raises(ConfigError, match="missing: services"):
        platform(settings(contracts={"verification": VERIFICATION}))
    with pytest.raises(ConfigError, match="unknown: other"):
        platform(settings(contracts=SETTINGS.contracts | {"other": VERIFICATION}))
    with pytest.raises(ConfigError, match="ids begin at 1"):
        platform(settings(asset_id=0))


def test_the_key_that_the_contract_has_for_the_site(adapter):
    call = adapter.key_call()
    assert (call.contract, arguments(call, "StorageVerification", "gatewayOf")) == (VERIFICATION, (7,))
    ours, other = "0x" + "Ab" * 20, bytes(12) + b"\xcd" * 20
    assert adapter.key_problem(bytes(32), ours) == "", "nobody's yet: what is sealed waits"
    assert adapter.key_problem(bytes(12) + b"\xab" * 20, ours) == ""
    said = adapter.key_problem(other, ours)
    assert said.startswith(
        f"chain.storage: storage 7 is bound to the key 0x{'cd' * 20}, but attest.key is {ours}"
    )
