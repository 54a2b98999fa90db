"""Names of hosts: a resolver that changes its mind, knows nothing, or hangs; and the one of this machine."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.hostname import ADDRESSES_MAX, Names, ask_system
from gateway.errors import LinkError

ROOT = Path(__file__).parents[2]
END_S = 20.0  # for what ends in a moment, on a loaded machine


class Resolver:
    """Answers from `said`, or hangs while `hangs` is set. `asked` counts; a test lets it go at its end."""

    def __init__(self) -> None:
        self.said: list[str] | OSError = []
        self.asked = 0
        self.hangs = False
        self.go = threading.Event()

    def __call__(self, host: str) -> list[str]:
        self.asked += 1
        if self.hangs:
            assert self.go.wait(END_S)
        if isinstance(self.said, OSError):
            raise self.said
        return self.said


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


async def test_each_time_it_is_asked_anew(resolver: Resolver) -> None:
    names = Names(resolver)
    for address in ("10.0.0.4", "10.0.0.5"):
        resolver.said = [address]
        assert await names.addresses("inverter.local") == [address]
    assert resolver.asked == 2


@pytest.mark.parametrize("host", ["10.0.0.4", "::1", "fe80::1%2"])
async def test_an_address_is_no_name(resolver: Resolver, host: str) -> None:
    assert await Names(resolver).addresses(host) == [host] and resolver.asked == 0


async def test_the_resolvers_order_stays_and_what_is_said_twice_or_too_much_does_not(
    resolver: Resolver,
) -> None:
    resolver.said = ["fe80::1%2", "10.0.0.4", "fe80::1%2", *(f"10.0.1.{n}" for n in range(50))]
    found = await Names(resolver).addresses("inverter.local")
    assert found[:3] == ["fe80::1%2", "10.0.0.4", "10.0.1.0"] and len(found) == ADDRESSES_MAX


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (socket.gaierror(-2, "Name or service not known"), "is not known: Name or service not known"),
        ([], "is not known: it has no address"),
    ],
)
async def test_a_name_that_is_not_known_is_a_link_error(
    resolver: Resolver, said: list[str] | OSError, message: str
) -> None:
    resolver.said = said
    with pytest.raises(LinkError, match=f"where inverter.local is, {message}"):
        await Names(resolver).addresses("inverter.local")


async def test_a_resolver_that_hangs_holds_up_nobody_and_is_not_asked_again_meanwhile(
    resolver: Resolver,
) -> None:
    resolver.hangs, resolver.said = True, ["10.0.0.4"]
    names, turns = Names(resolver, answer_s=0.2), 0

    async def ticks() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(ticks())
        for _ in range(3):
            with pytest.raises(LinkError, match=r"nobody says within 0.2 s where inverter.local is"):
                await names.addresses("inverter.local")
        ticking.cancel()
    assert turns > 6 and resolver.asked == 1
    waiting = names.addresses("inverter.local")
    resolver.go.set()
    assert await waiting == ["10.0.0.4"]  # the answer to the first question
    assert await names.addresses("inverter.local") == ["10.0.0.4"] and resolver.asked == 2


async def test_several_links_to_a_name_are_one_question(resolver: Resolver) -> None:
    resolver.hangs, resolver.said = True, ["10.0.0.4"]
    names = Names(resolver)

    async def later(then: Callable[[], None]) -> None:
        await asyncio.sleep(0.05)
        then()

    found = await asyncio.gather(*(names.addresses("a.local") for _ in range(9)), later(resolver.go.set))
    assert found[:9] == [["10.0.0.4"]] * 9 and resolver.asked == 1


def test_a_resolver_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    program = (
        "import asyncio, threading\n"
        "from drivers.hostname import Names\n"
        "from gateway.errors import LinkError\n"
        "async def main():\n"
        "    try: await Names(lambda _: threading.Event().wait(600), 0.1).addresses('x.local')\n"
        "    except LinkError as error: print(error)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=END_S, check=True
    )
    assert "nobody says" in done.stdout and done.stderr == ""


async def test_the_names_of_this_machine() -> None:
    assert "127.0.0.1" in ask_system("localhost")
    assert "127.0.0.1" in await Names().addresses("localhost")
