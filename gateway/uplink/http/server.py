"""The HTTP server: sockets, limits and headers around the routes it is given.

It owns connections: how many there are, how long each may be silent or take, how large a request may be,
and which headers every answer carries. What a route means is in spec.py, who may ask in gate.py. It refuses
to let one client hold up others or the daemon: everything here has a bound, and nothing waits for it.
"""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.errors import ConfigError, LinkError, StoreError
from gateway.site import HttpSettings
from gateway.uplink.http.gate import Gate, Headers
from gateway.uplink.http.spec import Access, Answer, Ask, Refused, Route

CONNECTIONS_MAX = 32
BODY_BYTES_MAX = 8192  # the longest request is a signed order of 4 kB
LINE_BYTES_MAX = 4096  # of the request line, and of each header
HEADERS_MAX = 48
ANSWER_S = 10.0  # a request that takes longer is answered with 503
IDLE_S = 20.0  # a connection without a request for so long is closed, also one that sends headers by drops
SWEEP_S = 1.0
END_S = 2.0  # for requests under way when it ends
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Server": "gridseal",
}


class HttpServer:
    """Serves `routes` at `settings.bind`. ConfigError when the certificate cannot be used."""

    def __init__(self, settings: HttpSettings, routes: Sequence[Route], gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._tls = _tls(settings)
        self._idle_since: dict[asyncio.BaseTransport, float] = {}
        self._busy: set[asyncio.BaseTransport] = set()
        self.requests = 0
        self.turned_away = 0  # connections beyond the most that may be open
        self.port = 0  # bound; known once it runs
        self._routes = {(route.method, route.path): route for route in routes}
        self._app = web.Application(middlewares=[self._middleware], client_max_size=BODY_BYTES_MAX)
        self._app.on_response_prepare.append(_harden)
        for route in routes:
            self._app.router.add_route(route.method, route.path, self._matched)

    async def run(self) -> None:
        """Serve until cancelled. LinkError when the address cannot be bound."""
        runner = web.AppRunner(self._app, access_log=None, handle_signals=False, shutdown_timeout=END_S)
        await runner.setup()
        try:
            server = await self._listen(runner)
            try:
                self.port = server.sockets[0].getsockname()[1]
                while True:
                    await asyncio.sleep(SWEEP_S)
                    self._sweep(runner)
            finally:
                server.close()  # not awaited: from Python 3.12 on it would wait for clients that say nothing
        finally:
            await runner.cleanup()  # which hangs up on them

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        handlers = runner.server
        assert handlers is not None

        def connection() -> asyncio.Protocol:
            if len(handlers.connections) >= CONNECTIONS_MAX:
                self.turned_away += 1
                return _Full()
            return _Connection(
                handlers, loop=loop, access_log=None,  # type: ignore[arg-type]  # None: nothing is logged
                keepalive_timeout=IDLE_S, lingering_time=1.0, max_line_size=LINE_BYTES_MAX,
                max_field_size=LINE_BYTES_MAX, max_headers=HEADERS_MAX, auto_decompress=False,
            )  # fmt: skip

        loop, at = asyncio.get_running_loop(), self._settings
        try:
            return await loop.create_server(
                connection, at.bind, at.port, ssl=self._tls, backlog=CONNECTIONS_MAX, family=_family(at.bind)
            )
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else error
            raise LinkError(f"{at.bind} port {at.port}: {why}") from error

    def _sweep(self, runner: web.AppRunner) -> None:
        """Close what is silent: aiohttp has no limit for a client that never finishes its headers."""
        now_s = asyncio.get_running_loop().time()
        handlers = runner.server.connections if runner.server else []
        open_now = {handler.transport for handler in handlers if handler.transport is not None}
        self._idle_since = {
            transport: now_s if transport in self._busy else self._idle_since.get(transport, now_s)
            for transport in open_now
        }
        for transport, since_s in self._idle_since.items():
            if now_s - since_s > IDLE_S and isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    # -- one request ------------------------------------------------------------------------------

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Everything there is to say comes as JSON, also what aiohttp itself refuses."""
        self.requests += 1
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._busy.add(transport)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._answer(request)
        except Refused as error:
            response = _refusal(error.status, str(error))
            if error.status in (401, 429):
                response.headers["WWW-Authenticate"] = "Bearer"
            if error.status == 429:
                response.force_close()
            return response
        except web.HTTPException as error:
            response = _refusal(error.status, (error.reason or "refused").lower())
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except (StoreError, TimeoutError):
            return _refusal(503, "too busy, or the store does not answer: try again")
        finally:
            self._busy.discard(transport)
            self._idle_since[transport] = asyncio.get_running_loop().time()

    async def _answer(self, request: web.Request) -> web.Response:
        resource = request.match_info.route.resource
        route = self._routes.get((request.method, resource.canonical)) if resource else None
        full = self._gate.admit(_headers(request), route.access if route else Access.OPEN)
        if route is None:
            raise request.match_info.http_exception or web.HTTPNotFound()
        args = route.read(request.match_info, tuple(request.query.items()))
        body = await request.read() if route.body is not None else b""
        return _response(await route.handler(Ask(full, args, body, request.remote or "")))

    async def _matched(self, request: web.Request) -> web.StreamResponse:
        """The middleware answers; aiohttp wants a handler for each route all the same."""
        raise web.HTTPNotFound


class _Connection(RequestHandler):
    """What is no HTTP gets an answer like any other, without what it said, and no line in the journal."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:  # a bug of ours: logged, and no reason to stop a battery
            super().handle_error(request, status, exc, message)
        response = _refusal(status, "this is not understood" if status < 500 else "this failed here")
        response.headers.update(SAFE)
        response.force_close()
        return response


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


def _headers(request: web.Request) -> Headers:
    def said(name: str) -> str:
        return ", ".join(request.headers.getall(name, ()))  # one that is sent twice is no valid one

    local = request.transport.get_extra_info("sockname") if request.transport else None
    return Headers(
        method=request.method,
        host=said("Host"),
        origin=said("Origin"),
        site=said("Sec-Fetch-Site"),
        mode=said("Sec-Fetch-Mode"),
        authorization=said("Authorization"),
        content_type=said("Content-Type"),
        peer=request.remote or "",
        local=str(local[0]) if local else "",
    )


def _response(answer: Answer) -> web.Response:
    content = answer.content
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    return web.Response(body=content, status=answer.status, headers={"Content-Type": answer.kind})


def _refusal(status: int, message: str) -> web.Response:
    return _response(Answer({"message": message}, status=status))


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SAFE)


def _family(bind: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in bind else socket.AF_INET


def _tls(settings: HttpSettings) -> ssl.SSLContext | None:
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        names = f"{settings.certificate}, {settings.key}"
        raise ConfigError(f"http.tls: {names}: {getattr(error, 'strerror', None) or error}") from error
    return context
