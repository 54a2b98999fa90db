"""The error table: what real nodes say, and what it means to the manager."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.faults import Fault, RpcError, classify, printable

SAID = [
    (-32000, "already known", Fault.ALREADY_KNOWN),  # geth
    (-32000, "AlreadyKnown", Fault.ALREADY_KNOWN),  # Nethermind
    (-32000, "Known transaction", Fault.ALREADY_KNOWN),  # Besu
    (-32003, "transaction already imported", Fault.ALREADY_KNOWN),  # anvil
    (-32000, "replacement transaction underpriced", Fault.UNDERPRICED),
    (-32000, "transaction underpriced", Fault.UNDERPRICED),
    (-32000, "FeeTooLow", Fault.UNDERPRICED),
    (-32000, "Replacement transaction fee too low", Fault.UNDERPRICED),
    (-32000, "max fee per gas less than block base fee: maxFeePerGas: 1 baseFee: 7", Fault.UNDERPRICED),
    (-32000, "maxFeePerGas (1) is too low for the next block", Fault.UNDERPRICED),
    (-32000, "nonce too low: next nonce 5, tx nonce 4", Fault.NONCE_TOO_LOW),
    (-32000, "Nonce too low. Expected nonce to be 5 but got 4", Fault.NONCE_TOO_LOW),
    (-32000, "OldNonce", Fault.NONCE_TOO_LOW),
    (-32000, "nonce too high", Fault.NONCE_TOO_HIGH),
    (-32000, "insufficient funds for gas * price + value: balance 0, tx cost 1", Fault.INSUFFICIENT_FUNDS),
    (-32003, "Insufficient funds for gas * price + value", Fault.INSUFFICIENT_FUNDS),
    (-32000, "Sender doesn't have enough funds to send tx", Fault.INSUFFICIENT_FUNDS),
    (3, "execution reverted: WrongSequence", Fault.REVERTED),
    (3, "anything", Fault.REVERTED),
    (-32015, "VM execution error: Reverted 0x", Fault.REVERTED),
    (-32000, "out of gas", Fault.REVERTED),
    (-32005, "daily request count exceeded", Fault.RATE_LIMITED),
    (429, "Your app has exceeded its compute units per second capacity", Fault.RATE_LIMITED),
    (-32029, "Too Many Requests", Fault.RATE_LIMITED),
    (-32000, "header not found", Fault.UNAVAILABLE),
    (-32603, "internal error", Fault.UNAVAILABLE),
    (-32601, "the method eth_x does not exist", Fault.REFUSED),
    (-32000, "tx fee (1.2 ether) exceeds the configured cap (1.00 ether)", Fault.REFUSED),
    (0, "", Fault.REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "fault"), SAID)
def test_what_nodes_say(code, message, fault):
    assert classify(code, message) is fault


@given(st.integers(), st.text())
def test_anything_else_is_some_fault(code, message):
    assert classify(code, message) in Fault


@given(st.text(max_size=2000))
def test_a_nodes_words_are_safe_to_print(message):
    shown = printable(message)
    assert len(shown) <= 120
    assert shown.isprintable()


def test_urls_are_not_repeated():
    assert "secret" not in printable("bad key at https://node.example/v3/secret, sorry")
    error = RpcError("node.example", Fault.UNAVAILABLE, "")
    assert str(error) == "RPC node.example: not reachable"
