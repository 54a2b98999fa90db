"""A whole site of real processes for the system tests: rig, EVM node, broker, key, site.yaml, daemon.

It starts, asks and kills; it judges nothing. Each process is ended by its own pid; ports are free ones.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from rig import deploy

from gateway.evidence.signer import KeySigner, make_keystore, open_keystore
from gateway.uplink.local import ask
from tests.processes import environment, process
from tests.tools import need

ROUNDS = 1000  # of the keystore: a start is to cost what it costs without stretching a passphrase
START_S = 20.0
LONG_S = 30.0

SITE = """\
site:
  id: meadow
  limits: {{charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 10 kW, ramp: 100 kW/s}}
  control: 200 ms
  dwell: 200 ms
devices:
  inverter: {{profile: sunspec, link: "tcp://127.0.0.1:{tcp}", poll: 200 ms}}
  meter: {{profile: sunspec_meter, link: "tcp://127.0.0.1:{tcp}", unit: 200, poll: 500 ms}}
  bms: {{profile: pylontech_can, link: "slcan://{slcan}"}}
store: {{path: store.db, commit: 100 ms}}
clock: {{trust: host}}
socket: control.sock
"""
CHAIN = """\
attest: {{every: {every}, key: key.json, passphrase: passphrase}}
chain:
  id: {chain_id}
  rpc: ["{rpc}", "{rpc_other}"]
  platform: storage
  storage: {storage}
  contracts: {{verification: "{verification}", services: "{services}"}}
  confirmations: 1
  spend: 1 ether
  poll: 200 ms
"""


def site(where: dict[str, Any], extra: str = "") -> str:
    return SITE.format(**where) + extra


def new_key(folder: Path, secret: bytes = b"\x5a" * 32) -> KeySigner:
    """A keystore as `gridseal keys new` makes it, but quick to open; its key."""
    (folder / "passphrase").write_text("correct horse battery staple\n")
    (folder / "key.json").write_bytes(make_keystore(secret, b"correct horse battery staple", ROUNDS))
    (folder / "key.json").chmod(0o600)
    return open_keystore(folder / "key.json", folder / "passphrase")


@contextlib.contextmanager
def node(folder: Path, *, block_s: float = 1.0, finality: int = 1) -> Iterator[dict[str, Any]]:
    """rig.evm with the contracts in a process of its own; its ready line.

    A chain's seconds are whole: with shorter blocks than one it would run ahead of the calendar.
    """
    options = ("--contracts", "--block", str(block_s), "--finality", str(finality))
    with process("-m", "rig.evm", *options, folder=folder, log="evm.log") as child:
        assert child.stdout
        line = child.stdout.readline()
        assert line, (folder / "evm.log").read_text()
        yield json.loads(line)


@contextlib.asynccontextmanager
async def market(where: dict[str, Any], key: KeySigner) -> AsyncIterator[tuple[deploy.Market, int]]:
    """The people around the contracts on that node, and the id of the site's storage."""
    async with deploy.Node(where["url"]) as client:
        found = deploy.Market(client, where["contracts"], where["keys"][0], where["keys"][1])
        yield found, await found.register_storage(key, "meadow")


def chain(where: dict[str, Any], storage: int, every: str = "2 s") -> str:
    other = where["url"].replace("127.0.0.1", "localhost")
    known = {"rpc": where["url"], "rpc_other": other, "storage": storage, "every": every}
    return CHAIN.format(**known, **where["contracts"], chain_id=where["chain_id"])


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A mosquitto that keeps the sessions of its subscribers; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nuser root\nlog_dest none\n"
    )
    with subprocess.Popen([need("mosquitto"), "-c", str(config)]) as child:
        try:
            until(lambda: _listens(port), "mosquitto listens")
            yield port
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(LONG_S)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Daemon:
    """`gridseal run site.yaml` in `folder`: started, killed, started again."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self._variables = variables
        self.child: subprocess.Popen[str] | None = None

    def start(self, stderr: int | None = None) -> None:
        with (self.folder / "daemon.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "run", "site.yaml"],
                stderr=log if stderr is None else stderr,
                text=True,
                cwd=self.folder,
                env=environment() | self._variables,
            )

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        assert self.child
        self.child.send_signal(number)
        return self.child.wait(LONG_S)

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def said(self) -> list[str]:
        """Its standard error, all lives of it."""
        return (self.folder / "daemon.log").read_text().splitlines()

    def asked(self, do: str, **more: Any) -> dict[str, Any]:
        return asyncio.run(ask(self.folder / "control.sock", {"do": do, **more}))

    def status(self) -> dict[str, Any]:
        return self.asked("status")

    def ready(self) -> None:
        """Until it answers and every device is there."""
        until((self.folder / "control.sock").exists, f"the daemon is up: {self.said}")
        until(lambda: all(d["online"] for d in self.status()["devices"].values()), "all devices online")


@contextlib.contextmanager
def daemon(folder: Path, **variables: str) -> Iterator[Daemon]:
    """A running daemon; ended with SIGTERM if it still runs."""
    made = Daemon(folder, **variables)
    made.start()
    try:
        yield made
    finally:
        if made.running:
            made.end()


class Rig:
    """The rig's control socket: what an independent witness at the wires says."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rig.sock"

    def do(self, verb: str, **more: Any) -> dict[str, Any]:
        return asyncio.run(ask(self._path, {"do": verb, **more}))

    def state(self) -> dict[str, Any]:
        return self.do("state")

    def journal(self) -> list[dict[str, Any]]:
        return self.do("journal", last=1000)["entries"]


def until(probe: Any, what: str, seconds: float = START_S) -> Any:
    """The first true answer of `probe`. AssertionError with `what` when it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def rows(path: Path, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Read a database that nobody else has open."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return conn.execute(query, parameters).fetchall()
