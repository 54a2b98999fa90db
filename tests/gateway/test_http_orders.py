"""Stops and orders over HTTP: what reaches the desk, what is turned down; nothing can be released."""

import json
from pathlib import Path

import pytest

from gateway.model import Command, ServiceKind, Source, Verdict
from gateway.store import commands
from tests.gateway.http_site import BEARER, served

POST = BEARER | {"Content-Type": "application/json"}
ID = "0x" + "Ab" * 32


async def test_a_stop_needs_the_token_alone_and_keeps_its_id(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert (await site.ask("POST", "/api/v1/stop", {"Content-Type": "application/json"}, b"{}"))[0] == 401
        assert site.asked == []
        status, said, _ = await site.ask("POST", "/api/v1/stop", POST, b"{}")
        assert (status, said["admitted"]) == (200, True)
        status, said, _ = await site.ask("POST", "/api/v1/stop", POST, json.dumps({"id": ID}).encode())
        assert said["id"] == ID.lower()
        assert site.asked == [("stop", ""), ("stop", "ab" * 32)]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'{"id":1}', b'{"id":""}', b'{"id":"0x12"}', b'{"why":"x"}', b"[" * 5000],
)
async def test_a_malformed_stop_is_said(tmp_path: Path, body: bytes) -> None:
    async with served(tmp_path) as site:
        status, said, _ = await site.ask("POST", "/api/v1/stop", POST, body)
        assert status == 400 and said["message"]
        assert site.asked == []


async def test_an_order_is_handed_to_the_desk_as_it_came(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        status, said, _ = await site.ask("POST", "/api/v1/orders", POST, b'{"good": 1}')
        assert (status, said["admitted"], said["reason"]) == (200, False, "it has expired")
        status, said, _ = await site.ask("POST", "/api/v1/orders", POST, b"bad")
        assert (status, said) == (422, {"message": "the order is not JSON"})
        assert site.asked == [("order", b'{"good": 1}'), ("order", b"bad")]


async def test_a_site_without_signers_takes_none(tmp_path: Path) -> None:
    async with served(tmp_path, signers=False) as site:
        status, said, _ = await site.ask("POST", "/api/v1/orders", POST, b'{"good": 1}')
        assert status == 409 and "remote.signers" in said["message"]


async def test_the_newest_orders_are_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        order = Command(
            "ab" * 32, Source.REMOTE, ServiceKind.FIXED_POWER, 1, 2, {"power_w": -5}, "signed by 0x1"
        )
        await site.store.call(commands.insert, order, Verdict(False, "it has expired"), 7)
        status, said, _ = await site.ask("GET", "/api/v1/orders")
        (told,) = said["orders"]
        assert status == 200
        assert (told["id"], told["source"], told["parameters"]) == (
            "0x" + "ab" * 32,
            "remote",
            {"power_w": -5},
        )
        assert (told["state"], told["reason"], told["received_ms"]) == ("refused", "it has expired", 7)


@pytest.mark.parametrize("path", ["/api/v1/release", "/api/v1/clear", "/api/v1/stop"])
async def test_nothing_can_be_released(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as site:
        for method in ("DELETE", "PUT", "PATCH"):
            assert (await site.ask(method, path, POST, b"{}"))[0] in (404, 405)
        assert site.asked == []
