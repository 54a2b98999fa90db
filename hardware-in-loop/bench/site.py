"""The sites that benches run the daemon on: their site.yaml, profile and process, and what their store holds.

The job *site-500* is five Modbus TCP devices of 100 points each: 50 uint16 at holding 0..49 and 50 int32 at
50..149, polled at 1 Hz.
"""

import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bench.common import process, python

SHORTS = LONGS = 50
SHORT_NAMES = tuple(f"u{n:02}_count" for n in range(SHORTS))
LONG_NAMES = tuple(f"s{n:02}_w" for n in range(LONGS))
POINTS = SHORTS + LONGS

_HEAD = """\
site:
  id: bench
  limits: {charge: 3 kW, discharge: 3 kW, grid import: 17 kW, grid export: 10 kW, ramp: 100 kW/s}
store: {path: store.db}
clock: {trust: host}
socket: control.sock
"""
_PROFILE = """\
driver: modbus
role: meter
vendor: libmodbus
model: bench
sources: [the bench itself]
proof: simulated
points:
"""


def write_500(place: Path, ports: Sequence[int], mqtt_port: int) -> None:
    """site.yaml and the profile of site-500, in `place`."""
    points = [f"  {name}: {{address: {n}, type: u16}}" for n, name in enumerate(SHORT_NAMES)]
    points += [f"  {name}: {{address: {SHORTS + 2 * n}, type: s32}}" for n, name in enumerate(LONG_NAMES)]
    (place / "bench500.yaml").write_text(_PROFILE + "\n".join(points) + "\n")
    devices = [
        f'  meter{n}: {{profile: bench500, link: "tcp://127.0.0.1:{port}", poll: 1 s}}'
        for n, port in enumerate(ports)
    ]
    mqtt = f'mqtt: {{url: "mqtt://127.0.0.1:{mqtt_port}"}}'
    (place / "site.yaml").write_text(_HEAD + "\n".join(["devices:", *devices, mqtt]) + "\n")


def write_many(place: Path, ports: Sequence[int]) -> None:
    """A device of 50 points behind each port, polled at 1 Hz; no broker."""
    points = [f"  {name}: {{address: {n}, type: u16}}" for n, name in enumerate(SHORT_NAMES)]
    (place / "bench50.yaml").write_text(_PROFILE + "\n".join(points) + "\n")
    devices = [
        f'  meter{n}: {{profile: bench50, link: "tcp://127.0.0.1:{port}", poll: 1 s}}'
        for n, port in enumerate(ports)
    ]
    (place / "site.yaml").write_text(_HEAD + "\n".join(["devices:", *devices]) + "\n")


def write_modbus(place: Path, port: int) -> None:
    """A site of one register-map inverter on Modbus TCP, and nothing else."""
    device = f'  inverter: {{profile: sma_sunny_island, link: "tcp://127.0.0.1:{port}", unit: 3, poll: 1 s}}'
    (place / "site.yaml").write_text(_HEAD + f"devices:\n{device}\n")


def write_can(place: Path) -> None:
    """A site of one battery on a CAN bus, where nobody speaks."""
    (place / "site.yaml").write_text(
        _HEAD + "devices:\n  bms: {profile: pylontech_can, link: 'vbus://bench'}\n"
    )


def write_controlled(place: Path, port: int) -> None:
    """A SunSpec inverter and the meter that its setpoints need, behind one TCP address."""
    link = f"tcp://127.0.0.1:{port}"
    devices = (
        f'  inverter: {{profile: sunspec, link: "{link}", poll: 1 s}}\n'
        f'  meter: {{profile: sunspec_meter, link: "{link}", unit: 200, poll: 1 s}}\n'
    )
    (place / "site.yaml").write_text(f"{_HEAD}devices:\n{devices}")


def write_fast(place: Path, port: int, poll_ms: int, control_ms: int) -> None:
    """The same, polled and controlled as fast as a good bus allows."""
    link = f"tcp://127.0.0.1:{port}"
    devices = (
        f'  inverter: {{profile: sunspec, link: "{link}", poll: {poll_ms} ms}}\n'
        f'  meter: {{profile: sunspec_meter, link: "{link}", unit: 200, poll: {poll_ms} ms}}\n'
    )
    head = _HEAD.replace("  id: bench\n", f"  id: bench\n  control: {control_ms} ms\n")
    (place / "site.yaml").write_text(f"{head}devices:\n{devices}")


@contextmanager
def daemon(place: Path) -> Iterator[subprocess.Popen[str]]:
    """`gridseal run site.yaml` in `place`."""
    with process(*python("gateway.cli", "run", "site.yaml"), folder=place) as child:
        yield child


def stored(place: Path, query: str) -> list[tuple[int | str, ...]]:
    """Rows of the site's store, read from beside the daemon; none while there is no store."""
    path = place / "store.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as conn:
        try:
            return conn.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # just being made
