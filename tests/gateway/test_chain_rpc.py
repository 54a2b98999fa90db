"""One endpoint: lying shapes at every method, and the HTTP transport against a real server on loopback."""

import asyncio
import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.endpoint import ASIDE_S
from gateway.chain.faults import Fault, RpcError
from gateway.chain.rpc import HttpPost, Rpc
from gateway.errors import ChainError
from tests.gateway.http_server import Server
from tests.gateway.test_chain_shapes import ADDRESS, BLOCK, HASH, JSON, LOG, OTHER, RECEIPT

ASK = {
    "chain_id": lambda r: r.chain_id(),
    "block": lambda r: r.block("latest"),
    "block number": lambda r: r.block(16),
    "logs": lambda r: r.logs(HASH, [ADDRESS], [HASH]),
    "transaction_count": lambda r: r.transaction_count(ADDRESS, 5),
    "balance": lambda r: r.balance(ADDRESS),
    "has_code": lambda r: r.has_code(ADDRESS),
    "receipt": lambda r: r.receipt(OTHER),
    "knows": lambda r: r.knows(OTHER),
    "estimate_gas": lambda r: r.estimate_gas(ADDRESS, ADDRESS, b""),
    "tip": lambda r: r.tip(),
    "view": lambda r: r.view(ADDRESS, b"", 7),
    "publish": lambda r: r.publish(b"\x02"),
}


def mock(raw: bytes) -> Rpc:
    async def post(body: bytes) -> bytes:
        return raw

    return Rpc("mock", post)


def result(value: object) -> Rpc:
    return mock(json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode())


def get(coroutine):
    return asyncio.run(coroutine)


@pytest.mark.parametrize("name", ASK)
@given(value=JSON)
def test_any_result_is_checked(name, value):
    try:
        get(ASK[name](result(value)))
    except ChainError:
        return


@pytest.mark.parametrize("name", ["chain_id", "logs"])
@given(raw=st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_an_rpc_error(name, raw):
    with pytest.raises(RpcError):
        get(ASK[name](mock(raw)))


@given(JSON)
def test_any_error_object_is_an_rpc_error(value):
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": value, "message": value}}
    with pytest.raises(RpcError):
        get(mock(json.dumps(body).encode()).chain_id())


def test_right_answers():
    assert get(result("0xa").chain_id()) == 10
    assert get(result(BLOCK).block(16)).hash == HASH
    assert get(result(None).block("finalized")) is None
    assert get(result(None).receipt(OTHER)) is None
    assert get(result(RECEIPT).receipt(OTHER)).ok
    assert get(result([LOG]).logs(HASH, [ADDRESS], [HASH]))[0].index == 3
    assert get(result(None).knows(OTHER)) is False
    assert get(result({"hash": OTHER}).knows(OTHER)) is True
    assert get(result("0x").has_code(ADDRESS)) is False
    assert get(result("0x6001").has_code(ADDRESS)) is True
    assert get(result("0x0102").view(ADDRESS, b"")) == b"\x01\x02"


def test_lies_with_a_right_shape():
    with pytest.raises(ChainError, match="asked for block 15"):
        get(result(BLOCK).block(15))
    with pytest.raises(ChainError, match="not asked for"):
        get(result([LOG]).logs(HASH, [HASH[:42]], [HASH]))
    for number in (2, "1", None, True):
        raw = json.dumps({"jsonrpc": "2.0", "id": number, "result": "0x1"}).encode()
        with pytest.raises(RpcError, match="not to the request"):
            get(mock(raw).chain_id())


def test_a_deep_or_huge_number_answer():
    for raw in (b"[" * 100_000, b'{"id":1,"result":' + b"9" * 10_000 + b"}"):
        with pytest.raises(RpcError):
            get(mock(raw).chain_id())


def test_a_transport_that_never_answers():
    async def never(body: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    endpoint = Rpc("mock", never, timeout_s=0.01 - ASIDE_S)
    with pytest.raises(RpcError, match="no answer in time") as caught:
        get(endpoint.chain_id())
    assert caught.value.fault is Fault.UNAVAILABLE


async def over_http(handler, timeout_s: float = 5.0):
    async with Server(handler) as url:
        post = HttpPost(url, timeout_s)
        try:
            return await Rpc(post.name, post).chain_id()
        finally:
            await post.close()


async def test_http():
    async def handler(request):
        assert request.content_type == "application/json"
        return web.json_response({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": "0x7a69"})

    assert await over_http(handler) == 31337


@pytest.mark.parametrize(("status", "fault"), [(429, Fault.RATE_LIMITED), (503, Fault.UNAVAILABLE)])
async def test_http_status(status, fault):
    async def handler(request):
        return web.Response(status=status, text="go away")

    with pytest.raises(RpcError) as caught:
        await over_http(handler)
    assert caught.value.fault is fault
    assert "secretkey" not in str(caught.value)


async def test_http_errors_as_json_with_status_400():
    async def handler(request):
        body = {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted"}}
        return web.json_response(body, status=400)

    with pytest.raises(RpcError) as caught:
        await over_http(handler)
    assert caught.value.fault is Fault.REVERTED


async def test_http_redirects_are_not_followed():
    async def handler(request):
        raise web.HTTPFound("http://127.0.0.1:1/")

    with pytest.raises(RpcError, match="HTTP 302"):
        await over_http(handler)
