"""The demo: a simulated site, an EVM with the reference contracts, the real daemon, and a live view.

    make demo               until Ctrl-C
    make demo SECONDS=40    ends by itself and prints its figures as one line of JSON

Everything is a process of its own, as on a site: the rig answers on real sockets and a pty, the daemon is
`gridseal run`, the order for a grid service is a transaction. This file starts them, watches and counts;
what it prints comes from the rig's own journal, the daemon's status and the chain, never from here.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from gateway.cli.view import render, words
from gateway.errors import GridsealError
from gateway.uplink.local import ask

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from rig import deploy  # noqa: E402  (the rig is not installed; it lives beside this file)

STARTUP_S = 60
SERVICE_S = 12
SERVICE_POWER_W = -3000  # charging, as the noon sun already has it; the next order goes the other way

SITE = """\
site:
  id: demo
  limits: {{charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 10 kW, ramp: 2 kW/s}}
  control: 500 ms
devices:
  inverter: {{profile: sunspec, link: "tcp://127.0.0.1:{tcp}", poll: 500 ms}}
  meter: {{profile: sunspec_meter, link: "tcp://127.0.0.1:{tcp}", unit: 200, poll: 1 s}}
  bms: {{profile: pylontech_can, link: "slcan://{slcan}"}}
store: {{path: store.db, commit: 500 ms}}
attest: {{every: 3 s, key: key.json, passphrase: passphrase}}
chain:
  id: {chain_id}
  rpc: ["{rpc}", "{rpc_other}"]
  platform: storage
  storage: {storage}
  contracts: {{verification: "{verification}", services: "{services}"}}
  confirmations: 1
  spend: 1 ether
  poll: 500 ms
clock: {{trust: host}}
socket: control.sock
"""


class Fallen(GridsealError):
    """A process of the demo did not come up or ended by itself."""


@asynccontextmanager
async def process(name: str, folder: Path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child in its own group, its standard error in a file of `folder`; ended in order on leaving."""
    with (folder / f"{name}.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            start_new_session=True,  # Ctrl-C reaches the demo, which ends its children in order
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                try:
                    async with asyncio.timeout(20):
                        await child.communicate()
                except TimeoutError:
                    child.kill()
                    await child.communicate()


async def ready(name: str, folder: Path, child: asyncio.subprocess.Process) -> dict[str, Any]:
    """The one line of JSON a rig process prints when it is up."""
    assert child.stdout
    try:
        async with asyncio.timeout(STARTUP_S):
            found: dict[str, Any] = json.loads(await child.stdout.readline())
            return found
    except (TimeoutError, ValueError):
        said = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        raise Fallen(f"{name} did not start: {said[-1] if said else 'no output'}") from None


def anvil() -> str | None:
    """The path of anvil if it is installed, beside the contracts or on the PATH."""
    beside = HERE / "contracts/node_modules/.bin/anvil"
    return str(beside) if beside.exists() else shutil.which("anvil")


async def until(what: str, seconds: float, probe: Any) -> Any:
    """The first true answer of `probe`, asked each quarter second. Fallen when it does not come."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await probe()):
                await asyncio.sleep(0.25)
            return found
    except TimeoutError:
        raise Fallen(f"{what}: not within {seconds:.0f} s") from None


class Demo:
    """The processes of one run, and what has been seen of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status: dict[str, Any] = {}
        self.news = "starting"
        self.service = 0
        self.settled: set[str] = set()
        self.ordered = 0
        self.figures: dict[str, Any] = {}

    async def start(self, stack: AsyncExitStack) -> None:
        """Rig, chain with contracts, key, site.yaml, daemon."""
        python = sys.executable
        rig_command = ("-m", "rig", "--device", "sunspec_hybrid", "--tcp", "0", "--slcan", "--speed", "20")
        rig = await stack.enter_async_context(
            process("rig", self.folder, python, *rig_command, "--control", "rig.sock")
        )
        node = await self._node(stack)
        where, chain = await ready("rig", self.folder, rig), node
        self.node = await stack.enter_async_context(deploy.Node(chain["url"]))
        admin, owner = chain["keys"][0], chain["keys"][1]
        self.news = "deploying the contracts"
        # A short dispute window, so that the gas shown is soon that of a steady interval.
        contracts = await deploy.deploy(self.node, admin, ring=4)
        self.market = deploy.Market(self.node, contracts, admin, owner)
        (self.folder / "passphrase").write_text(os.urandom(16).hex())
        await self._keys("new", "key.json", "--passphrase", "passphrase")
        self.storage = await self.market.add_storage()
        other = chain["url"].replace("127.0.0.1", "localhost")
        (self.folder / "site.yaml").write_text(
            SITE.format(
                tcp=where["tcp"],
                slcan=where["slcan"],
                chain_id=int(await self.node.call("eth_chainId"), 16),
                rpc=chain["url"],
                rpc_other=other,
                storage=self.storage,
                **contracts,
            )
        )
        proven = await self._keys("prove", "site.yaml", "--owner", self.market.owner)
        self.address = proven["address"]
        await self.market.bind(self.storage, self.address, "demo", bytes.fromhex(proven["possession"][2:]))
        self.news = "starting the daemon"
        await stack.enter_async_context(
            process("daemon", self.folder, python, "-m", "gateway.cli", "run", "site.yaml")
        )

    async def _node(self, stack: AsyncExitStack) -> dict[str, Any]:
        """anvil when it is installed, else the EVM in a Python process; a block each second on both."""
        if path := anvil():
            options = ("--port", "0", "--block-time", "1", "--slots-in-an-epoch", "1")
            child = await stack.enter_async_context(process("evm", self.folder, path, *options))
            return await self._anvil_ready(child)
        child = await stack.enter_async_context(process("evm", self.folder, sys.executable, "-m", "rig.evm"))
        return await ready("evm", self.folder, child)

    async def _anvil_ready(self, child: asyncio.subprocess.Process) -> dict[str, Any]:
        assert child.stdout
        keys: list[str] = []
        try:
            async with asyncio.timeout(STARTUP_S):
                while line := (await child.stdout.readline()).decode():
                    if line.startswith("(") and "0x" in line and len(line.split()[-1]) == 66:
                        keys.append(line.split()[-1])
                    if "Listening on" in line:
                        return {"url": f"http://{line.split()[-1]}", "keys": keys}
        except TimeoutError:
            pass
        raise Fallen("anvil did not start")

    async def _keys(self, *words: str) -> dict[str, Any]:
        """`gridseal keys`, as on a site."""
        async with process(
            "keys", self.folder, sys.executable, "-m", "gateway.cli", "keys", *words, "--json"
        ) as c:
            said, _ = await c.communicate()
            return dict(json.loads(said))

    async def order_services(self) -> None:
        """Once the first record is on the chain: verify the installation, register, order, settle, again."""
        await until("the first record on chain", 60, self._on_chain)
        await self.market.verify_installation(self.storage)
        self.service = await self.market.register_service(self.storage, "load-shifting")
        power_w = SERVICE_POWER_W
        while True:
            head = await self.node.call("eth_getBlockByNumber", "latest", False)
            begin = int(head["timestamp"], 16) + 4
            energy_wh = power_w * SERVICE_S // 3600
            end = begin + SERVICE_S
            command = await self.market.order(
                self.service, begin, end, energy_wh, [power_w], deploy.ETHER // 100
            )
            self.ordered += 1
            what = f"{abs(power_w)} W {words('battery', power_w)} for {SERVICE_S} s"
            self.news = f"ordered on chain: {what}, payment in escrow"
            await until("settlement", SERVICE_S + 60, self._is_settled)
            order = await self.market.order_state(self.service)
            self.settled.add(command)
            paid = order["payment_wei"] * order["share_bp"] / 10_000 / deploy.ETHER
            self.news = f"settled: {order['share_bp'] / 100:g} % delivered, {paid:g} ether paid to the owner"
            await asyncio.sleep(5)
            power_w = -power_w

    async def _on_chain(self) -> bool:
        return await self.market.last_sequence(self.address) > 0

    async def _is_settled(self) -> bool:
        return (await self.market.order_state(self.service))["state"] == "settled"

    async def rig_state(self) -> dict[str, Any]:
        """What the rig, an independent witness, has seen."""
        return await ask(self.folder / "rig.sock", {"do": "state"})

    async def look(self) -> None:
        self.status = await ask(self.folder / "control.sock", {"do": "status"})

    def picture(self, left_s: float | None) -> Any:
        lines = [Text(self.news, style="bold")]
        if left_s is not None:
            lines.append(Text(f"ends by itself in {left_s:.0f} s", style="dim"))
        return Group(*([render(self.status)] if self.status else []), *lines)

    async def count(self) -> dict[str, Any]:
        """The figures of the run, each from whoever knows it."""
        rig, chain = await self.rig_state(), self.status["chain"]
        return {
            "seconds": round(self.status["uptime_s"]),
            "readings_stored": self.status["store"]["readings"],
            "intervals_signed": self.status["records"]["intervals"],
            "intervals_confirmed": chain["intervals_confirmed"],
            "services_ordered": self.ordered,
            "services_executed": self.status["control"]["executed"],
            "services_settled": len(self.settled),
            "writes": rig["writes"],
            "writes_outside_envelope": rig["writes_outside_envelope"],
            "gas_per_interval": chain["gas_per_interval"],
        }


async def watch(demo: Demo, seconds: float | None) -> None:
    """Show the site until the time is over or somebody presses Ctrl-C."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await until("the daemon", STARTUP_S, lambda: _there(demo))
    console = Console(stderr=True, highlight=False)
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while not stop.is_set() and (end is None or loop.time() < end):
            await demo.look()
            if console.is_terminal:
                live.update(demo.picture(None if end is None else end - loop.time()), refresh=True)
            await asyncio.sleep(0.4)
    demo.figures = await demo.count()


async def _there(demo: Demo) -> bool:
    return (demo.folder / "control.sock").exists()


async def main(seconds: float | None) -> None:
    console = Console(stderr=True, highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="gridseal-demo-"))
    demo = Demo(folder)
    try:
        async with AsyncExitStack() as stack:
            console.print(f"a site in {folder}: rig, chain, contracts, daemon ...")
            await demo.start(stack)
            async with asyncio.TaskGroup() as group:
                market = group.create_task(demo.order_services())
                await watch(demo, seconds)
                market.cancel()
    except* (GridsealError, deploy.Failed) as failed:
        console.print(f"demo: {failed.exceptions[0]}; logs are in {folder}", style="red")
        raise SystemExit(1) from None
    if demo.figures:
        print(json.dumps(demo.figures))
    shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else None))
