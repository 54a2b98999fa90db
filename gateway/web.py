"""The HTTP server of a site put together from its parts.

Imported only where site.yaml has `http:`. It owns nothing; it says which part answers which route, and what
the parts counted.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gateway.clock import Clock
from gateway.control import Control
from gateway.desk import Desk
from gateway.device import DeviceTask
from gateway.model import Quality
from gateway.site import HttpSettings, Site
from gateway.state import SiteState
from gateway.store import Store
from gateway.store.recorder import Recorder
from gateway.uplink.http import routes, token
from gateway.uplink.http.evidence import Evidence
from gateway.uplink.http.gate import Gate
from gateway.uplink.http.meters import Meters
from gateway.uplink.http.metrics import Facts
from gateway.uplink.http.orders import Orders
from gateway.uplink.http.server import HttpServer
from gateway.uplink.http.views import Watched
from gateway.wiring import Wiring

if TYPE_CHECKING:
    from gateway.uplink.mqtt import MqttUplink

Status = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the daemon made, as far as the server tells of it."""

    site: Site
    clock: Clock
    store: Store
    recorder: Recorder
    state: SiteState
    control: Control
    desk: Desk
    devices: Mapping[str, DeviceTask]
    wiring: Wiring
    mqtt: "MqttUplink | None"
    status: Status


class Web:
    """`server` runs it. ConfigError when token or certificate cannot be used; a missing token is made."""

    def __init__(self, settings: HttpSettings, parts: Parts) -> None:
        self._parts = parts
        relayer = token.load_or_make(settings.relayer) if settings.relayer else ""
        self._gate = Gate(token.load_or_make(settings.token), settings.hosts, parts.clock, relayer)
        site, store, clock = parts.site, parts.store, parts.clock
        signed = parts.desk.signed if site.signers else None
        found = routes.api(
            Watched(parts.status, clock),
            self._facts,
            Orders(store, parts.desk.stop, signed),
            Meters(site, store, clock),
            Evidence(store),
        )
        if settings.pull:
            from gateway.uplink.http.proofs import Proofs
            from gateway.uplink.http.pull import Pull

            found += routes.ccip(Pull(site.id, store, Proofs(store, clock)))
        found = routes.documented(site.id, version("gridseal"), [*found, *routes.page()])
        self.server = HttpServer(settings, found, self._gate)

    def _facts(self) -> Facts:
        parts, view = self._parts, self._parts.state.view()
        status, uplink = parts.control.status, parts.mqtt
        ages_ms = {
            name: min(measured.age_ms for _, measured in readings)
            for name in parts.devices
            if (readings := [r for r in view.readings(name) if r[1].quality is not Quality.ABSENT])
        }
        counts = {
            "control_cycles": status.cycles,
            "control_late_cycles": status.late_cycles,
            "http_requests": self.server.requests,
            "http_refused": self._gate.refused,
            "http_wrong_tokens": self._gate.wrong_tokens,
            "http_turned_away": self.server.turned_away,
        }
        gauges = {"orders_open": status.open_orders, "recorder_queue_samples": parts.recorder.queued}
        if uplink is not None:
            counts["mqtt_published"] = uplink.published
            if uplink.position is not None:
                gauges["mqtt_queue_samples"] = parts.recorder.seq - uplink.position
        skipped = {name: task.health.skipped for name, task in parts.devices.items()}
        return Facts(ages_ms, skipped, parts.wiring.counters(), counts, gauges)
