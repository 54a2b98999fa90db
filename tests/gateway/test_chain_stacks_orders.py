"""Orders out of the state of Clarity contracts: once each, deep enough, never from a liar, never on an
untrusted clock, over stops and forks. The chain and what its contracts say are a mock."""

from hashlib import sha256

import pytest

from gateway.chain.platforms.stacks import StacksPlatform
from gateway.chain.stacks import orders as module
from gateway.chain.stacks.address import TESTNET_ID
from gateway.chain.stacks.codec import Ascii, Int, Some, UInt, decode
from gateway.chain.stacks.orders import BATCH, Requests
from gateway.errors import ChainError
from gateway.model import ClockTrust, ServiceKind
from gateway.principal import Principal
from gateway.site import ChainSettings
from gateway.store import cursors, intents
from tests.chain.stacks_fake import World, world
from tests.sim.loop import run

WINDOW_S = 3600
CONTRACTS = {
    role: str(Principal(26, bytes(20), role))
    for role in ("facility", "records", "capacity", "actions", "services")
}


def platform(facility: int = 1) -> StacksPlatform:
    return StacksPlatform(ChainSettings(TESTNET_ID, (), "stacks", CONTRACTS, facility))


class Market:
    """The requests to facility 1, by the block they came with, and the suggestion; a `submit` that knows ids
    as control does."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.requests: list[tuple[int, dict]] = []
        self.suggestions: list[tuple[int, dict | None]] = []
        self.taken: list = []
        self.carried_out: set[str] = set()
        w.chain.views |= {"request-of": self._request_of, "get-suggested-action": self._suggested}

    def put(self, name: str, **changed) -> None:
        """A request, in a block of its own."""
        self.w.block()
        begin = self.w.clock.now().wall_ms // 1000
        fields = {
            "facility": UInt(1), "request": UInt(len(self.requests) + 1), "service": UInt(2),
            "start": UInt(begin), "end": UInt(begin + WINDOW_S), "energy-wh": Int(5), "values": [Int(1500)],
            "target-mhz": UInt(50_000), "state": UInt(1), "command": sha256(name.encode()).digest(),
        }  # fmt: skip
        self.requests.append((self.w.chain.height, fields | changed))

    def suggest(self, name: str | None, power_w: int = 2000) -> None:
        self.w.block()
        begin = self.w.clock.now().wall_ms // 1000
        said = name and {
            "command": sha256(name.encode()).digest(), "power-w": Int(power_w),
            "start": UInt(begin), "end": UInt(begin + WINDOW_S),
        }  # fmt: skip
        self.suggestions.append((self.w.chain.height, said))

    def fork(self, depth: int) -> None:
        self.w.chain.fork(depth)
        self.requests = [r for r in self.requests if r[0] <= self.w.chain.height]

    def _request_of(self, arguments: list[str], height: int):
        place = decode(bytes.fromhex(arguments[1][2:])).value
        there = [fields for since, fields in self.requests if since <= height]
        return Some(there[place - 1]) if place <= len(there) else None

    def _suggested(self, arguments: list[str], height: int):
        there = [said for since, said in self.suggestions if since <= height]
        return Some(there[-1]) if there and there[-1] else None

    async def submit(self, command) -> None:
        self.taken.append(command)
        self.carried_out.add(command.id)

    def listener(self, facility: int = 1, submit=None) -> Requests:
        w, taking = self.w, submit or self.submit
        return Requests(w.store, w.operators(), platform(facility), w.clock, taking, depth=3)

    @property
    def names(self) -> list[str]:
        return [command.id for command in self.taken]


def named(*names: str) -> list[str]:
    return [sha256(name.encode()).hexdigest() for name in names]


def simulate(tmp_path, scenario):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            return await scenario(w, Market(w))

    return run(main)


def test_a_request_is_heard_when_it_is_deep_once_and_with_its_reference(tmp_path):
    async def scenario(w, m):
        listener = m.listener()
        m.put("one")
        for _ in range(2):
            await listener.tick()
            assert m.taken == []
            w.block()
        await listener.tick()
        (command,) = m.taken
        assert (command.id, command.kind, dict(command.parameters)) == (
            *named("one"), ServiceKind.FIXED_POWER, {"power_w": 1500},
        )  # fmt: skip
        assert command.not_after_ms - command.not_before_ms == WINDOW_S * 1000
        assert await w.store.call(intents.reference, command.id) == "1"
        for _ in range(5):
            w.block()
            await listener.tick()
        assert m.names == named("one")
        assert listener.status.commands == 1
        assert listener.status.block == w.chain.height - 2

    simulate(tmp_path, scenario)


def test_many_requests_come_in_order_a_batch_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)

    async def scenario(w, m):
        for n in range(10):
            m.put(str(n))
        w.block(3)
        listener = m.listener()
        assert [await listener.tick() for _ in range(3)] == [True, True, False]
        assert m.names == named(*map(str, range(10)))

    simulate(tmp_path, scenario)


def test_a_stop_between_taking_and_noting_repeats_an_id_and_nothing_else(tmp_path):
    async def scenario(w, m):
        class Killed(BaseException):
            pass

        m.put("one")
        m.put("two")
        w.block(3)

        async def killed(command):
            await m.submit(command)
            raise Killed

        with pytest.raises(Killed):
            await m.listener(submit=killed).tick()
        await m.listener().tick()
        assert m.names == named("one", "one", "two")
        await m.listener().tick()  # another start: all is known
        assert m.names == named("one", "one", "two")
        assert m.carried_out == set(named("one", "two"))

    simulate(tmp_path, scenario)


def test_after_a_restart_the_count_goes_on_and_another_facilitys_is_its_own(tmp_path):
    async def scenario(w, m):
        m.put("one")
        w.block(3)
        await m.listener().tick()
        m.put("two")
        w.block(3)
        await m.listener().tick()
        assert m.names == named("one", "two")
        for place, (since, fields) in enumerate(m.requests):
            m.requests[place] = (since, fields | {"facility": UInt(2)})
        await m.listener(facility=2).tick()
        assert m.names == named("one", "two", "one", "two"), "asked from the first on, and ids are known"

    simulate(tmp_path, scenario)


def test_what_is_over_done_with_or_no_service_of_ours_is_passed_by(tmp_path):
    async def scenario(w, m):
        now_s = w.clock.now().wall_ms // 1000
        m.put("over", start=UInt(now_s - 900), end=UInt(now_s))
        m.put("done", state=UInt(2))
        m.put("ninth", service=UInt(9))
        m.put("words", values=[Int(1), Int(2)])
        m.put("aeon", end=UInt(2**41))
        m.put("good")
        w.block(3)
        listener = m.listener()
        await listener.tick()
        assert m.names == named("good")
        said = " | ".join(listener.status.unusable)
        for words in ("service 9 is not carried out here", "takes the numbers power_w", "ends in the year"):
            assert words in said

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_fork_shallower_than_the_depth_is_not_noticed(tmp_path, depth):
    async def scenario(w, m):
        listener = m.listener()
        m.put("one")
        w.block(2)
        await listener.tick()
        m.fork(depth)
        w.block(depth)
        await listener.tick()
        m.put("two")
        w.block(3)
        await listener.tick()
        assert m.names == named("one", "two")

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("restart", [False, True])
def test_a_deeper_fork_that_puts_another_request_in_the_place_is_heard(tmp_path, restart):
    async def scenario(w, m):
        listener = m.listener()
        for name in ("one", "two"):
            m.put(name)
        w.block(3)
        await listener.tick()
        assert m.names == named("one", "two")
        m.fork(5)
        m.put("other")
        w.block(5)
        if restart:
            listener = m.listener()
        await listener.tick()
        assert m.carried_out == set(named("one", "two", "other"))
        again = len(m.taken)
        w.block(3)
        await listener.tick()
        assert len(m.taken) == again, "and then it is quiet"

    simulate(tmp_path, scenario)


def test_a_deep_fork_back_to_nothing_and_a_chain_that_grows_again(tmp_path):
    async def scenario(w, m):
        listener = m.listener()
        for n in range(BATCH + 3):
            m.put(str(n))
        w.block(3)
        while await listener.tick():
            pass
        m.fork(3 + BATCH // 2)
        w.block(3)
        await listener.tick()
        m.put("after")
        w.block(3)
        while await listener.tick():
            pass
        assert len(m.carried_out) == BATCH + 4
        (number,) = await w.store.call(lambda c: c.execute("SELECT number FROM cursor").fetchone())
        assert number == len(m.requests)

    simulate(tmp_path, scenario)


def test_each_suggestion_once_and_none_when_there_is_none(tmp_path):
    async def scenario(w, m):
        listener = m.listener()
        m.suggest("charge", -2500)
        w.block(3)
        for _ in range(3):
            await listener.tick()
        m.suggest(None)
        w.block(3)
        await listener.tick()
        m.suggest("discharge")
        w.block(3)
        await listener.tick()
        assert m.names == named("charge", "discharge")
        assert dict(m.taken[0].parameters) == {"power_w": -2500}
        await m.listener().tick()
        assert m.names == named("charge", "discharge", "discharge"), "after a restart control knows the id"

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("path", ["/v2/contracts", "/extended/v2/blocks", "/v2/info"])
def test_two_operators_must_tell_the_same(tmp_path, path):
    async def scenario(w, m):
        m.put("one")
        w.block(3)
        lies = {
            "/v2/contracts": lambda status, said: (status, said | {"result": "0x09"}),
            "/extended/v2/blocks": lambda status, said: (
                status,
                said | {"index_block_hash": "0x" + "66" * 32},
            ),
            "/v2/info": lambda status, said: (status, said | {"network_id": 1}),
        }
        w.b.lies[path] = lies[path]
        listener = m.listener()
        with pytest.raises(ChainError):
            await listener.tick()
        w.b.lies.clear()
        w.b.down = True
        with pytest.raises(ChainError):
            await listener.tick()
        assert m.taken == []
        w.b.down = False
        await listener.tick()
        assert m.names == named("one")

    simulate(tmp_path, scenario)


def test_an_untrusted_clock_hears_nothing(tmp_path):
    async def scenario(w, m):
        m.put("one")
        w.block(3)
        w.clock.trust = ClockTrust.UNTRUSTED
        listener = m.listener()
        assert await listener.tick() is False
        assert "clock is synchronised" in listener.status.trouble
        assert (m.taken, await w.store.call(cursors.get, module.CURSOR, -1)) == ([], -1)
        w.clock.trust = ClockTrust.TRUSTED
        await listener.tick()
        assert (m.names, listener.status.trouble) == (named("one"), "")

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    "changed",
    [
        {"facility": UInt(2)},
        {"facility": Int(1)},
        {"state": None},
        {"service": "x"},
        {"start": Int(-1)},
        {"command": b"\1" * 31},
        {"values": UInt(3)},
        {"values": [UInt(1500)]},
        {"values": [Int(2**64)]},
        {"request": None},
    ],
    ids=str,
)
def test_what_is_not_of_the_contracts_shape_is_never_an_order(tmp_path, changed):
    """Both operators say it: the contract is not the one that is meant."""

    async def scenario(w, m):
        m.put("one", **{k: Ascii(v) if isinstance(v, str) else v for k, v in changed.items()})
        w.block(3)
        listener = m.listener()
        try:
            await listener.tick()
        except ChainError as error:
            assert "\n" not in str(error)
        else:
            assert len(listener.status.unusable) == 1
        assert m.taken == []

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("said", [UInt(1), Some(UInt(1)), {"command": b""}, Some({"power-w": Int(2**63)})])
def test_nor_is_a_suggestion(tmp_path, said):
    async def scenario(w, m):
        w.chain.views["get-suggested-action"] = lambda arguments, height: said
        with pytest.raises(ChainError):
            await m.listener().tick()
        assert m.taken == []

    simulate(tmp_path, scenario)
