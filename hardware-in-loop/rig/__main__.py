"""`python -m rig`: run one simulated site on real wires until told to stop.

Prints one JSON line with ports and pty paths when it is ready. Control lines: see control.py. SIGTERM and
SIGINT end it cleanly.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from rig.control import serve_stdin
from rig.devices import DEVICES
from rig.server import CONNECTIONS_MAX
from rig.site import Options, Rig


def parse(arguments: list[str]) -> Options:
    """Options from the command line; argparse ends the process with 2 on a bad one."""
    parser = argparse.ArgumentParser(
        prog="python -m rig", description="A simulated battery site on real wires."
    )
    parser.add_argument("--device", choices=DEVICES, default="sunspec")
    parser.add_argument("--tcp", type=int, metavar="PORT", help="Modbus TCP on 127.0.0.1; 0: any free port")
    parser.add_argument("--pty", action="store_true", help="Modbus RTU on a pseudo terminal")
    parser.add_argument("--baud", type=int, default=0, help="pace the pty like a line of this rate (0: no)")
    parser.add_argument("--slcan", action="store_true", help="the BMS on a serial CAN adapter (pty)")
    parser.add_argument("--listen", type=int, default=0, metavar="S", help="BMS needs a keep-alive")
    parser.add_argument(
        "--connections", type=int, default=CONNECTIONS_MAX, help="most TCP connections at once"
    )
    parser.add_argument("--control", type=Path, metavar="PATH", help="Unix socket for control lines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="day, energy and heat run this much faster")
    parser.add_argument("--soc", type=float, default=50.0, metavar="PERCENT", help="at start")
    parser.add_argument("--start-minute", type=int, default=720, help="minute of the first day, 720 is noon")
    given = parser.parse_args(arguments)
    if not 0 <= given.soc <= 100:
        parser.error("--soc is a percentage")
    if not 0 < given.speed <= 3600:
        parser.error("--speed is more than 0 and at most 3600")
    return Options(
        device=given.device,
        tcp=given.tcp if given.tcp is not None or given.pty else 0,
        pty=given.pty,
        baud=given.baud,
        slcan=given.slcan,
        listen_s=given.listen,
        connections=given.connections,
        control=given.control,
        seed=given.seed,
        speed=given.speed,
        soc_bp=round(given.soc * 100),
        start_minute=given.start_minute,
    )


async def run(options: Options) -> None:
    """Until a signal or the verb "stop"."""
    async with Rig(options) as rig:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, rig.stopping.set)
        sys.stdout.write(json.dumps({"ready": True, **rig.where()}) + "\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as group:
            lines = group.create_task(serve_stdin(rig.control))
            await rig.stopping.wait()
            lines.cancel()


def main() -> None:
    asyncio.run(run(parse(sys.argv[1:])))


if __name__ == "__main__":
    main()
