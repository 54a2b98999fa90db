"""The independent OPC UA peers of the tests: node-opcua as a battery inverter and as its other client, and a
socket between it and us.

A server takes seconds to start, so a test module has one. What it is told goes through its standard input.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests import tools

CONTRACTS = Path(__file__).parents[2] / "hardware-in-loop" / "contracts"
START_S, ANSWER_S = 60, 20
NAMESPACE = "urn:gridseal:test:ess"
PROFILE = """\
driver: opcua
role: inverter
vendor: Example
model: ESS-5
sources: [hardware-in-loop/contracts/opcua.mjs]
proof: simulated
namespace: urn:gridseal:test:ess
identity: {serial: s=Info.Serial}
points:
  battery_soc_bp: {node: s=Battery.SoC, type: Double, scale: 100, min: 0, max: 10000}
  battery_power_w: {node: s=Battery.Power, type: Double, scale: 1000, negate: true}
  battery_voltage_mv: {node: i=1002, type: Float, scale: 1000}
  grid_power_w: {node: s=Grid.Power, type: Int32}
  battery_temperature_cc: {node: g=09087e75-8e5e-499b-954f-f2a9603db28a, type: Int16, scale: 10, poll: slow}
setpoint:
  class: watchdog
  charge_max: {node: b=bm9kZQ==, type: UInt32}
  discharge_max: 5000
  timeout_s: 4
  refresh_s: 1
  settle_s: 2
  write:
    - {node: s=Control.Power, type: Double, scale: 1000, negate: true, value: power}
    - {node: s=Control.Watchdog, type: UInt16, value: count}
    - {node: s=Control.Mode, type: Int32, value: 2}
  read_back:
    mode: {node: s=Control.Mode, type: Int32}
    held: [{mode: 2, power: {node: s=Control.Power, type: Double, scale: 1000, negate: true}}]
    require: [{node: s=Control.Remote, type: Boolean, equals: 1}]
  release:
    - {node: s=Control.Power, type: Double, value: 0}
    - {node: s=Control.Mode, type: Int32, value: 0}
"""


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, as files in PEM."""

    certificate: Path
    key: Path
    fingerprint: str


def identity(folder: Path, name: str) -> Identity:
    """A self-signed one of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.UniformResourceIdentifier(f"urn:{name}"), x509.DNSName("localhost")]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=100))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity(*paths, hashlib.sha256(der).hexdigest())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Lines:
    """What a peer prints, in lines of JSON."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self._child, self._log, self._said = child, log, b""

    def next(self, wait_s: float) -> Any:
        """The next line, within a time."""
        out = self._child.stdout
        assert out
        while True:
            text, found, rest = self._said.partition(b"\n")
            if found:
                self._said = rest
                if text.startswith(b"{"):  # else the library warns of something
                    return json.loads(text)
            elif select.select([out], [], [], wait_s)[0] and (more := os.read(out.fileno(), 65536)):
                self._said += more
            else:
                raise AssertionError(f"node-opcua said nothing: {self._log.read_text()[-2000:]}")


class Server:
    """The running peer."""

    def __init__(self, child: subprocess.Popen[bytes], port: int, identity: Identity, log: Path) -> None:
        self._child, self.port, self.identity = child, port, identity
        self._lines = Lines(child, log)
        self._lines.next(START_S)
        self.url = f"opc.tcp://127.0.0.1:{port}"

    def secure(self, client: Path, *, mode: str = "encrypt", port: int = 0, **more: object) -> str:
        """The URL of a link that may be written on."""
        words = {"mode": mode, "server": f"sha256:{self.identity.fingerprint}", "client": client, **more}
        options = "&".join(f"{name}={value}" for name, value in words.items())
        return f"opc.tcp://127.0.0.1:{port or self.port}?{options}"

    def tell(self, verb: str, what: Any = None) -> Any:
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps({verb: what}).encode() + b"\n")
        answer = self._lines.next(ANSWER_S)
        assert "error" not in answer, answer
        return answer

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def put(self, type_: str, value: object, status: str = "Good") -> None:
        """What the node s=Hostile says from now on."""
        self.tell("put", {"type": type_, "value": value, "status": status})


@contextlib.contextmanager
def _node(script: str, told: object, folder: Path, log: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of the scripts beside the contracts, with its one argument, until the block ends."""
    node = tools.need("node")
    if not (CONTRACTS / "node_modules" / "node-opcua-server").is_dir():
        tools.missing("node-opcua-server (npm ci --prefix hardware-in-loop/contracts)")
    with (folder / log).open("ab") as errors:
        child = subprocess.Popen(
            [node, str(CONTRACTS / script), json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            cwd=folder,
        )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@contextlib.contextmanager
def server(folder: Path, *, port: int = 0, known: Identity | None = None, **options: Any) -> Iterator[Server]:
    """node-opcua until the block ends. `options` are those of opcua.mjs."""
    known, port = known or identity(folder, "inverter"), port or free_port()
    told = {"port": port, "folder": str(folder / "pki"), **options}
    told |= {"certificate": str(known.certificate), "key": str(known.key)}
    with _node("opcua.mjs", told, folder, "opcua.log") as child:
        yield Server(child, port, known, folder / "opcua.log")


class Other:
    """node-opcua as a client of the same server: what somebody else's makes of it."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self._child, self._lines = child, Lines(child, log)
        self.opened = self._lines.next(START_S)

    def read(self, *nodes: str) -> list[dict[str, Any]]:
        """`type`, `value`, `status` and `source_ms` of each."""
        found: list[dict[str, Any]] = self._ask({"read": nodes})
        return found

    def write(self, node: str, type_: str, value: object) -> str:
        """The name of the status that came back."""
        status: str = self._ask({"write": {"node": node, "type": type_, "value": value}})["status"]
        return status

    def _ask(self, what: dict[str, Any]) -> Any:
        assert self._child.stdin
        self._child.stdin.write(json.dumps(what).encode() + b"\n")
        said = self._lines.next(ANSWER_S)
        assert "answer" in said, said
        return said["answer"]


@contextlib.contextmanager
def other(folder: Path, url: str, mode: str, **more: str) -> Iterator[Other]:
    """A session of that client until the block ends. `mode`: none, sign, encrypt."""
    told = {"url": url, "mode": mode, "folder": str(folder / "other"), **more}
    with _node("opcua-client.mjs", told, folder, "opcua-client.log") as child:
        yield Other(child, folder / "opcua-client.log")


class Proxy:
    """Passes bytes on, until it is cut: then nothing comes through and connections are refused. What the
    server says goes through `rewrite`."""

    def __init__(self, target: int, rewrite: Callable[[bytes], bytes] = bytes) -> None:
        self.port, self.target = 0, target
        self._rewrite = rewrite
        self._listener: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._readers: list[asyncio.StreamReader] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """The cable is out: what is open ends, nothing new is accepted."""
        assert self._listener
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.gather(*self._serving)
        await self._listener.wait_closed()

    @property
    def reset(self) -> bool:
        """Whether the newest connection was broken off by its client."""
        return self._readers[-1].exception() is not None

    def stall(self) -> None:
        """Connections stay, and nothing passes any more."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        self._writers.append(writer)
        self._readers.append(reader)
        try:
            other, onward = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.append(onward)
            await asyncio.gather(self._pass(reader, onward, bytes), self._pass(other, writer, self._rewrite))
        except OSError:
            writer.transport.abort()
        finally:
            self._serving.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rewrite: Callable[[bytes], bytes]
    ) -> None:
        with contextlib.suppress(ConnectionResetError):
            while data := await self._next(reader):
                writer.write(rewrite(data))
        writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(65536)
        await self._flows.wait()
        if broken := reader.exception():  # reset meanwhile: as on a cut cable it was never delivered
            raise broken
        return data


@contextlib.asynccontextmanager
async def proxied(port: int, rewrite: Callable[[bytes], bytes] = bytes) -> AsyncIterator[Proxy]:
    proxy = Proxy(port, rewrite)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.flow()
        await proxy.cut()
