"""gateway.chain.stacks.transaction: byte for byte what @stacks/transactions makes."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.chain.stacks.address import MAINNET_ID, TESTNET_ID
from gateway.chain.stacks.codec import UInt, encode
from gateway.chain.stacks.transaction import Fields, Invocation, payload, read_payload, sign
from gateway.errors import ChainError
from gateway.evidence.signer import KeySigner
from tests import tools
from tests.gateway.stacks_values import names, principals, shown, values

HERE = Path("hardware-in-loop/contracts")
CALLS = 300
contracts = principals.filter(lambda principal: principal.contract)
invocations = st.builds(Invocation, contracts, names, st.lists(values, max_size=6))


def node_calls() -> list[tuple[Invocation, int, int]]:
    """Random ones, the same in every run."""
    found: list[tuple[Invocation, int, int]] = []
    edges = st.integers(0, 2**63) | st.sampled_from((0, 1, 2**32))

    @settings(
        max_examples=CALLS, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), deadline=None,
    )  # fmt: skip
    @given(invocations, edges, edges)
    def collect(call, nonce, fee):
        found.append((call, nonce, fee))

    collect()
    return found


@pytest.mark.parametrize(("network", "chain_id"), [("mainnet", MAINNET_ID), ("testnet", TESTNET_ID)])
def test_the_bytes_are_those_of_the_javascript_library(network, chain_id):
    node = tools.need("node")
    if not (HERE / "node_modules/@stacks/transactions").is_dir():
        tools.missing("@stacks/transactions (npm)")
    secret, calls = random.Random(7).randbytes(32), node_calls()
    given_ = {
        "secret": secret.hex() + "01",
        "network": network,
        "calls": [
            {
                "contract": str(call.contract),
                "function": call.function,
                "arguments": [shown(a) for a in call.arguments],
                "nonce": str(nonce),
                "fee": str(fee),
            }
            for call, nonce, fee in calls
        ],
    }
    done = subprocess.run(
        [node, "stacks.mjs"], cwd=HERE, input=json.dumps(given_), capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    signer, theirs = KeySigner(secret), json.loads(done.stdout)
    assert len(theirs) == len(calls) >= CALLS
    for (call, nonce, fee), their in zip(calls, theirs, strict=True):
        assert [encode(a).hex() for a in call.arguments] == their["arguments"]
        fields = Fields(chain_id, nonce, fee, signer.public_key)
        txid, raw = sign(fields, payload(call), signer.sign)
        assert (raw.hex(), txid) == (their["raw"], "0x" + their["txid"])


@given(invocations)
def test_a_call_comes_back_as_it_went(call):
    assert read_payload(payload(call)) == call


@given(st.binary(max_size=120))
def test_any_bytes_are_a_call_or_one_clean_error(raw):
    try:
        found = read_payload(raw)
    except ChainError:
        return
    assert payload(found) == raw


def test_what_is_no_call_is_never_signed():
    signer = KeySigner(b"\7" * 32)

    def never(digest: bytes) -> bytes:
        raise AssertionError("signed")

    with pytest.raises(ChainError):
        sign(Fields(1, 0, 1, signer.public_key), b"\0" * 30, never)


@given(contracts)
def test_calls_are_bounded(contract):
    with pytest.raises(ChainError, match="too long"):
        payload(Invocation(contract, "f", [UInt(0)] * 65))
    with pytest.raises(ChainError, match="too long"):
        payload(Invocation(contract, "f", [bytes(2**16)]))
    raw = payload(Invocation(contract, "f", []))
    with pytest.raises(ChainError, match="none of ours"):
        read_payload(raw[:-4] + (65).to_bytes(4, "big"))
