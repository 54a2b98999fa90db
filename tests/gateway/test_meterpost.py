"""Readings to a platform's REST: in order, once, through outages and refusals; a real server."""

import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from gateway.errors import ConfigError, LinkError
from gateway.site import RestSettings
from gateway.store import cursors
from gateway.uplink import meterpost
from gateway.uplink.meterpost import MeterPost
from tests.chain.people import Attestor, delivery, interval
from tests.chain.world import CHAIN_ID, KeySigner
from tests.gateway.stores import opened

CONTRACT = "0x" + "aa" * 20


class Platform:
    """What was posted; answers with `statuses` in turn, then 201."""

    def __init__(self) -> None:
        self.seen, self.headers, self.statuses = [], [], []

    async def take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 201
        self.headers.append(request.headers)
        if status < 400:
            self.seen.append(json.loads(await request.read()))
        headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def scene(tmp_path, count=3):
    platform = Platform()
    app = web.Application()
    app.router.add_post("/api/v1/meters/reading", platform.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    token = tmp_path / "token"
    token.write_text("sesame\n")
    settings = RestSettings(f"http://127.0.0.1:{port}/api/v1/", token)
    async with opened(tmp_path / "store.db") as (store, _), aiohttp.ClientSession() as session:
        attestor = Attestor(store, KeySigner("0x" + "5a" * 32), CHAIN_ID, CONTRACT)
        for number in range(count):
            await attestor.attest(interval(number))
        try:
            yield platform, MeterPost(settings, 7, store), session, attestor
        finally:
            await runner.cleanup()


async def test_readings_go_in_order_once_and_with_their_record(tmp_path):
    async with scene(tmp_path) as (platform, post, session, attestor):
        await post.tick(session)
        await post.tick(session)
        assert [m["sequence"] for m in platform.seen] == [1, 2, 3]
        first, body = platform.seen[0], interval(0)
        assert (first["meterId"], first["timestamp"]) == (7, body.end_ms // 1000)
        assert (first["consumption"], first["production"]) == (body.consumed_wh, body.produced_wh)
        assert (first["gridFrequency"], first["voltage"]) == (body.frequency_mhz, body.voltage_mv)
        assert len(first["signature"]) == 2 + 130
        assert platform.headers[0]["Authorization"] == "Bearer sesame"
        assert platform.headers[0]["Idempotency-Key"] == first["digest"]
        await attestor.attest(delivery("ab" * 32, 1, 2, 3))
        await attestor.attest(interval(9))
        await post.tick(session)
        assert [m["sequence"] for m in platform.seen] == [1, 2, 3, 5], "a delivery is no reading"


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 503])
async def test_what_may_go_later_waits_in_its_place(tmp_path, status):
    async with scene(tmp_path) as (platform, post, session, _):
        platform.statuses = [201, status]
        with pytest.raises(LinkError, match=f"HTTP {status}"):
            await post.tick(session)
        await post.tick(session)
        assert [m["sequence"] for m in platform.seen if "sequence" in m][-2:] == [2, 3]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_never_taken_is_said_and_holds_nothing_up(tmp_path, status):
    async with scene(tmp_path) as (platform, post, session, _):
        platform.statuses = [status]
        await post.tick(session)
        assert [m["sequence"] for m in platform.seen] == [2, 3]
        assert f"record 1 (HTTP {status})" in post.refused


async def test_what_the_platform_has_already_is_done(tmp_path):
    async with scene(tmp_path, 1) as (platform, post, session, _):
        platform.statuses = [409]
        await post.tick(session)
        assert (platform.seen, post.refused) == ([], "")
        assert await post._store.call(cursors.get, meterpost.CURSOR) == 1


async def test_a_platform_that_is_not_there_is_a_link_that_is_down(tmp_path):
    async with scene(tmp_path, 1) as (_, post, session, _):
        post._settings = RestSettings("http://127.0.0.1:1/api/v1", None)
        with pytest.raises(LinkError, match="not reachable"):
            await post.tick(session)


@pytest.mark.parametrize("text", [None, "", " \n", "x" * 5000, "a\nb"])
def test_a_token_that_is_none_is_said_at_once(tmp_path, text):
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="token"):
        MeterPost(RestSettings("http://127.0.0.1:1", path), 7, None)
