"""What all contract systems do alike with records and keys, on one that writes down what it is asked."""

import json

import pytest

from gateway.chain.platforms.calls import Call, NotEncodable
from gateway.chain.platforms.carrier import Carrier, bound_elsewhere
from gateway.model import Record

COMMAND, KEY, OTHER = "ab" * 32, "0x" + "Ab" * 20, b"\xcd" * 20


class Noting(Carrier):
    """Its calls are the names of what was asked."""

    def record_call(self, record: Record) -> Call:
        if record.kind == "setup":
            raise NotEncodable("no room")
        return Call("evidence", b"", 0)

    def _after_interval(self, record, figures):
        return (("interval", figures),)

    def _after_delivery(self, command, reference):
        return ((command, reference),)


def record(kind: str) -> Record:
    body = json.dumps({"command_id": "0x" + COMMAND}) if kind == "delivery" else "{}"
    return Record(4, bytes(32), bytes(32), kind, body, bytes(65))


@pytest.mark.parametrize(
    ("kind", "fits", "command", "with_reference", "without"),
    [
        ("interval", True, "", (("interval", None),), (("interval", None),)),
        ("delivery", True, COMMAND, ((COMMAND, "7"),), ()),
        ("gap", True, "", (), ()),
        ("setup", False, "", (), ()),
    ],
)
def test_what_becomes_of_a_record(kind, fits, command, with_reference, without):
    found = record(kind)
    assert Noting().fits(found) is fits
    assert Noting().command_id(found) == command
    assert Noting().follow_ups(found, "7", None) == with_reference
    assert Noting().follow_ups(found, "", None) == without


@pytest.mark.parametrize("word", [bytes(32), bytes(12) + b"\xab" * 20], ids=["nobody's", "ours"])
def test_a_key_that_is_nobodys_or_ours_is_no_problem(word):
    assert bound_elsewhere(word, KEY, "asset", 7, "setGatewayKey") == ""


def test_somebody_elses_key_is_said_in_the_words_of_the_site_file():
    said = bound_elsewhere(bytes(12) + OTHER, KEY, "facility", 7, "set-gateway-key")
    assert said == (
        f"chain.facility: facility 7 is bound to the key 0x{OTHER.hex()}, but attest.key is {KEY}: correct"
        " one of them, or have the facility's owner bind this key (set-gateway-key)"
    )
