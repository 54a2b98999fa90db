"""Frequency regulation: from a step of the grid's frequency to the bytes on the bus.

The real daemon in a child, a rig in another, over real sockets; the rig's journal says when the write arrived
that answers the step, both on the machine's monotonic clock. The step falls anywhere in a poll, so the least
is near nothing and the most near one poll and what follows it: `beyond_poll_ms` is the part that is ours.
"""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

from bench.common import READY_S, Result, folder, main, rig, spread, until
from bench.setpoint import arrival_ms, online
from bench.site import daemon, write_fast
from gateway.model import ServiceKind
from gateway.services import complete
from gateway.uplink.local import ask

POLL_MS, CONTROL_MS = 200, 100
DROOP = {"power_w": 2000, "deadband_mhz": 10, "full_mhz": 200}
LOW_MHZ, HIGH_MHZ = 49_920, 49_900  # steps that the meter resolves (10 mHz)
PAUSE_S = 0.5  # and up to a poll more, so that steps fall anywhere in a poll


def answer_w(mhz: int) -> int:
    return (
        DROOP["power_w"]
        * (50_000 - mhz - DROOP["deadband_mhz"])
        // (DROOP["full_mhz"] - DROOP["deadband_mhz"])
    )


async def measure(place: Path, count: int) -> Result:
    control, rig_socket = place / "control.sock", place / "rig.sock"
    await online(control)
    await ask(rig_socket, {"do": "frequency", "mhz": LOW_MHZ})
    answer = await ask(
        control,
        {
            "do": "submit",
            "id": "01" * 32,
            "who": "bench",
            "kind": ServiceKind.FREQUENCY,
            "duration_ms": 3_600_000,
            "parameters": dict(complete(ServiceKind.FREQUENCY, DROOP)),
        },
    )
    if not answer["admitted"]:
        raise ValueError(f"refused: {answer['reason']}")
    await arrival_ms(rig_socket, answer_w(LOW_MHZ), 0)
    took, places = [], Random(1)
    for number in range(count):
        await asyncio.sleep(PAUSE_S + places.random() * POLL_MS / 1000)
        mhz = HIGH_MHZ if number % 2 == 0 else LOW_MHZ
        began_ms = time.monotonic() * 1000
        await ask(rig_socket, {"do": "frequency", "mhz": mhz})
        took.append(max(0.0, await arrival_ms(rig_socket, answer_w(mhz), began_ms) - began_ms))
    state = await ask(rig_socket, {"do": "state"})
    return {
        "steps": count,
        "poll_ms": POLL_MS,
        "control_ms": CONTROL_MS,
        "to_bus_ms": spread(took),
        "beyond_poll_ms": {
            name: round(ms - POLL_MS, 1) for name, ms in spread(took).items() if name != "p50"
        },
        "aim_beyond_poll_ms": 50,
        "outside": state["writes_outside_envelope"],
    }


def bench(quick: bool) -> Result:
    """Time from a step of the grid's frequency to the answer on the bus."""
    with folder() as place, ExitStack() as stack:
        said = stack.enter_context(rig("--device", "sunspec", "--control", "rig.sock", place=place))
        write_fast(place, said["tcp"], POLL_MS, CONTROL_MS)
        stack.enter_context(daemon(place))
        until((place / "control.sock").exists, READY_S, "the daemon")
        return asyncio.run(measure(place, 5 if quick else 200))


if __name__ == "__main__":
    main("response", bench)
