"""The chain of a seeded run: one honest EVM, two endpoints, people at the contracts, what goes wrong there.

It owns the chain's time, which is the true one: the site's calendar may be wrong, a block's date is not. Each
`do_…` is an event of `chain_script`. It refuses to judge (`chain_judge.py`) and to know the daemon.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

import pytest
from rig.evmchain import CHAIN_ID, Evm

from gateway.chain import side
from gateway.evidence.signer import KeySigner
from gateway.model import ClockTrust, ServiceKind
from tests.sim.chain_ends import Operator
from tests.sim.chain_judge import COMMANDS, ChainJudge
from tests.sim.chain_left import read, story
from tests.sim.chain_market import Market, Truth
from tests.sim.chain_script import OPERATORS
from tests.sim.judge import Judge
from tests.sim.life import Seed
from tests.sim.rigged import SECRET
from tests.sim.script import Script

BLOCK_S = 12
LOOK_S = 10  # between two looks into the store
BEFORE_S = 300  # the chain's past when the run begins
CROWD_BLOCKS_MAX = 25  # of full blocks on end: nineteen times the price
SITE = """\
chain:
  id: {chain_id}
  rpc: [{rpc}]
  platform: storage
  storage: {storage}
  contracts: {{verification: "{verification}", services: "{services}"}}
  confirmations: {confirmations}
  spend: 5 ether
  poll: 5 s
"""
ABSURD = {"power": 40_000_000, "width": 2**200}


class Post:
    """gateway.chain.rpc.HttpPost without HTTP."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def __call__(self, body: bytes) -> bytes:
        return await self._operator.post(body)

    async def close(self) -> None:
        return


class ChainSide:
    """`say` adds a line to the trace."""

    def __init__(self, rig: Seed, script: Script, judge: Judge, say: Callable[[str], None]) -> None:
        self._rig, self._clock, self._say, self._script = rig, rig.clock, say, script
        self._offset_ms = rig.clock.wall_offset_ms  # of the true calendar
        self._off_ms = 0  # how wrong the site's is
        self._before_s = BEFORE_S
        random = Random(f"chain world {script.seed}")
        self.evm = Evm(finality=script.finality, clock=self._true_s, entropy=random.randbytes)
        self.operators = {name: Operator(name, self.evm, random) for name in OPERATORS}
        self.market = Market(self.evm)
        self.key = KeySigner(SECRET)
        self._judge, self._mining = judge, True
        self.kinds: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.depths: Counter[str] = Counter()
        self._due = self._healed_ms = self._full = 0
        self._crowded = False
        self._read = dict.fromkeys(OPERATORS, 0)

    def _true_s(self) -> float:
        return (self._clock.mono_ms() + self._offset_ms) / 1000 - self._before_s

    async def prepare(self) -> None:
        """Contracts and services in the past, and site.yaml with the chain in it."""
        contracts, storage = await self.market.prepare(self.key)
        self._before_s = 0
        for operator in self.operators.values():
            operator.services, operator.storage = contracts["services"].lower(), storage
        rpc = ", ".join(f'"http://{name}"' for name in OPERATORS)
        self._rig.add(
            SITE.format(
                chain_id=CHAIN_ID,
                rpc=rpc,
                storage=storage,
                confirmations=self._script.confirmations,
                **contracts,
            )
        )
        self.evm.mine()
        truth = Truth(self.evm, contracts["services"].lower(), storage)
        self.judge = ChainJudge(
            self._judge, truth, self._script.limit_w, self.market.services, given(self._script)
        )
        self.truth = truth
        truth.look()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """A Daemon made inside is on the chain."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(side, "HttpPost", lambda url: Post(self.operators[url.split("//")[1]]))
            yield

    def began(self, states: Mapping[str, str]) -> None:
        now = self._clock.now()
        self.judge.began(now.mono_ms, now.wall_ms, states)

    # -- as time goes by ------------------------------------------------------------------------------

    async def mine(self) -> None:
        while True:
            await asyncio.sleep(BLOCK_S)
            if self._mining:
                self._block()

    def _block(self) -> None:
        crowded = self._crowded and self._full < CROWD_BLOCKS_MAX
        self._full = self._full + 1 if crowded else 0
        self.market.crowd(2 if crowded else int(self.evm.base_fee_wei < 10**9 * 5))
        self.evm.mine()
        self._look()

    def _look(self) -> None:
        found = self.truth.look()
        for order in found:
            self._say(f"   final {order.id[:8]} {list(order.values)}")
        now = self._clock.now()
        self.judge.became_final(found, now.mono_ms, now.wall_ms)
        self.judge.stopped_for_good(self.truth.final_stops, now.mono_ms)

    async def watch(self) -> None:
        """What the store holds, and what left, every few seconds."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def calendar(self) -> None:
        """After each event: the site's calendar may be another one."""
        now, off_ms = self._clock.now(), self._clock.wall_offset_ms - self._offset_ms
        if off_ms != self._off_ms:
            self._off_ms = off_ms
            self.judge.calendar(now.mono_ms, now.wall_ms, off_ms)

    def look(self) -> None:
        if (self._rig.folder / "store.db").exists():
            self._look_into_store(self._clock.mono_ms())
        for name, operator in self.operators.items():
            self.judge.invented |= operator.invented
            for raw in operator.left[self._read[name] :]:
                self.judge.left(read(self.evm, raw))
            self._read[name] = len(operator.left)

    def _look_into_store(self, now_ms: int) -> None:
        self.judge.stored(self._rig.rows(COMMANDS), now_ms)
        if self.judge.listening_ms is None and self._rig.rows("SELECT 1 FROM cursor WHERE name = 'inbox'"):
            self.judge.listening_ms = now_ms

    # -- people ---------------------------------------------------------------------------------------

    async def do_contract_order(
        self,
        number: int,
        service: str,
        power_w: int,
        delay_s: int,
        seconds: int,
        absurd: str,
    ) -> None:
        del number
        begin_s = int(self._true_s()) + delay_s
        end_s = begin_s + (10**9 if absurd == "window" else seconds)
        if absurd == "past":
            end_s = int(self._true_s()) + BLOCK_S * 2  # over before it is final
            begin_s = end_s - seconds
        values = self._values(service, ABSURD.get(absurd, power_w))
        if absurd == "count":
            values = [*values, *range(12)]
        self.counts["contract_orders"] += 1
        self.market.order(service, begin_s, end_s, values, power_w * seconds // 3600)

    @staticmethod
    def _values(service: str, power_w: int) -> list[int]:
        match service:
            case "frequency":
                return [abs(power_w), 10, 100]
            case "peak-shaving":
                return [abs(power_w)]
            case "backup":
                return [min(abs(power_w), 9000)]
            case _:
                return [power_w]

    async def do_contract_stop(self) -> None:
        self.counts["contract_stops"] += 1
        self.market.stop()

    # -- trouble --------------------------------------------------------------------------------------

    async def do_reorg(self, depth: int, keep: bool) -> None:
        self.kinds["reorg"] += 1
        self.depths[f"{depth:02}"] += 1
        self.evm.reorg(depth, keep=keep)
        self._look()

    async def do_stall(self) -> None:
        self.kinds["stall"] += 1
        self._mining = False

    async def do_stall_over(self) -> None:
        self._mining = True

    async def do_unfinal(self) -> None:
        self.kinds["unfinal"] += 1
        self.evm.final_held = self.evm.final

    async def do_unfinal_over(self) -> None:
        self.evm.final_held = None
        self._look()

    async def do_crowd(self) -> None:
        self.kinds["crowd"] += 1
        self._crowded = True

    async def do_crowd_over(self) -> None:
        self._crowded = False

    async def do_forget_pool(self) -> None:
        self.kinds["forget_pool"] += 1
        self.evm.forget_pool()

    async def _begin(self, operator: str, name: str) -> None:
        self.operators[operator].begin(name)

    async def _end(self, operator: str, name: str) -> None:
        self.operators[operator].end(name)

    do_wire = do_view = do_lie = _begin
    do_wire_over = do_view_over = do_lie_over = _end

    # -- the end --------------------------------------------------------------------------------------

    def heal(self) -> None:
        """From now on all is well with the chain, the site's disk and its calendar."""
        self._mining, self._crowded, self.evm.final_held = True, False, None
        for operator in self.operators.values():
            operator.troubles.clear()
        self._look()
        self._rig.disk_full, self._clock.trust = False, ClockTrust.TRUSTED
        self._clock.step(self._offset_ms - self._clock.wall_offset_ms)
        self.calendar()
        self.look()
        query = "SELECT coalesce(max(sequence), 0) FROM record WHERE signature <> x''"
        self._due, self._healed_ms = self._rig.rows(query)[0][0], self._clock.mono_ms()

    def judged(self) -> None:
        """After the daemon's last life: what came of everything."""
        self.look()
        told = story(self.evm, self.key.address)
        records = {
            n: (digest, signature)
            for n, digest, signature in self._rig.rows("SELECT sequence, digest, signature FROM record")
        }
        self.judge.landed(told.accepted, records, self._due, told.again)
        rows = self._rig.rows("SELECT id, state, not_after_ms, kind FROM command")
        states = {name: state for name, state, _, _ in rows}
        ends = {name: end_ms for name, _, end_ms, kind in rows if kind != ServiceKind.STOP}
        self.judge.heard(states, ends, self._clock.now().wall_ms, self._healed_ms)
        self.counts["blocks"] = len(self.truth.hashes)
        self.counts["transactions"] = told.mined
        self.counts["reverted"] = told.reverted
        self.counts["final_orders"] = len(self.truth.final)
        heard = Counter(states[name] for name in self.truth.final if name in states)
        self.counts["heard_orders"] = heard.total()
        self.counts["carried_out_orders"] = heard.total() - heard["refused"]

    def tell(self, counts: Counter[str], faults: Counter[str], depths: Counter[str]) -> None:
        """What was done and what went wrong, into those of the run."""
        counts.update(self.counts)
        depths.update(self.depths)
        faults.update({f"chain_{kind}": count for kind, count in self.kinds.items()})
        for operator in self.operators.values():
            faults.update(operator.hits)

    def digest(self) -> bytes:
        """Of every block that ever was, and of all that left signed."""
        seen = hashlib.sha256("".join(self.truth.hashes).encode())
        for operator in self.operators.values():
            for raw in operator.left:
                seen.update(raw)
        return seen.digest()


def given(script: Script) -> frozenset[str]:
    """Ids of what the script's people give by hand."""
    orders = (f"{script.seed} {e.how['number']}" for e in script.events if e.what == "order")
    stops = (str(e.how["name"]) for e in script.events if e.what == "stop")
    return frozenset(hashlib.sha256(name.encode()).hexdigest() for name in (*orders, *stops))
