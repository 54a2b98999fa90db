"""The document says of each route what the server does, and of no other."""

from pathlib import Path

from gateway.uplink.http.schemas import ORDER
from gateway.uplink.http.spec import Access
from tests.gateway.http_site import served


async def test_routes_and_document_are_one(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, said, _ = await site.ask("GET", "/api/v1/openapi.json")
        told = {(m.upper(), path) for path, methods in said["paths"].items() for m in methods}
        routed = {
            (route.method, route.resource.canonical)
            for route in site.server._app.router.routes()
            if route.resource
        }
        assert told == routed == set(site.server._routes)


async def test_each_operation_is_named_once_and_says_who_may(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, said, _ = await site.ask("GET", "/api/v1/openapi.json")
        names = [o["operationId"] for methods in said["paths"].values() for o in methods.values()]
        assert len(names) == len(set(names))
        for (method, path), route in site.server._routes.items():
            operation = said["paths"][path][method.lower()]
            assert operation["summary"]
            assert ("requestBody" in operation) == (method == "POST")
            if route.access is Access.CHANGE:
                assert operation["security"] == [{"token": []}] and method == "POST"
            assert set(operation["responses"]) == {"200", *map(str, route.statuses)}


async def test_whoever_changes_something_posts_and_nothing_else_does(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        changes = {r.path for r in site.server._routes.values() if r.access is Access.CHANGE}
        posts = {r.path for r in site.server._routes.values() if r.method != "GET"}
        assert changes == {"/api/v1/stop", "/api/v1/orders"}
        assert posts - changes == {"/ccip"}  # a question with a body


def test_the_order_is_that_of_the_signed_orders() -> None:
    from gateway.signed_order import _FIELDS

    assert set(ORDER["required"]) == set(_FIELDS)
