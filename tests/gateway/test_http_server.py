"""The server on a real socket: headers of every answer, sizes, silence, too many clients, TLS."""

import asyncio
import contextlib
import json
import socket
import ssl
from pathlib import Path

import pytest

from gateway.errors import ConfigError, LinkError, StoreError
from gateway.site import HttpSettings
from gateway.uplink.http import server as http
from gateway.uplink.http.gate import Gate
from gateway.uplink.http.server import HttpServer
from gateway.uplink.http.spec import Access, Answer, Ask, Route
from tests.certificates import self_signed
from tests.gateway.http_site import BEARER, TOKEN, served
from tests.gateway.stores import HandClock

JSON = {"Content-Type": "application/json"}


async def raw(port: int, text: bytes) -> bytes:
    """What comes back for these bytes, until the server hangs up or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(text)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(2):
                while chunk := await reader.read(65536):
                    found += chunk
    finally:
        writer.close()
    return found


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/nope", 404),
        ("DELETE", "/api/v1/stop", 405),
        ("POST", "/api/v1/stop", 415),
    ],
)
async def test_every_answer_carries_the_safe_headers_and_no_cookie(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with served(tmp_path) as site:
        found, _, headers = await site.ask(method, path)
        assert found == status
        assert {name: headers[name] for name in http.SAFE} == http.SAFE
        assert "Set-Cookie" not in headers and "Access-Control-Allow-Origin" not in headers


async def test_the_page_has_its_own_files_and_nothing_inline(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        kinds = {
            "/": "text/html",
            "/style.css": "text/css",
            "/app.js": "text/javascript",
            "/icon.svg": "image/",
        }
        for path, kind in kinds.items():
            status, body, headers = await site.ask("GET", path)
            assert status == 200 and headers["Content-Type"].startswith(kind)
            text = body.decode()
            assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
            assert "style=" not in text and "innerHTML" not in text and "<script>" not in text


async def test_a_wrong_method_says_which_are_right(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        status, said, headers = await site.ask("PUT", "/api/v1/orders")
        assert (status, said) == (405, {"message": "method not allowed"})
        assert set(headers["Allow"].split(",")) == {"GET", "POST"}


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        large = b"x" * (http.BODY_BYTES_MAX + 1)
        status, said, _ = await site.ask("POST", "/api/v1/orders", BEARER | JSON, large)
        assert status == 413 and said["message"]
        assert site.asked == []


@pytest.mark.parametrize(
    "text",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(200)) + b"\r\n",
        b"\x16\x03\x01\x02\x00",
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_hostile_bytes_get_a_4xx_or_nothing(tmp_path: Path, text: bytes) -> None:
    async with served(tmp_path) as site:
        found = await raw(site.server.port, text)
        assert not found or found.split()[1][:1] == b"4"
        assert (await site.ask("GET", "/"))[0] == 200


async def test_a_client_that_is_silent_or_never_ends_its_headers_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SWEEP_S", 0.02)
    monkeypatch.setattr(http, "IDLE_S", 0.2)
    async with served(tmp_path) as site:
        for begin in (b"", b"GET / HTTP/1.1\r\nHost: loc", b"POST /ccip HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
            writer.write(begin)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()


async def test_clients_that_stay_connected_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        async with served(tmp_path) as site:
            _, silent = await asyncio.open_connection("127.0.0.1", site.server.port)
            reader, kept = await asyncio.open_connection("127.0.0.1", site.server.port)
            kept.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    silent.close()
    kept.close()


async def test_a_body_that_never_comes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_S", 0.1)
    async with served(tmp_path) as site:
        head = b"POST /ccip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: 9\r\n\r\n"
        assert (await raw(site.server.port, head)).startswith(b"HTTP/1.1 503 ")


async def test_one_connection_too_many_is_turned_away_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECTIONS_MAX", 3)
    async with served(tmp_path) as site:
        held = [await asyncio.open_connection("127.0.0.1", site.server.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert await raw(site.server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
        assert site.server.turned_away >= 1
        reader, writer = held[0]
        writer.write(b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200")
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(10):
            while not (await raw(site.server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")):
                await asyncio.sleep(0.05)


async def failing(_: Ask) -> Answer:
    raise StoreError("the disk is full")


async def test_a_store_that_fails_is_said_as_such(tmp_path: Path) -> None:
    route = Route("GET", "/x", "x", Access.OPEN, failing, "")
    server = HttpServer(HttpSettings(tmp_path / "token", port=0), [route], Gate(TOKEN, (), HandClock()))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not server.port:
            await asyncio.sleep(0.001)
        found = await raw(server.port, b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 503 ") and b"disk" not in found
        task.cancel()


async def test_a_port_that_is_taken_is_a_link_that_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = HttpSettings(tmp_path / "token", port=taken.getsockname()[1])
        with pytest.raises(LinkError, match=r"127\.0\.0\.1 port \d+: address already in use"):
            await HttpServer(settings, [], Gate(TOKEN, (), HandClock())).run()


async def test_tls_is_spoken_with_the_given_certificate_and_nothing_else(tmp_path: Path) -> None:
    certificate, key = tmp_path / "http.crt", tmp_path / "http.key"
    self_signed(certificate, key)
    async with served(tmp_path, certificate=certificate, key=key) as site:
        trusted = ssl.create_default_context(cafile=certificate)
        url = f"https://localhost:{site.server.port}/api/v1/status"
        async with site.session.get(url, ssl=trusted) as response:
            assert (await response.json())["site"] == "mocked"
        assert b"200" not in await raw(site.server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nnope\n"])
def test_a_certificate_that_cannot_be_used_is_said_before_anything_runs(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "http.crt"
    if content is not None:
        path.write_bytes(content)
    settings = HttpSettings(tmp_path / "token", certificate=path, key=path)
    with pytest.raises(ConfigError, match=r"http\.tls: .*http\.crt"):
        HttpServer(settings, [], Gate(TOKEN, (), HandClock()))


async def test_wrong_tokens_end_in_429_and_a_closed_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        wrong = JSON | {"Authorization": "Bearer " + "00" * 32}
        said = [(await site.ask("POST", "/api/v1/stop", wrong, b"{}")) for _ in range(12)]
        assert [status for status, _, _ in said] == [401] * 10 + [429] * 2
        assert said[0][2]["WWW-Authenticate"] == "Bearer" and said[-1][2]["Connection"] == "close"
        assert (await site.ask("POST", "/api/v1/stop", JSON | BEARER, b"{}"))[0] == 200
        assert TOKEN not in json.dumps([body for _, body, _ in said])


async def test_it_is_tried_again_when_the_port_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = HttpSettings(tmp_path / "token", port=taken.getsockname()[1])
        server = HttpServer(settings, [], Gate(TOKEN, (), HandClock()))
        for _ in range(2):
            with pytest.raises(LinkError):
                await server.run()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not server.port:
            await asyncio.sleep(0.001)
        ask = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await raw(server.port, ask)).startswith(b"HTTP/1.1 404 ")
        task.cancel()
