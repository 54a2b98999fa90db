"""Setpoint accepted to bytes on the bus: local socket, admission, durable insert, control cycle, write.

The daemon runs in a child against a rig in another; both use the machine's monotonic clock, and the rig's
journal says when a write arrived. `to_bus_ms` counts from the moment the order was sent into the socket to
the first write that asks for its power, `accepted_ms` to the answer "admitted", which is given once the
order is on the disk. Each order differs from the one before by 50 W. The child is the real Daemon with one
limit raised: the rate cap, which would let through 30 orders a minute.
"""

import asyncio
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.common import READY_S, Result, folder, main, process, python, rig, spread, until
from bench.site import write_controlled
from gateway import config
from gateway.daemon import Daemon
from gateway.model import ServiceKind
from gateway.uplink.local import ask

BASE_W, STEP_W = 500, 50
PAUSE_S = 0.137  # not a part of any period here, so that orders fall anywhere in a cycle
SEEN_S = 5.0


def serve(path: Path) -> None:
    """The child: a daemon that takes orders as fast as they come."""
    site = config.load(path)
    limits = replace(site.limits, commands_per_minute=10**6)
    asyncio.run(Daemon(replace(site, limits=limits)).run())


async def order(control: Path, number: int, power_w: int) -> None:
    request = {
        "do": "submit",
        "id": f"{number:064x}",
        "who": "bench",
        "kind": ServiceKind.FIXED_POWER,
        "duration_ms": 60_000,
        "parameters": {"power_w": power_w},
    }
    answer = await ask(control, request)
    if not answer["admitted"]:
        raise ValueError(f"refused: {answer['reason']}")


async def arrival_ms(journal: Path, power_w: int, since_ms: float) -> float:
    """When the rig saw the first write that asks for this power, on the monotonic clock."""
    end = time.monotonic() + SEEN_S
    while time.monotonic() < end:
        entries: list[dict[str, Any]] = (await ask(journal, {"do": "journal", "last": 20}))["entries"]
        for entry in entries:
            if entry["demand_w"] == power_w and entry["at_ms"] >= int(since_ms):
                return float(entry["at_ms"])
        await asyncio.sleep(0.01)
    raise TimeoutError(f"{power_w} W did not reach the bus")


async def measure(place: Path, count: int) -> Result:
    accepted, arrived = [], []
    for number in range(1, count + 2):
        power_w = BASE_W + STEP_W * (number % 2)
        began = time.monotonic()
        await order(place / "control.sock", number, power_w)
        said = time.monotonic()
        seen_ms = await arrival_ms(place / "rig.sock", power_w, began * 1000)
        if number > 1:  # the first one arms the device's timer
            accepted.append((said - began) * 1000)
            arrived.append(max(0.0, seen_ms - began * 1000))
        await asyncio.sleep(PAUSE_S)
    return {"orders": count, "accepted_ms": spread(accepted), "to_bus_ms": spread(arrived)}


async def online(control: Path) -> None:
    """Until the device is reached and its first fallback is written."""
    async with asyncio.timeout(READY_S):
        while not (await ask(control, {"do": "status"}))["devices"]["inverter"]["samples"] > 2:
            await asyncio.sleep(0.1)


async def _run(place: Path, count: int) -> Result:
    await online(place / "control.sock")
    return await measure(place, count)


def bench(quick: bool) -> Result:
    """Time from a setpoint at the local socket to its bytes on the bus."""
    with folder() as place, ExitStack() as stack:
        said = stack.enter_context(rig("--device", "sunspec", "--control", "rig.sock", place=place))
        write_controlled(place, said["tcp"])
        stack.enter_context(process(*python("bench.setpoint", "serve", place / "site.yaml"), folder=place))
        until((place / "control.sock").exists, READY_S, "the daemon")
        return asyncio.run(_run(place, 5 if quick else 200))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]))
    else:
        main("setpoint", bench)
