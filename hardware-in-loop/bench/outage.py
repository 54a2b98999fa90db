"""What survives: site-500 with the broker away for 30 s and a kill -9 of the daemon in the middle.

At the end every row of the store must have been received: `lost` counts those that were not, `unknown` the
messages whose sample is not in the store (published before it was durable), `repeated` the second copies
that a receiver drops by their id. `resumed_s` is the time from the broker's return to the first message.
`dark_s` is what no design saves: the longest time without a stored sample of a device, from the last
commit before the kill to the first poll of the new process.
"""

import time
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.common import READY_S, Broker, Result, folder, main, modbus_servers, until
from bench.listener import Listener
from bench.site import daemon, stored, write_500

DEVICES = 5
DRAIN_S = 90.0  # the longest pause between two attempts to reach a broker is 60 s
ARRIVE_S = 20.0
IDS = "SELECT 'bench-' || (SELECT value FROM meta WHERE name = 'id') || '-' || seq FROM sample"
DARK = """SELECT max(gap) FROM (SELECT wall_ms - lag(wall_ms) OVER (PARTITION BY set_id ORDER BY seq) AS gap
FROM sample)"""


def run(place: Path, away_s: float, around_s: float) -> Result:
    """The story; counted is what was stored by a moment after it, and given time to arrive."""
    with ExitStack() as stack:
        ports = stack.enter_context(modbus_servers(DEVICES))
        broker = Broker(place / "broker")
        broker.start()
        stack.callback(broker.stop)
        heard = stack.enter_context(Listener(broker.port).running())
        until(lambda: heard.subscribed, READY_S, "the subscriber")
        write_500(place, ports, broker.port)
        with daemon(place) as first:
            until(lambda: len(heard.ids) > DEVICES, READY_S, "messages")
            time.sleep(around_s)
            broker.stop()
            time.sleep(away_s / 2)
            first.kill()
        with daemon(place):
            time.sleep(away_s / 2)
            received = len(heard.ids)
            broker.start()
            back = time.monotonic()
            until(lambda: len(heard.ids) > received, DRAIN_S, "the first message after the outage")
            resumed_s = time.monotonic() - back
            time.sleep(around_s)
            rows = {str(row[0]) for row in stored(place, IDS)}
            with suppress(TimeoutError):
                until(lambda: rows <= heard.ids.keys(), ARRIVE_S, "the last messages")
            return {"resumed_s": round(resumed_s, 2), **account(place, rows, heard)}


def account(place: Path, rows: set[str], heard: Listener) -> Result:
    """`rows` should all have been received; what came since is not counted against it."""
    received = set(heard.ids)
    return {
        "stored": len(rows),
        "received": len(received),
        "lost": len(rows - received),
        "unknown": len(received - {str(row[0]) for row in stored(place, IDS)}),
        "repeated": sum(heard.ids.values()) - len(received),
        "dark_s": round(int(stored(place, DARK)[0][0]) / 1000, 2),
    }


def bench(quick: bool) -> Result:
    """Messages lost to a broker outage with a kill -9 in it."""
    away_s, around_s = (2.0, 0.5) if quick else (30.0, 8.0)
    with folder() as place:
        return {"broker_away_s": away_s, **run(place, away_s, around_s)}


if __name__ == "__main__":
    main("outage", bench)
