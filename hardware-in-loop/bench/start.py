"""Process start to the first reading on the disk, and resident memory: a Modbus-only site and a full one.

Time is from exec to the moment when another process sees the row; it holds one group commit (`commit_s`),
the stated loss window, which a bare script does not have. The full site is the demo's: SunSpec inverter
and meter, BMS on serial CAN, key, contracts on an EVM, with MQTT added; its memory is taken after its first
interval was confirmed on the chain.
"""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import psutil
from demo import Demo

from bench.common import READY_S, Broker, Result, cpu_s, folder, main, memory_mib, process, python, rig, until
from bench.site import daemon, stored, write_modbus
from gateway.uplink.local import ask

COMMIT_S = {"modbus_only": 1.0, "full": 0.5}  # the default; what the demo's site.yaml says
SETTLE_S = 5.0
CONFIRM_S = 90.0
FIRST = "SELECT 1 FROM sample LIMIT 1"


def modbus_only(settle_s: float) -> Result:
    with folder() as place, rig("--device", "sma_sunny_island", place=place) as said:
        write_modbus(place, said["tcp"])
        began = time.monotonic()
        with daemon(place) as child:
            until(lambda: bool(stored(place, FIRST)), READY_S, "the first reading")
            first_s = time.monotonic() - began
            cpu = cpu_s(child.pid)
            time.sleep(settle_s)
            return {"first_reading_s": first_s, "cpu_s": cpu, **memory_mib(child.pid)}


def bare() -> Result:
    with folder() as place, rig("--device", "sma_sunny_island", place=place) as said:
        words = python("bench.barestart", place / "store.db", str(said["tcp"]), "3", "30775")
        began = time.monotonic()
        with process(*words) as child:
            until(lambda: bool(stored(place, FIRST)), READY_S, "the first row")
            first_s = time.monotonic() - began
            return {"first_reading_s": first_s, "cpu_s": cpu_s(child.pid), **memory_mib(child.pid)}


async def prepare(place: Path, stack: AsyncExitStack) -> None:
    """The demo's site with everything around it; its own daemon is ended and its store put away."""
    await Demo(place).start(stack)
    for child in psutil.Process().children():
        if "gateway.cli" in child.cmdline():
            child.terminate()
    async with asyncio.timeout(READY_S):
        while (place / "control.sock").exists() or any(
            "gateway.cli" in c.cmdline() for c in psutil.Process().children() if c.status() != "zombie"
        ):
            await asyncio.sleep(0.05)
    for left in place.glob("store.db*"):
        left.unlink()


async def confirmed(control: Path) -> None:
    async with asyncio.timeout(CONFIRM_S):
        while True:
            status: dict[str, Any] = await ask(control, {"do": "status"})
            if status["chain"]["intervals_confirmed"]:
                return
            await asyncio.sleep(0.2)


async def full() -> Result:
    with folder() as place, ExitStack() as processes:
        async with AsyncExitStack() as stack:
            broker = Broker(place / "broker")
            broker.start()
            stack.callback(broker.stop)
            await prepare(place, stack)
            with (place / "site.yaml").open("a") as file:
                file.write(f'mqtt: {{url: "mqtt://127.0.0.1:{broker.port}"}}\n')
            began = time.monotonic()
            child = processes.enter_context(daemon(place))
            await asyncio.to_thread(until, lambda: bool(stored(place, FIRST)), READY_S, "the first reading")
            first_s = time.monotonic() - began
            cpu = cpu_s(child.pid)
            await confirmed(place / "control.sock")
            found = {"first_reading_s": first_s, "cpu_s": cpu, **memory_mib(child.pid)}
            processes.close()
            return found


def middle(runs: list[Result]) -> Result:
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def bench(quick: bool) -> Result:
    """Start to first stored reading, and resident memory."""
    rounds, settle_s = (1, 0.5) if quick else (3, SETTLE_S)
    pairs = [(modbus_only(settle_s), bare()) for _ in range(rounds)]
    mine, peer = middle([ours for ours, _ in pairs]), middle([theirs for _, theirs in pairs])
    result = {"modbus_only": mine, "bare_script": peer, "full": middle([asyncio.run(full())])}
    return {
        **result,
        "commit_s": COMMIT_S,
        "ratio_cpu_to_bare": round(mine["cpu_s"] / peer["cpu_s"], 2),
        "ratio_rss_to_bare": round(mine["rss_mib"] / peer["rss_mib"], 2),
    }


if __name__ == "__main__":
    main("start", bench)
