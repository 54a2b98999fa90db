"""Platform `stacks`: records, figures and reports to calls, answers of contracts to orders. Pure; what the
contracts say to the calls is tests/contracts/test_clarity.py's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.platforms import platform
from gateway.chain.platforms.calls import Facts, NotEncodable, Order, Unusable
from gateway.chain.platforms.stacks import FUNCTIONS, TRIALS, StacksPlatform, verifying_contract
from gateway.chain.stacks.address import TESTNET_ID
from gateway.chain.stacks.codec import Int, Some, UInt, encode
from gateway.chain.stacks.transaction import Invocation, read_payload
from gateway.errors import ChainError, ConfigError
from gateway.evidence import possession
from gateway.evidence import records as chains
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import (
    GENESIS,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
    Setup,
    words,
)
from gateway.model import Limits, ServiceKind
from gateway.principal import Principal, parse
from gateway.site import ChainSettings
from tests.chain.people import SITE, delivery, interval
from tests.gateway.stacks_values import values

FIRST, SECOND = KeySigner(b"\x11" * 32), KeySigner(b"\x22" * 32)
CONTRACTS = {role: str(Principal(26, b"\x05" * 20, role)) for role in FUNCTIONS}
SYSTEM = StacksPlatform(ChainSettings(TESTNET_ID, (), "stacks", CONTRACTS, 7))
DOMAIN = Domain(TESTNET_ID, SYSTEM.evidence_contract)
FACTS = Facts(0, Limits(5000, 5000), capacity_wh=10_000, available_wh=6249)
REQUEST = {
    "facility": UInt(7), "request": UInt(3), "service": UInt(2), "start": UInt(1000), "end": UInt(2000),
    "values": [Int(-1500)], "target-mhz": UInt(50_000), "state": UInt(1), "command": b"\xcc" * 32,
}  # fmt: skip
SUGGESTION = {"command": b"\xdd" * 32, "power-w": Int(-2500), "start": UInt(1000), "end": UInt(2000)}


def signed(body, domain: Domain = DOMAIN):
    record = chains.seal(domain, SITE, 4, GENESIS, body)
    return chains.signed(record, FIRST.sign(record.digest))


def rotation() -> Rotation:
    return Rotation(
        1, SECOND.address.lower(), 7, SECOND.sign(possession.digest(DOMAIN, FIRST.address, 7, SITE))
    )


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (1, interval(0)),
        (2, delivery("ab" * 32, 5, 9, -250)),
        (3, Gap(1, 2, 3, GapCause.RESTORED)),
        (4, Setup(1, b"\1" * 32, b"\2" * 32, "gridseal 0")),
        (6, Revocation(1, RevocationReason.RETIRED)),
    ],
)
def test_a_record_goes_as_its_words_and_its_signature(number, body):
    record = signed(body)
    call = SYSTEM.record_call(record)
    assert read_payload(call.data) == Invocation(
        parse(CONTRACTS["records"]),
        "submit-record",
        [UInt(number), words(SITE, 4, GENESIS, body), record.signature],
    )
    assert call.contract == CONTRACTS["records"]
    assert SYSTEM.fits(record)


def test_a_rotation_brings_the_next_key_with_its_consent():
    body = rotation()
    record = signed(body)
    call = read_payload(SYSTEM.record_call(record).data)
    assert call.function == "submit-rotation"
    assert call.arguments == [
        words(SITE, 4, GENESIS, body), record.signature, SECOND.public_key[1:], body.possession,
    ]  # fmt: skip
    spoilt = signed(replace(body, possession=b"\xff" * 64 + b"\x1b"))
    with pytest.raises(NotEncodable, match="possession"):
        SYSTEM.record_call(spoilt)
    assert not SYSTEM.fits(spoilt)


def test_a_record_of_another_contract_stays_here():
    other = signed(interval(0), Domain(TESTNET_ID, "0x" + "0b" * 20))
    with pytest.raises(NotEncodable, match="it is for the contract 0x0b"):
        SYSTEM.record_call(other)


def test_what_follows_a_record():
    ((name, call),) = SYSTEM.follow_ups(signed(interval(0)), "", None)
    assert (name, read_payload(call.data).function) == ("action/4", "record-action")
    proof = signed(delivery("ab" * 32, 5, 9, 250))
    assert SYSTEM.command_id(proof) == "ab" * 32
    assert SYSTEM.follow_ups(proof, "", None) == (), "a person's order, or a suggestion: nobody pays it"
    ((name, call),) = SYSTEM.follow_ups(proof, "3", None)
    assert (name, read_payload(call.data).arguments) == ("fulfil/" + "ab" * 32, [UInt(3)])
    assert SYSTEM.follow_ups(signed(Gap(1, 2, 3, GapCause.RESTORED)), "", None) == ()


def test_capacity_is_told_in_steps_and_never_more_than_there_is():
    def told(**changed):
        return {r.subject: r.value for r in SYSTEM.reports(replace(FACTS, **changed))}

    assert told() == {"capacity": "10000", "available": "6000"}
    assert told(capacity_wh=9999, available_wh=9999) == {"capacity": "9999", "available": "9980"}
    assert told(capacity_wh=9_901, available_wh=12_000)["available"] == "9900"
    assert told(capacity_wh=7) == {"capacity": "7", "available": "7"}
    assert told(available_wh=None) == {"capacity": "10000"}
    assert told(capacity_wh=None) == told(capacity_wh=0) == {}


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_what_is_told_as_available_fits_what_is_told_as_the_whole(whole, available):
    facts = replace(FACTS, capacity_wh=whole, available_wh=available)
    total, part = (int(r.value) for r in SYSTEM.reports(facts))
    assert 0 <= part <= total <= whole
    assert part <= available


def test_the_functions_that_are_checked_are_those_that_are_called():
    calls = [
        SYSTEM.record_call(signed(interval(0))),
        SYSTEM.record_call(signed(rotation())),
        *(call for body in (interval(0), delivery("ab" * 32, 5, 9, 1)) for _, call in follow(body)),
        *(report.call for report in SYSTEM.reports(FACTS)),
        SYSTEM.key_call(),
        SYSTEM.last_sequence_call(FIRST.address),
        SYSTEM.predecessor_call(FIRST.address),
    ]
    made = [read_payload(call.data) for call in calls] + [SYSTEM.request(1), SYSTEM.suggestion]
    tried = [t for t in map(SYSTEM.trial, made) if t is not None]
    owners = {"register-facility", "set-gateway-key"}
    assert {t.function for t in tried} == {*TRIALS.values(), "is-approved"}
    used = {(str(c.contract), c.function) for c in made + tried}
    checked = {(str(c), f) for c, functions in SYSTEM.uses.values() for f in functions}
    assert used == {(c, f) for c, f in checked if f not in owners}


def test_capacity_is_told_of_an_approved_facility_alone():
    for report in SYSTEM.reports(FACTS):
        asked = SYSTEM.trial(read_payload(report.call.data))
        assert asked == Invocation(parse(CONTRACTS["facility"]), "is-approved", [UInt(7)])


def follow(body):
    return SYSTEM.follow_ups(signed(body), "3", None)


def test_the_keys_that_the_contract_names():
    assert SYSTEM.key_problem(bytes(32), FIRST.address) == ""
    word = bytes(12) + bytes.fromhex(FIRST.address[2:])
    assert SYSTEM.key_problem(word, FIRST.address) == ""
    said = SYSTEM.key_problem(word, SECOND.address)
    assert said.startswith("chain.facility: facility 7 is bound to the key 0x")
    assert "set-gateway-key" in said


def test_a_request_is_an_order():
    found = SYSTEM.read_request(Some(REQUEST))
    assert isinstance(found, Order)
    command = found.command
    assert (command.id, command.kind, dict(command.parameters)) == (
        "cc" * 32, ServiceKind.FIXED_POWER, {"power_w": -1500},
    )  # fmt: skip
    assert (command.not_before_ms, command.not_after_ms, command.shared) == (1_000_000, 2_000_000, True)
    assert (found.reference, SYSTEM.request_id(Some(REQUEST))) == ("3", "cc" * 32)
    assert SYSTEM.request_id(None) == ""
    for state in (2, 3, 4):
        assert SYSTEM.read_request(Some(REQUEST | {"state": UInt(state)})) is None


@pytest.mark.parametrize(("given_mhz", "kept_mhz"), [(0, 59_990), (60_010, 60_010)])
def test_the_frequency_target_counts_where_the_request_names_none(given_mhz, kept_mhz):
    terms = [Int(4000), Int(20), Int(200), Int(given_mhz)]
    for said in (terms[:3], terms) if not given_mhz else (terms,):
        fields = REQUEST | {"service": UInt(0), "values": said, "target-mhz": UInt(59_990)}
        found = SYSTEM.read_request(Some(fields))
        assert isinstance(found, Order)
        assert found.command.parameters["target_mhz"] == kept_mhz


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"service": UInt(9)}, "service 9 is not carried out here"),
        ({"values": []}, "takes the numbers power_w, not []"),
        ({"values": [Int(2**63)]}, "takes the numbers power_w"),
        ({"end": UInt(2**100)}, "ends in the year"),
        ({"values": [Int(2**127 - 1)] * 5000}, "takes the numbers power_w"),
    ],
)
def test_what_cannot_be_carried_out_is_said_in_a_short_line(changed, words):
    found = SYSTEM.read_request(Some(REQUEST | changed))
    assert isinstance(found, Unusable)
    assert words in found.reason
    assert len(found.reason) < 400


@given(st.data())
def test_any_value_is_an_order_or_one_clean_error(data):
    """A right answer with one field replaced, or anything at all."""
    for right, read in ((REQUEST, SYSTEM.read_request), (SUGGESTION, SYSTEM.read_suggestion)):
        field = data.draw(st.sampled_from(sorted(right)))
        spoilt = Some(right | {field: data.draw(values)})
        for said in (spoilt, data.draw(values)):
            encode(said)
            try:
                found = read(said)
            except ChainError as error:
                assert "\n" not in str(error)
                continue
            assert found is None or isinstance(found, Order | Unusable)


def test_a_suggestion_is_an_order_that_nobody_pays():
    found = SYSTEM.read_suggestion(Some(SUGGESTION))
    assert isinstance(found, Order)
    assert (found.command.kind, dict(found.command.parameters), found.reference) == (
        ServiceKind.FIXED_POWER, {"power_w": -2500}, "",
    )  # fmt: skip


def test_settings_that_name_no_contract():
    def made(**changed):
        return platform(ChainSettings(TESTNET_ID, (), "stacks", CONTRACTS | changed, 7))

    assert made().evidence_contract == verifying_contract(parse(CONTRACTS["records"]))
    for text, said in (
        ("ST5", "no Stacks address"),
        (str(Principal(26, bytes(20))), "not a contract"),
        (str(Principal(22, bytes(20), "c")), "not on the network"),
    ):
        with pytest.raises(ConfigError, match=rf"chain\.contracts\.services: .*{said}"):
            made(services=text)
    for contracts, asset in (({}, 7), (CONTRACTS, 0)):
        with pytest.raises(ConfigError, match="facility: 1 or above"):
            platform(ChainSettings(TESTNET_ID, (), "stacks", contracts, asset))
