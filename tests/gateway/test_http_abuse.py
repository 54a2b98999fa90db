"""A thousand requests as a hostile page, a stranger on the network or a broken client might send them."""

import random
from pathlib import Path
from typing import Any

from gateway.uplink.http.gate import name_of
from tests.gateway.http_site import TOKEN, served

COUNT = 1000
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
PATHS = (
    "/api/v1/stop", "/api/v1/orders", "/api/v1/release", "/api/v1/status", "/metrics", "/", "/ccip",
    "/api/v1/records", "/api/v1/meters/meter/history", "/api/v1/stop/", "//api/v1/stop", "/api/v1/../v1/stop",
    "/%61pi/v1/stop", "/api/v1/meters/%2e%2e/history", "/ccip/0x/0x", "/token", "/.env",
)  # fmt: skip
HOSTS = (
    "localhost",
    "127.0.0.1",
    "127.0.0.1:{port}",
    "evil.example",
    "127.0.0.1.evil.example",
    "[::1]",
    "0",
    "a b",
)
ORIGINS = ("", "http://127.0.0.1:{port}", "http://evil.example", "null", "http://localhost")
SITES = ("", "same-origin", "cross-site", "same-site", "none")
KINDS = ("", "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
TOKENS = ("", "Bearer " + "00" * 32, "Bearer", "Basic eDp4", TOKEN, "Bearer " + TOKEN[:-1], "Bearer " + TOKEN)
BODIES = (b"", b"{}", b"[]", b"{", b'{"id":1}', b"good", b"\xff" * 40, b"a=1&b=2", b"x" * 9000, b"[" * 4000)


async def test_no_change_without_the_token_and_never_a_5xx(tmp_path: Path) -> None:
    """Mutations are counted where they would happen: at the desk."""
    rnd = random.Random(20261127)
    seen: dict[int, int] = {}
    let_in = 0
    async with served(tmp_path) as site:
        for n in range(COUNT):
            method, headers, body = _request(rnd, site.server.port)
            right = _rightful(method, headers, site.server.port)
            before = len(site.asked)
            status, _, _ = await site.ask(method, rnd.choice(PATHS), headers, body)
            seen[status] = seen.get(status, 0) + 1
            changed = len(site.asked) - before
            assert status < 500, (n, method, headers)
            assert not changed or right, (n, method, headers)
            let_in += changed
        assert {200, 401, 403, 404, 405, 413, 415, 421} <= seen.keys(), seen
        assert let_in > 0  # the rightful ones got through
        assert site.gate.refused > COUNT // 4


def _request(rnd: random.Random, port: int) -> tuple[str, dict[str, str], bytes]:
    """Half of them right but for one thing, so that no check hides behind another."""
    likely = rnd.random() < 0.5
    odds = [i if likely and rnd.random() < 0.9 else -1 for i in range(6)]
    method = "POST" if odds[0] >= 0 else rnd.choice(METHODS)
    chosen = {
        "Host": "127.0.0.1" if odds[1] >= 0 else rnd.choice(HOSTS),
        "Origin": "" if odds[2] >= 0 else rnd.choice(ORIGINS),
        "Sec-Fetch-Site": "" if odds[3] >= 0 else rnd.choice(SITES),
        "Content-Type": "application/json" if odds[4] >= 0 else rnd.choice(KINDS),
        "Authorization": f"Bearer {TOKEN}" if odds[5] >= 0 else rnd.choice(TOKENS),
    }
    headers = {name: text.format(port=port) for name, text in chosen.items() if text}
    return method, headers, b"{}" if likely and rnd.random() < 0.7 else rnd.choice(BODIES)


def _rightful(method: str, headers: dict[str, Any], port: int) -> bool:
    """Written apart from the gate: what a change must look like."""
    origin, host = headers.get("Origin", ""), headers["Host"]
    return (
        method == "POST"
        and headers.get("Authorization") == f"Bearer {TOKEN}"
        and headers.get("Content-Type") == "application/json"
        and name_of(host) in ("localhost", "127.0.0.1", "::1")
        and origin in ("", f"http://{host}")
        and headers.get("Sec-Fetch-Site", "") in ("", "same-origin", "none")
    )
