"""One endpoint of Stacks: any answer to any question is a value or one ChainError, and the HTTP transport
against a real server on loopback."""

import asyncio
import json
import re

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.endpoint import ASIDE_S, BRACKETS_MAX
from gateway.chain.faults import Fault, RpcError
from gateway.chain.stacks.client import REASONS, Anchor, Api, HttpApi, Seen
from gateway.chain.stacks.codec import DEPTH_MAX, Some, UInt, encode
from gateway.errors import ChainError
from tests.chain.stacks_fake import ACCOUNT, SINK
from tests.gateway.http_server import Server
from tests.gateway.test_chain_shapes import JSON

TXID, HASH, INDEX = "0x" + "ab" * 32, "cd" * 32, "ef" * 32
BLOCK = {
    "canonical": True, "height": 16, "hash": "0x" + HASH, "index_block_hash": "0x" + INDEX,
    "block_time": 1_790_000_000,
}  # fmt: skip
WAITING = {"tx_id": TXID, "tx_status": "pending", "fee_rate": "300"}
MINED = WAITING | {
    "tx_status": "success", "canonical": True, "block_height": 16, "block_hash": "0x" + HASH,
}  # fmt: skip
GOOD = {
    "chain_id": ({"network_id": 1}, 1),
    "newest": ({"limit": 1, "results": [BLOCK]}, Anchor(16, HASH, INDEX, 1_790_000_000)),
    "nonce": ({"nonce": 3}, 3),
    "nonce at": ({"nonce": 3}, 3),
    "fee": (12, 12),
    "block": (BLOCK, Anchor(16, HASH, INDEX, 1_790_000_000)),
    "transaction": (MINED, Seen("success", 16, HASH, 300)),
    "read": ({"okay": True, "result": "0x" + encode(Some(UInt(7))).hex()}, Some(UInt(7))),
    "functions": (
        {"functions": [{"name": a, "access": a} for a in ("public", "read_only", "private")]},
        frozenset({"public", "read_only"}),
    ),
    "publish": (TXID[2:], TXID),
}
ASK = {
    "chain_id": lambda a: a.chain_id(),
    "newest": lambda a: a.newest(),
    "nonce": lambda a: a.nonce(ACCOUNT),
    "nonce at": lambda a: a.nonce(ACCOUNT, INDEX),
    "fee": lambda a: a.fee_rate(),
    "block": lambda a: a.block(16),
    "transaction": lambda a: a.transaction(TXID),
    "read": lambda a: a.read(SINK, "get", [UInt(1)], ACCOUNT, INDEX),
    "functions": lambda a: a.functions(SINK),
    "publish": lambda a: a.publish(b"\0" * 200),
}


def get(coroutine):
    return asyncio.run(coroutine)


def mock(raw: bytes, status: int = 200, asked: list | None = None) -> Api:
    async def send(method, path, body):
        if asked is not None:
            asked.append((method, path, body))
        return status, raw

    return Api("mock", send)


def says(value: object, status: int = 200) -> Api:
    return mock(json.dumps(value).encode(), status)


@pytest.mark.parametrize("name", ASK)
def test_right_answers(name):
    said, found = GOOD[name]
    assert get(ASK[name](says(said))) == found


@pytest.mark.parametrize("name", ASK)
@given(value=JSON, status=st.sampled_from((200, 400, 404)))
def test_any_json_is_a_value_or_one_clean_error(name, value, status):
    try:
        found = get(ASK[name](says(value, status)))
    except ChainError as error:
        assert "\n" not in str(error)
        return
    assert found is not None or status == 404, "only what is not there is nothing"


@pytest.mark.parametrize("name", ASK)
@given(data=st.data())
def test_a_right_answer_with_one_field_spoilt_is_never_believed_wrongly(name, data):
    said, found = GOOD[name]
    if not isinstance(said, dict):
        return
    field = data.draw(st.sampled_from(sorted(said)))
    value = data.draw(JSON.filter(lambda v: v != said[field] or type(v) is not type(said[field])))
    try:
        other = get(ASK[name](says(said | {field: value})))
    except ChainError:
        return
    # Another answer comes only of another value of the same kind, or of a block off the chain.
    assert other == found or type(value) is type(said[field]) or field == "canonical"


@pytest.mark.parametrize("name", ASK)
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_one_clean_error(name, raw):
    try:
        get(ASK[name](mock(raw)))
    except ChainError:
        return
    json.loads(raw)


@pytest.mark.parametrize("name", ASK)
@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * (BRACKETS_MAX + 1),
        b'{"nonce":' + b"9" * 10_000 + b"}",
        b'{"okay":true,"result":"0x' + b"0a" * (DEPTH_MAX + 1) + b'09"}',
        b'{"okay":true,"result":"0x0bffffffff"}',
        b"\xff\xfe",
        b"",
    ],
    ids=range(7),
)
def test_deep_huge_and_empty_answers(name, raw):
    with pytest.raises(ChainError):
        get(ASK[name](mock(raw)))


@pytest.mark.parametrize("name", ASK)
@pytest.mark.parametrize("status", [201, 301, 403, 500, 503])
def test_other_statuses_are_no_answers(name, status):
    with pytest.raises(RpcError, match=f"HTTP {status}"):
        get(ASK[name](says(GOOD[name][0], status)))


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("block", BLOCK | {"height": 15}, "not block 16"),
        ("block", BLOCK | {"canonical": False}, "no canonical block"),
        ("transaction", MINED | {"tx_id": "0x" + "00" * 32}, "not the transaction"),
        ("transaction", MINED | {"fee_rate": "-1"}, "without a fee"),
        ("transaction", MINED | {"fee_rate": "9" * 20}, "without a fee"),
        ("chain_id", {"network_id": True}, "no network_id"),
        ("newest", {"results": []}, "no newest block"),
        ("newest", {"results": [BLOCK, BLOCK]}, "no newest block"),
        ("newest", {"results": [BLOCK | {"canonical": False}]}, "no canonical block"),
        ("nonce", {"nonce": 2**32}, "no nonce up to"),
        ("fee", 10**7, "no fee up to"),
        ("fee", -1, "no fee up to"),
        ("read", {"okay": True, "result": "0x"}, "no value of get"),
        ("read", {"okay": False, "cause": "Unchecked(\n http://secret@node )"}, "refuses it: get: Unchecked"),
    ],
)
def test_lies_with_a_right_shape(name, said, words):
    with pytest.raises(ChainError, match=re.escape(words)) as caught:
        get(ASK[name](says(said)))
    assert "secret" not in str(caught.value)


def test_what_a_transaction_has_become():
    for said, found in (
        (WAITING, Seen("pending", 0, "", 300)),
        (MINED | {"tx_status": "abort_by_response"}, Seen("abort_by_response", 16, HASH, 300)),
        (MINED | {"canonical": False}, Seen("dropped", 0, "", 300)),
        (WAITING | {"tx_status": "dropped_replace_by_fee"}, Seen("dropped", 0, "", 300)),
    ):
        assert get(says(found and said).transaction(TXID)) == found
    assert get(says({"error": "no"}, 404).transaction(TXID)) is None
    assert get(says({"error": "no"}, 404).block(16)) is None
    assert get(says({"error": "no"}, 404).functions(SINK)) is None


@pytest.mark.parametrize("reason", [*REASONS, "SignatureValidation", "x" * 500])
def test_why_a_transaction_is_not_taken(reason):
    with pytest.raises(RpcError) as caught:
        get(says({"error": "transaction rejected", "reason": reason}, 400).publish(b"\0"))
    assert caught.value.fault is REASONS.get(reason, Fault.REFUSED)
    assert len(str(caught.value)) < 300


def test_what_is_asked():
    asked: list = []
    get(ASK["nonce at"](mock(b'{"nonce":0}', asked=asked)))
    get(ASK["read"](mock(b'{"okay":true,"result":"0x03"}', asked=asked)))
    (_, path, _), (method, where, body) = asked
    assert path == f"/v2/accounts/{ACCOUNT}?proof=0&tip={INDEX}"
    assert (method, where) == (
        "POST", f"/v2/contracts/call-read/{str(SINK).replace('.', '/')}/get?tip={INDEX}",
    )  # fmt: skip
    assert json.loads(body) == {"sender": ACCOUNT, "arguments": ["0x" + encode(UInt(1)).hex()]}


def test_a_transport_that_never_answers():
    async def never(method, path, body):
        await asyncio.Event().wait()
        return 200, b""

    with pytest.raises(RpcError, match="no answer in time") as caught:
        get(Api("mock", never, timeout_s=0.01 - ASIDE_S).chain_id())
    assert caught.value.fault is Fault.UNAVAILABLE


# ---- HTTP -------------------------------------------------------------------------------------------


async def over_http(handler, timeout_s: float = 5.0, ask="chain_id"):
    async with Server(handler) as url:
        post = HttpApi(url, timeout_s)
        try:
            return await ASK[ask](Api(post.name, post))
        finally:
            await post.close()


async def test_http():
    seen = []

    async def handler(request):
        seen.append((request.method, request.path, request.content_type, await request.read()))
        return web.json_response(GOOD["publish" if request.method == "POST" else "chain_id"][0])

    assert await over_http(handler) == 1
    assert await over_http(handler, ask="publish") == TXID
    assert seen == [
        ("GET", "/v3/secretkey/v2/info", "application/json", b""),
        ("POST", "/v3/secretkey/v2/transactions", "application/octet-stream", b"\0" * 200),
    ]


@pytest.mark.parametrize(
    ("status", "fault"), [(429, Fault.RATE_LIMITED), (503, Fault.UNAVAILABLE), (302, Fault.UNAVAILABLE)]
)
async def test_http_status(status, fault):
    async def handler(request):
        return web.Response(status=status, text="go away", headers={"location": "http://127.0.0.1:1/"})

    with pytest.raises(RpcError) as caught:
        await over_http(handler)
    assert caught.value.fault is fault
    assert "secretkey" not in str(caught.value)
