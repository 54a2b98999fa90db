"""site-500 as a running daemon against a bare loop that does the same job, side by side for one window.

`gridseal run` polls, checks, keeps site state, decides a control cycle a second, commits, and publishes
from the store after the commit; the bare loops (bare500.py) poll, commit and publish. Each has libmodbus
servers of its own and all share one mosquitto with one subscriber that counts.
"""

import time
from contextlib import ExitStack
from pathlib import Path

from bench.common import (
    READY_S,
    Broker,
    Result,
    cpu_s,
    folder,
    main,
    memory_mib,
    modbus_servers,
    process,
    python,
    until,
)
from bench.listener import Listener
from bench.site import POINTS, daemon, stored, write_500

DEVICES = 5
SETTLE_S = 5.0
COUNT = "SELECT count(*), coalesce(max(wall_ms) - min(wall_ms), 0) FROM sample"


def measure(place: Path, seconds: float) -> Result:
    with ExitStack() as stack:
        ports = stack.enter_context(modbus_servers(3 * DEVICES))
        broker = Broker(place / "broker")
        broker.start()
        stack.callback(broker.stop)
        heard = stack.enter_context(Listener(broker.port).running())
        until(lambda: heard.subscribed, READY_S, "the subscriber")
        write_500(place, ports[:DEVICES], broker.port)
        pids = {"gridseal": stack.enter_context(daemon(place)).pid}
        for style, mine in (("json", ports[DEVICES : 2 * DEVICES]), ("each", ports[2 * DEVICES :])):
            words = python("bench.bare500", place / f"{style}.db", style, str(broker.port), *map(str, mine))
            pids[f"bare_{style}"] = stack.enter_context(process(*words)).pid
        until(lambda: len(heard.counts) == 2, READY_S, "messages of both")
        time.sleep(min(SETTLE_S, seconds))
        return window(place, pids, heard, seconds)


def window(place: Path, pids: dict[str, int], heard: Listener, seconds: float) -> Result:
    """What each used and did in `seconds`."""
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    messages, began = heard.counts.copy(), time.monotonic()
    time.sleep(seconds)
    elapsed_s = time.monotonic() - began
    used = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
    rows, span_ms = stored(place, COUNT)[0]
    result: Result = {
        "seconds": round(elapsed_s, 1),
        "readings_a_second": round(POINTS * int(rows) / (int(span_ms) / 1000 + 1)),
        "messages": heard.counts["gridseal"] - messages["gridseal"],
        "messages_expected": round(DEVICES * elapsed_s),
    }
    for name, pid in pids.items():
        result[name] = {"cpu_s_a_minute": round(used[name] / elapsed_s * 60, 3), **memory_mib(pid)}
    for peer in ("bare_json", "bare_each"):
        result[f"ratio_cpu_to_{peer}"] = round(used["gridseal"] / used[peer], 3)
    return result


def bench(quick: bool) -> Result:
    """CPU and memory of 500 points a second, to the store and to mosquitto."""
    with folder() as place:
        result = measure(place, 2 if quick else 60)
    return {**result, "aim_ratio_cpu": 1.3, "aim_rss_mib": 45}


if __name__ == "__main__":
    main("site500", bench)
