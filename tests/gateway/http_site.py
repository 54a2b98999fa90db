"""The real HTTP server on loopback with a store behind it; only status and control are stand-ins."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.clock import Clock
from gateway.evidence import records as links
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Body, Domain
from gateway.model import Point, Quality, Sample, Stamp
from gateway.site import HttpSettings, Site, StoreSettings
from gateway.store import Store, records, samples
from gateway.uplink.http import routes
from gateway.uplink.http.evidence import Evidence
from gateway.uplink.http.gate import Gate
from gateway.uplink.http.meters import Meters
from gateway.uplink.http.metrics import Facts
from gateway.uplink.http.orders import Orders
from gateway.uplink.http.proofs import Proofs
from gateway.uplink.http.pull import Pull
from gateway.uplink.http.server import HttpServer
from gateway.uplink.http.views import Watched
from tests.gateway.performances import DAY_MS, performance
from tests.gateway.stores import WALL_MS, HandClock
from tests.sim.mocks import site as mocked

TOKEN = "5a" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
KEY = KeySigner(b"\x51" * 32)
DOMAIN = Domain(31337, "0x" + "c0" * 20)
METER = (
    Point("meter", "grid_power_w"),
    Point("meter", "grid_imported_wh"),
    Point("meter", "grid_exported_wh"),
    Point("meter", "setpoint_w", evidence=False),
)
STATUS: dict[str, Any] = {
    "site": "mocked",
    "uptime_s": 61,
    "clock": "TRUSTED",
    "site_figures": {"battery_power_w": -2358, "pv_power_w": None, "battery_soc_bp": 5197},
    "control": {
        "mode": "running",
        "command": {
            "id": "ab" * 32, "kind": "fixed-power", "source": "remote", "origin": "signed by 0xfeed",
            "parameters": {"power_w": -3000},
        },
        "beside": [],
        "remaining_ms": 9000,
        "target_w": -3000,
        "commanded_w": -2400,
        "measured_w": -2352,
        "causes": ["bms_limit", "ramp"],
        "fault": "stop by ada",
        "doubts": ["meter: 9 kW more than the house can draw"],
        "shed": ["boiler"],
        "reactive_var": 0,
        "grid": "",
        "executed": 3,
    },
    "store": {
        "readings": 1925,
        "lost": 2,
        "card": {
            "total_bytes": 5_400_000_000, "day_bytes": 310_000_000, "measured": True, "life_days": 700,
            "note": "the card's endurance lasts 23 months",
        },
    },
    "records": {"signed": 8, "intervals": 7, "sequence": 8, "key": KEY.address},
    "chain": {
        "queued": 1, "sent": 8, "block": 26, "commands": 1, "unusable": [], "trouble": "rpc.example: away",
        "confirmed": 6, "intervals_confirmed": 6, "last_transaction": "0xdf54", "gas_per_interval": 44200,
    },
    "performance": {
        "day": asdict(performance(20_000, charged_wh=1300, capacity_wh=None, temperature_min_cc=None)),
        "month": asdict(performance(19_990, charged_wh=240_000, discharged_wh=216_500, cycles_milli=22_800)),
        "health": {
            "points": [[(19_700 + 10 * n) * DAY_MS, 9900 - 5 * n] for n in range(31)],
            "per_year_bp": -180, "least_bp": -240, "most_bp": -120,
        },
        "alerts": [
            {"code": "fan", "severity": "notice", "since_ms": 20_000 * DAY_MS, "text": "a fan fails"},
            {"code": "insulation", "severity": "critical", "since_ms": 0, "text": "a ground fault"},
        ],
    },
    "devices": {
        "meter": {
            "online": True, "identity": "Maker M1 S12345", "samples": 24, "misses": 1, "error": "",
            "found_at": "tcp://10.0.0.23",
        },
        "bms": {
            "online": False, "identity": "", "samples": 0, "misses": 3, "error": "10.0.0.9: no answer",
            "found_at": "",
        },
    },
    "troubles": {"mqtt": "the MQTT broker ada.example:8883: refused"},
}  # fmt: skip


def facts() -> Facts:
    return Facts(
        {"meter": 700},
        {"meter": 0},
        {"meter": {"frame_errors": 2}},
        {"control_cycles": 61},
        {"orders_open": 1},
    )


def meter(n: int, *, wh: int = 0, quality: Quality = Quality.GOOD, at: Stamp | None = None) -> Sample:
    """The meter at second `n`."""
    stamp = at or HandClock(n * 1000).now()
    return Sample("meter", stamp, METER, (100 + n, 5000 + wh, 70, -3000), bytes((0, quality, 0, 0)))


@dataclass
class Served:
    """A running server. `asked` are the stops and orders that reached the desk."""

    store: Store
    server: HttpServer
    gate: Gate
    session: aiohttp.ClientSession
    clock: Any
    domain: Domain
    asked: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        async with self.session.request(
            method, self.url + path, headers=dict(headers or {}), data=body, allow_redirects=False
        ) as response:
            raw = await response.read()
            said = await response.json() if response.content_type == "application/json" else raw
            return response.status, said, dict(response.headers)

    async def keep(self, *found: Sample) -> None:
        await self.store.call(samples.insert_many, found, self.store.boot, self.store.sets)

    async def sign(self, body: Body, first_seq: int = 0, last_seq: int = 0) -> None:
        """`body` as the next record, signed."""

        def append(conn: Any) -> None:
            last = records.last(conn)
            place = (last.sequence + 1, last.digest) if last else (1, GENESIS)
            made = links.seal(self.domain, "mocked", *place, body)
            records.append(conn, made, first_seq, last_seq)
            records.sign(conn, made.sequence, KEY.sign(made.digest))

        await self.store.call(append)


@asynccontextmanager
async def served(
    folder: Path,
    *,
    at: Site | None = None,
    clock: Clock | None = None,
    signers: bool = True,
    domain: Domain = DOMAIN,
    **how: Any,
) -> AsyncIterator[Served]:
    """Every route there is, on a free port."""
    clock, site = clock or HandClock(3_600_000), at or mocked()
    store = Store(StoreSettings(folder / "store.db"), clock)
    await store.open()
    asked: list[Any] = []

    async def status(_: Mapping[str, Any]) -> dict[str, Any]:
        return STATUS

    async def stop(command_id: str) -> dict[str, Any]:
        asked.append(("stop", command_id))
        return {"id": "0x" + (command_id or "cd" * 32), "admitted": True, "reason": ""}

    async def signed(text: bytes) -> dict[str, Any]:
        asked.append(("order", text))
        if b"good" in text:
            return {"id": "0x" + "ee" * 32, "admitted": False, "reason": "it has expired"}
        return {"id": None, "admitted": False, "reason": "the order is not JSON"}

    orders = Orders(store, stop, signed if signers else None)
    found = routes.api(Watched(status, clock), facts, orders, Meters(site, store, clock), Evidence(store))
    found += routes.ccip(Pull(site.id, store, Proofs(store, clock)))
    found = routes.documented(site.id, "0", [*found, *routes.page()])
    settings = HttpSettings(folder / "token", port=0, **how)
    gate = Gate(TOKEN, settings.hosts, clock)
    server = HttpServer(settings, found, gate)
    try:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            task = group.create_task(server.run())
            while not server.port:
                await asyncio.sleep(0.001)
            yield Served(store, server, gate, session, clock, domain, asked)
            task.cancel()
    finally:
        await store.close()


NOW_MS = WALL_MS + 3_600_000
