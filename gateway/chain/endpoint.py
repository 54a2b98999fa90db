"""One endpoint of an operator over HTTP, whatever kind of chain it serves: a request, and its answer's bytes.

It owns the request's deadline, the bounds on the answer's size and depth, and the endpoint's name for people:
the URL, which may carry a key, is never shown. It refuses to follow redirects, to keep cookies and to retry;
what an answer has to be is for gateway.chain.rpc and gateway.chain.stacks.client.
"""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.chain.faults import Fault, RpcError

ANSWER_BYTES_MAX = 4 * 2**20  # 1,024 logs with their data; a block is asked without its transactions
# Objects and lists in an answer: 1,024 logs have 2,050. Deeper nesting than the interpreter's recursion
# limit is an error in json, but where a library has raised that limit it is a crash of the process.
BRACKETS_MAX = 4096
TIMEOUT_S = 10.0
ASIDE_S = 2.0  # beyond the request's own deadline, for a transport that does not keep it

Answer = TypeVar("Answer")


class Http:
    """Requests to one URL with aiohttp, which is imported here: sites without a chain never pay for it."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        import aiohttp

        self._aiohttp = aiohttp
        self._url = url
        self.name = endpoint_name(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, body: bytes, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        """Status and body of the answer, whatever they are; RpcError when there is none."""
        if self._session is None:
            # Without cookies: an endpoint could give new ones with every answer, and the jar has no bound.
            jar = self._aiohttp.DummyCookieJar()
            self._session = self._aiohttp.ClientSession(timeout=self._timeout, cookie_jar=jar)
        try:
            async with self._session.request(
                method, self._url + path, data=body or None, headers={"content-type": kind},
                allow_redirects=False,
            ) as answer:  # fmt: skip
                return answer.status, await self._read(answer.content)
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not str(error): aiohttp puts the URL into it.
            raise RpcError(self.name, Fault.UNAVAILABLE, type(error).__name__) from None

    async def _read(self, stream: Any) -> bytes:
        parts, size = [], 0
        async for part in stream.iter_chunked(64 * 1024):
            size += len(part)
            if size > ANSWER_BYTES_MAX:
                raise RpcError(self.name, Fault.REFUSED, f"answer over {ANSWER_BYTES_MAX} bytes")
            parts.append(part)
        return b"".join(parts)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def endpoint_name(url: str) -> str:
    """Host and port: what may be shown of an endpoint."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


async def in_time(name: str, answer: Awaitable[Answer], timeout_s: float) -> Answer:
    """What a transport gives; RpcError when it is late by more than its own deadline."""
    try:
        async with asyncio.timeout(timeout_s + ASIDE_S):
            return await answer
    except TimeoutError:
        raise RpcError(name, Fault.UNAVAILABLE, "no answer in time") from None


def parsed(name: str, raw: bytes) -> Any:
    """The JSON of an answer; RpcError when it is none, or nests too much."""
    if raw.count(b"[") + raw.count(b"{") > BRACKETS_MAX:
        raise RpcError(name, Fault.UNAVAILABLE, "the answer is larger than any answer may be")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise RpcError(name, Fault.UNAVAILABLE, "the answer is not JSON") from None
