"""The site for Prometheus. Pure: it is given the status and the counts, and says which metrics they are.

Names begin with gridseal_ and end in their unit; counters end in _total and begin anew at each start. What is
not known has no line. It shows no secret, no address and no person: what the status hides it does not have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from gateway.uplink.http import figures, prometheus
from gateway.uplink.http.prometheus import Family, Sample

TRUSTS = ("UNTRUSTED", "TRUSTED", "BACKDATED")
DAY_S = 86_400
MODES = ("running", "fallback", "stopped", "fault", "store lost")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the parts count, beside the status. Ages in ms; a device that never spoke has none."""

    ages_ms: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)  # polls left out, by device
    links: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by the first device on each
    counts: Mapping[str, int] = field(default_factory=dict)  # counters of parts, by their metric's middle
    gauges: Mapping[str, int] = field(default_factory=dict)  # and what goes up and down


# Middle of a metric's name -> help, of Facts.counts (with _total) and Facts.gauges.
COUNTS: Mapping[str, str] = {
    "control_cycles": "control cycles",
    "control_late_cycles": "control cycles that did not finish in time",
    "http_requests": "HTTP requests",
    "http_refused": "HTTP requests that the gate refused",
    "http_wrong_tokens": "wrong tokens over HTTP",
    "http_turned_away": "HTTP connections beyond the most that may be open",
    "mqtt_published": "messages that the broker acknowledged",
}
GAUGES: Mapping[str, str] = {
    "orders_open": "orders that are admitted and have not ended",
    "recorder_queue_samples": "samples that wait for their commit",
    "mqtt_queue_samples": "committed samples that the broker has not acknowledged",
}
# Name, help, scale, of the site's own figures.
_FIGURES: Mapping[str, tuple[str, str, float]] = {
    "battery_power_w": ("battery_power_watts", "battery power, + discharging", 1),
    "grid_power_w": ("grid_power_watts", "grid power, + importing", 1),
    "pv_power_w": ("pv_power_watts", "PV power", 1),
    "load_power_w": ("load_power_watts", "house load", 1),
    "battery_soc_bp": ("battery_soc_ratio", "state of charge", 1e-4),
    "battery_temperature_cc": ("battery_temperature_celsius", "battery temperature", 1e-2),
    "grid_frequency_mhz": ("grid_frequency_hertz", "grid frequency", 1e-3),
    "grid_voltage_mv": ("grid_voltage_volts", "grid voltage", 1e-3),
}


def render(status: Mapping[str, Any], facts: Facts) -> str:
    """All metrics, each family once and whole."""
    parts = (_site(status), _control(status["control"]), _devices(status["devices"], facts))
    more = (_evidence(status), figures.families(status["performance"]), _parts(facts))
    return prometheus.text(chain(*parts, *more))


def _site(status: Mapping[str, Any]) -> Iterator[Family]:
    yield "up", "gauge", "the daemon runs this site", [({"site": status["site"]}, 1)]
    yield "uptime_seconds", "gauge", "since the daemon's start", [({}, status["uptime_s"])]
    yield "clock_trusted", "gauge", "1: the wall clock is synchronised", _one(status["clock"] == "TRUSTED")
    for name, (metric, text, scale) in _FIGURES.items():
        value = status["site_figures"].get(name)
        yield metric, "gauge", text, [] if value is None else [({}, value * scale)]
    store, card = status["store"], status["store"]["card"]
    yield "readings_stored_total", "counter", "readings committed", [({}, store["readings"])]
    yield "samples_lost_total", "counter", "samples lost because the disk was slow", [({}, store["lost"])]
    yield (
        "card_written_bytes",
        "gauge",
        "written to the card since the store was made",
        [({}, card["total_bytes"])],
    )
    yield "card_day_bytes", "gauge", "written to the card in a day, of late", _known(card["day_bytes"])
    life = _known(card["life_days"], DAY_S)
    yield "card_life_seconds", "gauge", "until the card's endurance is used up", life


def _control(control: Mapping[str, Any]) -> Iterator[Family]:
    modes = [({"mode": mode}, float(control["mode"] == mode)) for mode in MODES]
    yield "control_mode", "gauge", "1: the mode control is in", modes
    yield "fault_latched", "gauge", "1: a stop or a fault is latched", _one(bool(control["fault"]))
    yield "grid_lost", "gauge", "1: the grid is gone or not stable yet", _one(bool(control["grid"]))
    yield "doubts", "gauge", "measurements that are not believed", [({}, len(control["doubts"]))]
    for name, text in (("target", "what the orders ask"), ("commanded", "what the envelope left of it")):
        if f"{name}_w" in control:
            yield f"{name}_power_watts", "gauge", text, [({}, control[f"{name}_w"])]
    if "causes" in control:
        causes = [({"cause": cause}, 1.0) for cause in control["causes"]]
        yield "curtailed", "gauge", "1: this cause holds the setpoint back", causes
        yield (
            "commands_executed",
            "gauge",
            "orders carried out, since the store was made",
            [({}, control["executed"])],
        )


def _devices(devices: Mapping[str, Mapping[str, Any]], facts: Facts) -> Iterator[Family]:
    def each(key: str) -> list[Sample]:
        return [({"device": name}, float(device[key])) for name, device in devices.items()]

    yield "device_online", "gauge", "1: the device answers", each("online")
    moved = {name: device["found_at"] for name, device in devices.items() if "found_at" in device}
    yield (
        "device_moved",
        "gauge",
        "1: found at another address than site.yaml says",
        [({"device": name}, float(bool(link))) for name, link in moved.items()],
    )
    yield "device_samples_total", "counter", "samples taken", each("samples")
    yield "device_misses_total", "counter", "polls and writes without a good answer", each("misses")
    yield (
        "device_polls_skipped_total",
        "counter",
        "polls left out: the one before took too long",
        [({"device": name}, count) for name, count in facts.skipped.items()],
    )
    yield (
        "device_age_seconds",
        "gauge",
        "since the newest sample",
        [({"device": name}, age_ms / 1000) for name, age_ms in facts.ages_ms.items()],
    )
    yield (
        "link_events_total",
        "counter",
        "what happened on a link, by kind (dropped frames, timeouts ...)",
        [
            ({"device": name, "event": event}, count)
            for name, events in facts.links.items()
            for event, count in events.items()
        ],
    )


def _evidence(status: Mapping[str, Any]) -> Iterator[Family]:
    records, onchain = status["records"], status["chain"]
    yield "records_signed", "gauge", "records signed, in this store", [({}, records["signed"])]
    yield "record_sequence", "gauge", "sequence of the newest record", [({}, records["sequence"])]
    if onchain:
        yield "records_confirmed", "gauge", "records that the contract holds", [({}, onchain["confirmed"])]
        lag = records["signed"] - onchain["confirmed"]
        yield "chain_lag_records", "gauge", "signed records that the contract does not hold", [({}, lag)]
        yield (
            "chain_queue_calls",
            "gauge",
            "calls that wait for their confirmation",
            [({}, onchain["queued"])],
        )
        yield "chain_block", "gauge", "newest block whose orders were read", [({}, onchain["block"])]
    yield (
        "trouble",
        "gauge",
        "1: this part is being tried again",
        [({"part": name}, 1) for name in status["troubles"]],
    )


def _parts(facts: Facts) -> Iterator[Family]:
    for name, count in facts.counts.items():
        yield f"{name}_total", "counter", COUNTS[name], [({}, count)]
    for name, value in facts.gauges.items():
        yield name, "gauge", GAUGES[name], [({}, value)]


def _known(value: int | None, scale: float = 1) -> list[Sample]:
    return [] if value is None else [({}, value * scale)]


def _one(holds: bool) -> list[Sample]:
    return [({}, float(holds))]
