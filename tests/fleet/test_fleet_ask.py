"""A site's REST over real sockets: bounded, without redirects, by its certificate, in time or not at all."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from gateway.errors import ConfigError, LinkError
from gateway.fleet import ask
from gateway.fleet.ask import Sites
from gateway.fleet.page import LIMIT, PAGE_BYTES_MAX, read
from tests.certificates import self_signed
from tests.chain.people import interval
from tests.fleet.scene import Signing
from tests.gateway.http_site import TOKEN, served


@asynccontextmanager
async def answering(handler):
    """A server with one handler; the settings of a site behind it."""
    app = web.Application()
    app.router.add_get("/api/v1/records", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield replace(Signing(1).settings, url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(*sites):
    made = Sites(sites)
    try:
        yield made
    finally:
        await made.close()


async def test_what_is_asked_and_what_comes(tmp_path):
    seen = []

    async def handler(request):
        seen.append(
            (dict(request.query), request.headers["Authorization"], request.headers["Accept-Encoding"])
        )
        return web.Response(body=b'{"records": []}')

    (tmp_path / "token").write_text("secret\n")
    async with answering(handler) as site:
        site = replace(site, token=tmp_path / "token")
        async with asking(site) as sites:
            assert await sites.page(site, 17) == b'{"records": []}'
            (tmp_path / "token").write_text("other\n")
            await sites.page(site, 18)
    assert seen == [
        ({"after": "17", "limit": str(LIMIT)}, "Bearer secret", "identity"),
        ({"after": "18", "limit": str(LIMIT)}, "Bearer other", "identity"),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=401), "HTTP 401: the token in fleet.yaml"),
        (web.Response(status=421), "HTTP 421: add the name in its url to http.hosts"),
        (web.Response(status=503), "HTTP 503"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}), "HTTP 302"),
        (web.Response(body=b"x" * (PAGE_BYTES_MAX + 1)), f"over {PAGE_BYTES_MAX} bytes"),
    ],
    ids=["token", "host", "busy", "redirect", "size"],
)
async def test_anything_but_a_page_is_a_link_error(answer, said):
    async def handler(_):
        return answer

    async with answering(handler) as site, asking(site) as sites:
        with pytest.raises(LinkError, match=said):
            await sites.page(site, 0)


async def test_a_site_that_drips_or_is_not_there_ends_in_time(monkeypatch):
    monkeypatch.setattr(ask, "TIMEOUT_S", 0.3)

    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # whoever asked has left
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
        return response

    async with answering(handler) as site, asking(site) as sites:
        with pytest.raises(LinkError, match="no answer in time"):
            await sites.page(site, 0)
    async with asking(site) as sites:
        with pytest.raises(LinkError, match="not reachable"):
            await sites.page(site, 0)


async def test_a_real_site_s_records_over_tls_by_its_own_certificate(tmp_path):
    certificate, key = tmp_path / "http.crt", tmp_path / "http.key"
    self_signed(certificate, key)
    (tmp_path / "token").write_text(TOKEN)
    async with served(tmp_path, certificate=certificate, key=key) as real:
        for n in range(3):
            await real.sign(interval(n))
        url = f"https://localhost:{real.server.port}"
        site = replace(Signing(1).settings, url=url, ca=certificate, token=tmp_path / "token")
        stranger = replace(site, ca=None)
        async with asking(site, stranger) as sites:
            assert [record.sequence for record in read(await sites.page(site, 1))] == [2, 3]
            with pytest.raises(LinkError, match="not reachable"):
                await sites.page(stranger, 0)


def test_certificates_and_tokens_are_looked_at_before_anything_runs(tmp_path):
    site = Signing(1).settings
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ca\.pem: cannot be used as `ca`"):
        Sites((replace(site, ca=tmp_path / "ca.pem"),))
    with pytest.raises(ConfigError, match="token cannot be read"):
        Sites((replace(site, token=tmp_path / "none"),))
