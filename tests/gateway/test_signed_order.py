"""Signed orders: only exactly what a listed signer signed for this site counts, whatever carried it."""

import json
from dataclasses import replace

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import services, signed_order
from gateway.errors import ServiceRefused
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN, Domain, site_hash
from gateway.model import Command, ServiceKind, Source

KEY = KeySigner(b"\x31" * 32)
OTHER = KeySigner(b"\x32" * 32)
SIGNERS = frozenset({KEY.address.lower()})
DOMAIN = Domain(10, "0x" + "11" * 20)
PARAMETERS = {
    ServiceKind.FIXED_POWER: {"power_w": -3000},
    ServiceKind.PEAK_SHAVING: {"import_w": 5000, "power_w": 0},
    ServiceKind.STOP: {},
}


def order(kind: ServiceKind = ServiceKind.FIXED_POWER, **changes: object) -> Command:
    base = Command("ab" * 32, Source.REMOTE, kind, 1_790_000_000_000, 1_790_000_060_000, PARAMETERS[kind])
    return replace(base, **changes)


def written(command: Command, key: KeySigner = KEY, domain: Domain = DOMAIN, site: str = "here") -> bytes:
    signature = key.sign(signed_order.digest(domain, site, command))
    return signed_order.write(site, command, signature).encode()


def changed(text: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(text), **fields}).encode()


def refused(text: bytes, signers: frozenset[str] = SIGNERS) -> str:
    with pytest.raises(ServiceRefused) as caught:
        signed_order.read(text, DOMAIN, "here", signers)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", PARAMETERS)
@pytest.mark.parametrize("shared", [False, True])
def test_what_a_listed_signer_signed_counts(kind: ServiceKind, shared: bool) -> None:
    command = order(kind, shared=shared)
    found = signed_order.read(written(command), DOMAIN, "here", SIGNERS)
    assert found == replace(command, origin=f"signed by {KEY.address}")
    assert services.problem(found) == ""


def test_the_digest_is_the_one_that_wallets_make() -> None:
    """An independent EIP-712 implementation signs the same struct."""
    command = order(ServiceKind.PEAK_SHAVING, shared=True)
    fields = signed_order.ORDER_TYPE.removeprefix("Order(").removesuffix(")").split(",")
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Order": [{"type": f.split()[0], "name": f.split()[1]} for f in fields],
        },
        "primaryType": "Order",
        "domain": {
            "name": "Gridseal",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.contract,
        },
        "message": {
            "site": site_hash("here"),
            "id": bytes.fromhex(command.id),
            "service": "peak-shaving",
            "notBefore": command.not_before_ms,
            "notAfter": command.not_after_ms,
            "shared": True,
            "values": [5000, 0],
        },
    }
    signature = bytes(Account.from_key(b"\x31" * 32).sign_typed_data(full_message=typed).signature)
    text = signed_order.write("here", command, signature).encode()
    assert signed_order.read(text, DOMAIN, "here", SIGNERS).parameters == {"import_w": 5000, "power_w": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (written(order(), OTHER), "may not order here"),
        (written(order(), domain=NO_CHAIN), "may not order here"),
        (written(order(), domain=Domain(11, DOMAIN.contract)), "may not order here"),
        (written(order(), site="there"), "another site"),
        (changed(written(order(), site="there"), site="here"), "may not order here"),
        (changed(written(order()), values=[-3001]), "may not order here"),
        (changed(written(order()), not_after=1_790_000_060_001), "may not order here"),
        (changed(written(order()), shared=True), "may not order here"),
        (changed(written(order()), id="0x" + "ac" * 32), "may not order here"),
        (changed(written(order()), shared=1), "true or false"),
        (changed(written(order()), values=[1, 2]), "takes all of its values: power_w"),
        (changed(written(order(ServiceKind.STOP)), values=[1]), "takes all of its values: none"),
        (changed(written(order(ServiceKind.PEAK_SHAVING)), values=[5000]), "all of its values"),
        (changed(written(order()), values=[2**63]), "at most 32 integers"),
        (changed(written(order()), values=[True]), "at most 32 integers"),
        (changed(written(order()), values="x"), "at most 32 integers"),
        (changed(written(order()), not_before=-1), "Unix milliseconds"),
        (changed(written(order()), not_before=1.5), "Unix milliseconds"),
        (written(order(not_after_ms=2**63)), "Unix milliseconds"),
        (written(order(not_after_ms=2**64 - 1)), "Unix milliseconds"),
        (changed(written(order()), service="self-destruction"), "not a valid ServiceKind"),
        (changed(written(order()), service=None), "not a valid ServiceKind"),
        (changed(written(order()), id="0xzz"), "not well formed"),
        (changed(written(order()), id=7), "in hex"),
        (changed(written(order()), signature="0x00"), "65 bytes"),
        (changed(written(order()), more=1), "exactly the fields"),
        (b"[]", "exactly the fields"),
        (b"\xff", "not JSON"),
        (b"[" * 4000, "not JSON"),
        (b" " * 5000, "at most 4096 bytes"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: bytes, said: str) -> None:
    assert said in refused(text)


def test_without_signers_nothing_counts() -> None:
    assert "may not order" in refused(written(order()), frozenset())


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_but_the_signed_ones_count(data: st.DataObject) -> None:
    text = bytearray(written(order()))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255).filter(lambda b: b != text[place]))
    try:
        found = signed_order.read(bytes(text), DOMAIN, "here", SIGNERS)
    except ServiceRefused:
        return
    # Only what JSON does not distinguish may still be the same order: hex in the other case.
    assert found == replace(order(), origin=f"signed by {KEY.address}")


@given(st.binary(max_size=300))
def test_garbage_is_refused(text: bytes) -> None:
    refused(text)
