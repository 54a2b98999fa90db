"""The HTTP of every endpoint against a real server on loopback: bounded, without cookies, naming no key."""

import asyncio
import json

import pytest
from aiohttp import web

from gateway.chain import endpoint as module
from gateway.chain.endpoint import ASIDE_S, BRACKETS_MAX, Http, endpoint_name, in_time, parsed
from gateway.chain.faults import Fault, RpcError
from tests.gateway.http_server import Server


async def ask(handler, timeout_s: float = 5.0):
    async with Server(handler) as url:
        http = Http(url, timeout_s)
        try:
            return await http.request("POST", "/path", b"body")
        finally:
            await http.close()


async def test_what_is_asked_and_answered():
    async def handler(request):
        assert (request.method, request.path) == ("POST", "/v3/secretkey/path")
        assert (request.content_type, await request.read()) == ("application/json", b"body")
        return web.Response(status=418, body=b"answer")

    assert await ask(handler) == (418, b"answer")


async def test_redirects_are_answers():
    async def handler(request):
        raise web.HTTPFound("http://127.0.0.1:1/")

    assert (await ask(handler))[0] == 302


async def test_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 10_000)

    async def handler(request):
        return web.Response(body=b" " * 20_000)

    with pytest.raises(RpcError, match="over 10000 bytes"):
        await ask(handler)


async def test_silence_and_absence_name_no_key():
    async def handler(request):
        await asyncio.sleep(30)

    with pytest.raises(RpcError) as caught:
        await ask(handler, 0.2)
    assert "secretkey" not in str(caught.value)
    absent = Http("http://127.0.0.1:9/v3/secretkey", 1.0)
    with pytest.raises(RpcError) as caught:
        await absent.request("GET", "", b"")
    await absent.close()
    assert "secretkey" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_no_cookies_are_kept():
    sent = []

    async def handler(request):
        sent.append(dict(request.cookies))
        answer = web.Response()
        answer.set_cookie(f"c{len(sent)}", "x" * 3000)
        return answer

    async with Server(handler) as url:
        http = Http(url.replace("127.0.0.1", "localhost"), 5.0)  # aiohttp keeps none of bare addresses
        try:
            for _ in range(3):
                await http.request("GET", "", b"")
        finally:
            await http.close()
    assert sent == [{}, {}, {}]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://user:secret@a.example/v3/secret", "a.example"),
        ("http://a.example:8545/?key=secret", "a.example:8545"),
    ],
)
def test_a_name_is_host_and_port(url, name):
    assert endpoint_name(url) == name


async def test_a_transport_that_never_answers():
    with pytest.raises(RpcError, match="no answer in time") as caught:
        await in_time("mock", asyncio.Event().wait(), 0.01 - ASIDE_S)
    assert caught.value.fault is Fault.UNAVAILABLE


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"<html>", b"9" * 10_000, b"[" * BRACKETS_MAX])
def test_what_is_not_json(raw):
    with pytest.raises(RpcError, match="is not JSON"):
        parsed("mock", raw)


def test_how_much_an_answer_may_hold():
    most = b"[" + b",".join([b"{}"] * (BRACKETS_MAX - 1)) + b"]"
    assert parsed("mock", most) == json.loads(most)
    with pytest.raises(RpcError, match="larger than any answer may be"):
        parsed("mock", b"[" * (BRACKETS_MAX + 1))
