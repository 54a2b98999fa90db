"""Every route there is: the one list that the server serves and the OpenAPI document is written from."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from gateway.uplink.http import metrics, openapi, prometheus, schemas
from gateway.uplink.http.evidence import Evidence
from gateway.uplink.http.meters import DEMAND, STATUS, SUPPLY, Meters
from gateway.uplink.http.orders import Orders
from gateway.uplink.http.spec import Access, Answer, Ask, Parameter, Route
from gateway.uplink.http.views import Watched

if TYPE_CHECKING:  # what a site that nobody pulls from must not load
    from gateway.uplink.http.pull import Pull

MOMENT_MAX = 2**42 - 1  # Unix ms, the year 2109
SEQUENCE_MAX = 2**62
METER = Parameter("id", "the device's name in site.yaml", "path", pattern="[a-z][a-z0-9_-]{0,31}")
FROM = Parameter("from_ms", "Unix ms; a day before to_ms unless given", most=MOMENT_MAX, optional=True)
TO = Parameter("to_ms", "Unix ms, not in the span itself; now unless given", most=MOMENT_MAX, optional=True)
CURSOR = Parameter("cursor", "`next` of the page before", pattern="[0-9]{1,13}-[0-9]{1,15}", optional=True)
LIMIT = Parameter("limit", "at most so many", least=1, most=500, default=100)
AFTER = Parameter("after", "the last sequence already known", most=SEQUENCE_MAX, default=0)
SENDER = Parameter("sender", "the contract that asks", "path", pattern="0x[0-9a-fA-F]{40}")
DATA = Parameter("data", "the encoded question", "path", pattern="0x(?:[0-9a-fA-F]{2}){4,1024}")
NO_DEVICE = {404: "there is no such device"}
WRONG_SPAN = {422: "the span ends before it begins"}
NO_ORDER = {409: "no signed orders are taken here", 422: "no valid order of a listed signer"}
NOT_THERE = {404: "not this gateway's, or not held (any more)"}
PULLS = "signed records for contracts (EIP-3668)"

Handler = Callable[[Ask], Awaitable[Answer]]


def api(
    watched: Watched, facts: Callable[[], metrics.Facts], orders: Orders, meters: Meters, evidence: Evidence
) -> list[Route]:
    async def status(ask: Ask) -> Answer:
        return Answer(await watched.get(full=ask.full))

    async def measured(ask: Ask) -> Answer:
        return Answer(metrics.render(await watched.get(full=ask.full), facts()), prometheus.KIND)

    read, full, change, signed = Access.READ, Access.FULL, Access.CHANGE, Access.RECORDS
    of_meter, span = "/api/v1/meters/{id}", (METER, FROM, TO)
    told = NO_DEVICE | WRONG_SPAN
    return [
        Route("GET", "/api/v1/status", "status", read, status, "what the site does now", schemas.STATUS),
        Route("GET", "/metrics", "metrics", read, measured, "for Prometheus", schemas.TEXT, prometheus.KIND),
        Route("POST", "/api/v1/stop", "stop", change, orders.stop, "stop at once; released at the site only",
              schemas.VERDICT, body=schemas.STOP),
        Route("POST", "/api/v1/orders", "order", change, orders.submit, "a signed order (docs/attestation)",
              schemas.VERDICT, body=schemas.ORDER, refusals=NO_ORDER),
        Route("GET", "/api/v1/orders", "orders", full, orders.recent, "the newest orders and their ends",
              schemas.ORDERS),
        Route("GET", of_meter + "/history", "history", read, meters.history, "committed readings, by date",
              schemas.HISTORY, parameters=(*span, CURSOR, LIMIT), refusals=told),
        Route("GET", of_meter + "/production", "production", read, meters.production,
              "energy produced in the span", schemas.energy("production_wh"), parameters=span, refusals=told),
        Route("GET", of_meter + "/consumption", "consumption", read, meters.consumption,
              "energy taken in the span", schemas.energy("consumption_wh"), parameters=span, refusals=told),
        Route("GET", "/api/v1/grid/status", "grid_status", read, meters.status, "the grid at the site",
              schemas.now(*(q.value for q in STATUS))),
        Route("GET", "/api/v1/grid/demand", "grid_demand", read, meters.demand, "what the site takes",
              schemas.now(*(q.value for q in DEMAND))),
        Route("GET", "/api/v1/grid/supply", "grid_supply", read, meters.supply, "what the site gives",
              schemas.now(*(q.value for q in SUPPLY))),
        Route("GET", "/api/v1/records", "records", signed, evidence.page, "signed records, by sequence",
              schemas.RECORDS, parameters=(AFTER, LIMIT)),
        Route("GET", "/api/v1/records/latest", "latest_record", signed, evidence.latest, "the newest record",
              schemas.RECORD, refusals={404: "nothing has been signed yet"}),
    ]  # fmt: skip


def ccip(pull: "Pull") -> list[Route]:
    """EIP-3668, in both of its forms."""
    return [
        Route("GET", "/ccip/{sender}/{data}", "pull", Access.OPEN, pull.get, PULLS,
              schemas.PULLED, parameters=(SENDER, DATA), refusals=NOT_THERE),
        Route("POST", "/ccip", "pull_post", Access.OPEN, pull.post, PULLS,
              schemas.PULLED, body=schemas.PULL, refusals=NOT_THERE),
    ]  # fmt: skip


def page() -> list[Route]:
    """The status page and what belongs to it: files of its own, so that nothing stands inline."""
    kinds = {
        "/": ("index.html", "text/html; charset=utf-8"),
        "/style.css": ("style.css", "text/css; charset=utf-8"),
        "/app.js": ("app.js", "text/javascript; charset=utf-8"),
        "/icon.svg": ("icon.svg", "image/svg+xml"),
    }
    folder = files("gateway.uplink.http") / "page"
    return [
        Route("GET", path, name.partition(".")[0], Access.OPEN, _file((folder / name).read_bytes(), kind),
              "the status page", schemas.TEXT, kind)
        for path, (name, kind) in kinds.items()
    ]  # fmt: skip


def _file(content: bytes, kind: str) -> Handler:
    async def serve(_: Ask) -> Answer:
        return Answer(content, kind)

    return serve


def documented(site: str, version: str, routes: list[Route]) -> list[Route]:
    """The routes, and one more that describes them all."""

    async def describe(_: Ask) -> Answer:
        return Answer(document)

    own = Route(
        "GET", "/api/v1/openapi.json", "openapi", Access.OPEN, describe, "this document", {"type": "object"}
    )
    document = openapi.document(site, version, [*routes, own])
    return [*routes, own]
