"""Requests to commands: who orders, when it begins, what is left out, and signatures from a distance."""

from typing import Any

import pytest

from gateway import signed_order
from gateway.control import Status
from gateway.desk import Desk
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN
from gateway.model import Command, ServiceKind, Source, Verdict
from tests.gateway.stores import WALL_MS, HandClock
from tests.sim.mocks import site

KEY = KeySigner(b"\x31" * 32)
REQUEST: dict[str, Any] = {
    "id": "ab" * 32,
    "kind": "peak-shaving",
    "duration_ms": 60_000,
    "parameters": {"import_w": 5000},
    "who": "ada",
}


class Control:
    """Takes what it is given, or refuses it."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.taken: list[Command] = []
        self.status = Status()

    async def submit(self, command: Command) -> Verdict:
        self.taken.append(command)
        return self.verdict

    def clear(self) -> str:
        self.status = Status()
        return "stop by ada"


def desk(verdict: Verdict | None = None) -> tuple[Desk, Control]:
    control = Control(verdict or Verdict(True))
    at = site(signers=frozenset({KEY.address.lower()}))
    return Desk(at, HandClock(), control, lambda: NO_CHAIN), control


async def test_a_request_becomes_the_operators_command_with_its_defaults() -> None:
    made, control = desk()
    answer = await made.submit(REQUEST)
    assert answer == {"admitted": True, "reason": "", "id": "ab" * 32, "message": "admitted as abababab"}
    (command,) = control.taken
    assert (command.source, command.kind) == (Source.OPERATOR, ServiceKind.PEAK_SHAVING)
    assert command.parameters == {"import_w": 5000, "power_w": 0}
    assert (command.not_before_ms, command.not_after_ms) == (WALL_MS, WALL_MS + 60_000)
    assert (command.origin, command.shared) == ("operator ada", False)


@pytest.mark.parametrize(
    ("more", "begin", "source"),
    [
        ({"delay_ms": 5000}, WALL_MS + 5000, Source.OPERATOR),
        ({"begin_ms": 77, "delay_ms": 5000}, 77, Source.OPERATOR),
        ({"source": "schedule"}, WALL_MS, Source.SCHEDULE),
        ({"source": "grid_limit"}, WALL_MS, Source.OPERATOR),
        ({"shared": True}, WALL_MS, Source.OPERATOR),
    ],
)
async def test_a_person_may_wait_or_stand_back_but_never_come_forward(
    more: dict[str, Any], begin: int, source: Source
) -> None:
    made, control = desk()
    await made.submit({**REQUEST, **more})
    (command,) = control.taken
    assert (command.not_before_ms, command.source) == (begin, source)
    assert command.shared == bool(more.get("shared"))


async def test_a_refusal_is_passed_on_in_words() -> None:
    made, _ = desk(Verdict(False, "too much"))
    answer = await made.submit(REQUEST)
    assert (answer["admitted"], answer["message"]) == (False, "refused: too much")
    assert (await made.release({}))["message"] == "released: stop by ada"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status("stopped", stop="ada"), ", but it waits until the site is released: ada"),
        (
            Status("fault", fault="inverter: deaf"),
            ", but it waits until the site is released: inverter: deaf",
        ),
        (Status("running", fault="second: deaf"), ""),  # another battery carries it out
    ],
)
async def test_an_order_that_waits_for_a_release_is_admitted_and_says_so(status: Status, said: str) -> None:
    made, control = desk()
    control.status = status
    assert (await made.submit(REQUEST))["message"] == f"admitted as abababab{said}"
    stop = {**REQUEST, "kind": "stop", "parameters": {}}
    assert (await made.submit(stop))["message"] == "admitted as abababab"


@pytest.mark.parametrize("change", [{"kind": "telepathy"}, {"duration_ms": "x"}, {"parameters": 7}])
async def test_what_is_no_request_is_an_error_of_the_request(change: dict[str, Any]) -> None:
    made, control = desk()
    with pytest.raises((ValueError, TypeError)):
        await made.submit({**REQUEST, **change})
    assert control.taken == []


async def test_from_a_distance_a_signature_counts_and_nothing_else() -> None:
    made, control = desk()
    order = Command("cd" * 32, Source.REMOTE, ServiceKind.FIXED_POWER, 1, 2, {"power_w": 5})
    signature = KEY.sign(signed_order.digest(NO_CHAIN, "mocked", order))
    answer = await made.signed(signed_order.write("mocked", order, signature).encode())
    assert answer == {"id": "0x" + "cd" * 32, "admitted": True, "reason": ""}
    assert control.taken[0].source is Source.REMOTE
    answer = await made.signed(b"{}")
    assert (answer["id"], answer["admitted"]) == (None, False)
    assert len(control.taken) == 1


async def test_a_stop_from_a_distance_is_a_stop_and_keeps_its_id() -> None:
    made, control = desk()
    for given in ("", "cd" * 32):
        answer = await made.stop(given)
        assert answer["admitted"] is True and (not given or answer["id"] == "0x" + given)
    first, second = control.taken
    assert {c.kind for c in control.taken} == {ServiceKind.STOP}
    assert {c.source for c in control.taken} == {Source.REMOTE}
    assert len(bytes.fromhex(first.id)) == 32 and second.id == "cd" * 32
    assert (await made.stop(""))["id"] == "0x" + first.id  # of the same moment: the same stop
