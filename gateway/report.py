"""The daemon's status as one JSON object: what `gridseal status`, the demo and tests read.

Pure: it is given what the parts say of themselves and only arranges it. Absent values are null.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.control import Status
from gateway.device import Health
from gateway.model import ClockTrust, Command, Quantity
from gateway.state import View
from gateway.store.recorder import Recorder
from gateway.store.summary import Summary
from gateway.store.wear import Meter
from gateway.supervisor import Trouble

FIGURES = (
    Quantity.BATTERY_POWER,
    Quantity.GRID_POWER,
    Quantity.PV_POWER,
    Quantity.LOAD_POWER,
    Quantity.BATTERY_SOC,
    Quantity.BATTERY_TEMPERATURE,
    Quantity.GRID_FREQUENCY,
    Quantity.GRID_VOLTAGE,
)


def figures(view: View) -> dict[str, int | None]:
    """The site's own figures, each from its best source, null unless GOOD."""
    return {quantity.value: view.good(quantity) for quantity in FIGURES}


def control(status: Status, executed: int) -> dict[str, Any]:
    return {
        "mode": status.mode,
        "command": order(status.command) if status.command else None,
        "beside": [order(command) for command in status.beside],
        "remaining_ms": status.remaining_ms,
        "target_w": status.target_w,
        "commanded_w": status.commanded_w,
        "measured_w": status.measured_w,
        "causes": [cause.value for cause in status.causes],
        "fault": status.fault or status.stop,
        "doubts": list(status.doubts),
        "shed": list(status.shed),
        "reactive_var": status.reactive_var,
        "grid": status.grid,
        "executed": executed,
    }


def order(command: Command) -> dict[str, Any]:
    return {
        "id": command.id,
        "kind": command.kind.value,
        "source": command.source.name.lower(),
        "origin": command.origin,
        "parameters": dict(command.parameters),
    }


def device(health: Health) -> dict[str, Any]:
    words = (health.identity.get(k, "") for k in ("vendor", "model", "serial"))
    return {
        "online": health.online,
        "identity": " ".join(w for w in words if w),
        "samples": health.samples,
        "misses": health.misses,
        "error": "" if health.online else health.last_error,
        "found_at": health.found_at,
    }


def store(recorder: Recorder, meter: Meter) -> dict[str, Any]:
    """What this start has stored, and what the card under it bears."""
    return {"readings": recorder.stored, "lost": recorder.lost, "card": asdict(meter.wear())}


def records(summary: Summary, address: str) -> dict[str, Any]:
    return {
        "signed": summary.signed,
        "intervals": summary.intervals,
        "sequence": summary.sequence,
        "key": address,
    }


def chain(said: Mapping[str, Any], summary: Summary) -> dict[str, Any]:
    return {
        **said,
        "confirmed": summary.confirmed,
        "intervals_confirmed": summary.intervals_confirmed,
        "last_transaction": summary.last_transaction,
        "gas_per_interval": summary.gas_per_interval,
    }


def troubles(found: Mapping[str, Trouble]) -> dict[str, str]:
    return {name: trouble.message for name, trouble in found.items()}


def clock(trust: ClockTrust) -> str:
    return trust.name
