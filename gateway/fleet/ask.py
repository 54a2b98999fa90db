"""A site's records over its REST: one bounded page at a time.

It owns the session, deadlines and certificates. It refuses redirects (a token is for the host it was given
for), compressed answers, cookies, and anything longer than a page can be.
"""

import ssl
from pathlib import Path

import aiohttp

from gateway.errors import ConfigError, LinkError
from gateway.fleet.page import LIMIT, PAGE_BYTES_MAX
from gateway.fleet.settings import FleetSite
from gateway.uplink.meterpost import read_token

TIMEOUT_S = 15.0
CONNECTIONS_MAX = 32


class Sites:
    """ConfigError, before anything runs, for a certificate or token that cannot be used."""

    def __init__(self, sites: tuple[FleetSite, ...]) -> None:
        self._trust = {ca: _trusting(ca) for ca in {site.ca for site in sites}}
        self._session: aiohttp.ClientSession | None = None
        for site in sites:
            _headers(site)

    async def page(self, site: FleetSite, after: int) -> bytes:
        """The answer with the records behind `after`. LinkError when there is none in time."""
        url = f"{site.url}/api/v1/records?after={after}&limit={LIMIT}"
        try:
            async with self._opened().get(
                url, headers=_headers(site), ssl=self._trust[site.ca], allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise LinkError(
                        f"{site.url}: answers HTTP {answer.status}{_HINTS.get(answer.status, '')}"
                    )
                return await _bounded(site.url, answer.content)
        except TimeoutError:
            raise LinkError(f"{site.url}: no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise LinkError(f"{site.url}: not reachable: {error or type(error).__name__}") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


_HINTS = {
    401: ": the token in fleet.yaml is missing or not the site's",
    421: ": add the name in its url to http.hosts of site.yaml",
}


async def _bounded(url: str, stream: aiohttp.StreamReader) -> bytes:
    parts, size = [], 0
    async for part in stream.iter_chunked(64 * 1024):
        size += len(part)
        if size > PAGE_BYTES_MAX:
            raise LinkError(f"{url}: answers with over {PAGE_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def _headers(site: FleetSite) -> dict[str, str]:
    """Read anew each time, so that a token can be changed on a running relayer."""
    found = {"Accept-Encoding": "identity"}
    return found | {"Authorization": f"Bearer {read_token(site.token)}"} if site.token else found


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca}: cannot be used as `ca`: {error}") from error
