"""Shapes of JSON-RPC answers: the right ones parse, everything else is a ChainError and nothing worse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import shapes
from gateway.errors import ChainError

HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
ADDRESS = "0x" + "11" * 20
BLOCK = {"number": "0x10", "hash": HASH, "parentHash": OTHER, "timestamp": "0x65", "baseFeePerGas": "0x7"}
LOG = {
    "address": ADDRESS.upper().replace("X", "x"), "topics": [HASH], "data": "0x0102", "blockHash": HASH,
    "transactionHash": OTHER, "logIndex": "0x3", "removed": False,
}  # fmt: skip
RECEIPT = {
    "transactionHash": OTHER, "blockNumber": "0x5", "blockHash": HASH, "status": "0x1", "gasUsed": "0x5208",
    "effectiveGasPrice": "0x9",
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
    | st.from_regex(r"\A0x[0-9a-fA-F]{0,70}\Z"),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from([*BLOCK, *LOG, *RECEIPT]), inner, max_size=8),
    max_leaves=12,
)  # fmt: skip
PARSERS = {
    "quantity": shapes.quantity,
    "data": lambda v: shapes.data(v, 100),
    "hash32": shapes.hash32,
    "address": shapes.address,
    "block": shapes.block,
    "log": lambda v: shapes.log(v, HASH),
    "logs": lambda v: shapes.logs(v, HASH),
    "receipt": lambda v: shapes.receipt(v, OTHER),
}


def test_the_right_shapes():
    assert shapes.block(BLOCK) == shapes.Block(16, HASH, OTHER, 101, 7)
    assert shapes.log(LOG, HASH).address == ADDRESS
    assert shapes.log(LOG, HASH).topics == (bytes.fromhex("ab" * 32),)
    assert shapes.receipt(RECEIPT, OTHER) == shapes.Receipt(OTHER, 5, HASH, True, 21_000, 9)
    assert shapes.quantity("0x0") == 0
    assert shapes.data("0x", 0) == b""


@pytest.mark.parametrize("parser", PARSERS)
@given(value=JSON)
def test_any_json_is_a_value_or_a_chain_error(parser, value):
    try:
        PARSERS[parser](value)
    except ChainError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("parser", ["block", "log", "receipt"])
@given(spoilt=st.data())
def test_one_spoilt_field_of_a_right_answer_is_never_believed_wrongly(parser, spoilt):
    whole = {"block": BLOCK, "log": LOG, "receipt": RECEIPT}[parser]
    name = spoilt.draw(st.sampled_from(sorted(whole)))
    value = spoilt.draw(JSON)
    right = PARSERS[parser](whole)
    try:
        found = PARSERS[parser](whole | {name: value})
    except ChainError:
        return
    assert type(found) is type(right)
    for field in ("number", "timestamp_s", "base_fee_wei", "index", "block_number", "gas_used", "price_wei"):
        assert 0 <= getattr(found, field, 0) < 2**64


@pytest.mark.parametrize(
    "value",
    ["0x", "0x01", "1", "0x-1", "0X1", "0x1g", " 0x1", "0x1\n", 1, True, None, "0x" + "f" * 65],
)
def test_quantities_have_one_form(value):
    with pytest.raises(ChainError):
        shapes.quantity(value)


@pytest.mark.parametrize(
    "change",
    [{"removed": True}, {"removed": 1}, {"blockHash": OTHER}, {"topics": [HASH] * 5}, {"topics": "0x"},
     {"data": "0x0"}, {"address": HASH}],
)  # fmt: skip
def test_logs_that_are_not_of_this_block_or_not_whole(change):
    with pytest.raises(ChainError):
        shapes.log(LOG | change, HASH)


def test_logs_out_of_order_or_twice():
    assert len(shapes.logs([LOG, LOG | {"logIndex": "0x4"}], HASH)) == 2
    for indexes in (("0x3", "0x3"), ("0x4", "0x3")):
        with pytest.raises(ChainError, match="out of order"):
            shapes.logs([LOG | {"logIndex": i} for i in indexes], HASH)
    with pytest.raises(ChainError):
        shapes.logs([LOG] * (shapes.LOGS_MAX + 1), HASH)


def test_a_receipt_of_another_transaction():
    with pytest.raises(ChainError, match="another transaction"):
        shapes.receipt(RECEIPT, HASH)
