"""Relay boards: what coils and contacts mean, and what is asked for them. The link is a mock;
test_modbus_libmodbus has the same on real wires."""

import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus import PLUGIN
from drivers.modbus.board import BoardDriver, Run, runs
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Board, Contact, Relay
from gateway.driver import Actuator, Switches
from gateway.errors import LinkError
from gateway.site import Device
from tests.drivers.modbus_memory import HandClock
from tests.drivers.test_modbus_coils import BASE

BIT = st.tuples(st.sampled_from(["coils", "discrete"]), st.integers(0, 40))


class Bits:
    """A CoilLink that is its own board; `log` is the bus."""

    url = "tcp://bits"

    def __init__(self, *on: tuple[str, int]) -> None:
        self.on = set(on)
        self.log: list[tuple] = []
        self.gone = False

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        self.log.append((unit, table, address, count))
        if self.gone:
            raise LinkError("no answer")
        return tuple((table, address + n) in self.on for n in range(count))

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        self.log.append((unit, address, on))
        (self.on.add if on else self.on.discard)(("coils", address))

    async def close(self) -> None:
        pass


def driver(link: Bits, *relays: Relay, contacts: tuple[Contact, ...] = ()) -> BoardDriver:
    board = Board("V", "M", "simulated", "", relays, contacts)
    device = Device("board", "own", "modbus", "relay", "tcp://bits", board, unit=5)
    return BoardDriver(device, board, link, HandClock())


async def test_connecting_switches_nothing() -> None:
    link = Bits(("coils", 1))
    board = driver(link, Relay("1", 0), Relay("2", 1), Relay("3", 9, off_pulled=False))
    assert isinstance(board, Switches) and not isinstance(board, Actuator)
    assert await board.connect() == {"vendor": "V", "model": "M"}
    assert link.log == [(5, "coils", 0, 2), (5, "coils", 9, 1)]
    assert await board.switched() == {"1": True, "2": False, "3": False}


@pytest.mark.parametrize("off_pulled", [True, False])
async def test_a_switch_is_seen_again(off_pulled: bool) -> None:
    link = Bits()
    board = driver(link, Relay("1", 17, off_pulled=off_pulled))
    for on in (False, True, False):
        await board.switch("1", on)
        assert link.log[-1] == (5, 17, on != off_pulled)
        assert await board.switched() == {"1": on}
        sample = await board.read()
        assert ([p.name for p in sample.points], sample.values) == (["relay_1_code"], (int(on),))


@pytest.mark.parametrize("table", ["discrete", "coils"])
@pytest.mark.parametrize(
    ("active_open", "bit", "value"), [(True, True, 0), (True, False, 1), (False, True, 1), (False, False, 0)]
)
async def test_a_contact_reads_on_while_it_is_closed(
    table: str, active_open: bool, bit: bool, value: int
) -> None:
    contact = Contact("emergency_stop", 3, table, active_open)
    board = driver(Bits((table, 3)) if bit else Bits(), contacts=(contact,))
    sample = await board.read()
    assert (sample.points[0].quantity, sample.values) == ("emergency_stop_code", (value,))


async def test_a_board_that_is_gone_is_a_link_error() -> None:
    link = Bits()
    board = driver(link, Relay("1", 0), contacts=(Contact("emergency_stop", 0),))
    link.gone = True
    for ask in (board.connect, board.read, board.switched):
        with pytest.raises(LinkError):
            await ask()


@given(st.lists(BIT))
def test_runs_touch_all_that_is_wanted_and_nothing_else(wanted: list[tuple[str, int]]) -> None:
    found = runs(wanted)
    touched = [(run.table, run.address + n) for run in found for n in range(run.count)]
    assert touched == sorted(set(wanted))
    for left, right in pairwise(found):
        assert (left.table, left.address + left.count) != (right.table, right.address), "one request less"


def test_a_run_is_no_longer_than_a_reply() -> None:
    assert runs(("coils", n) for n in range(2001)) == (Run("coils", 0, 2000), Run("coils", 2000, 1))


def test_a_profile_becomes_the_drivers_board_and_its_plan() -> None:
    said = {
        "enable": "DIP 1",
        "relays": {"1": {"coil": 0}, "2": {"coil": 1, "sheds_when": "released"}},
        "contacts": {"emergency_stop": {"address": 7, "active_when": "closed"}},
    }
    board = ModbusProfile.model_validate({**BASE, **said}).table()
    assert pickle.loads(pickle.dumps(board)) == board
    assert board == Board(
        "V",
        "M",
        "simulated",
        "DIP 1",
        (Relay("1", 0), Relay("2", 1, off_pulled=False)),
        (Contact("emergency_stop", 7, "discrete", active_open=False),),
    )
    device = Device("board", "own", "modbus", "relay", "rtu:///dev/x?baud=9600", board)
    plan = PLUGIN.plan(device, board)
    assert [p.name for p in plan.points] == ["relay_1_code", "relay_2_code", "emergency_stop_code"]
    assert [line.text for line in plan.lines] == ["unit 1 coils 0..1", "unit 1 discrete 7..7"]
    assert all(20 < line.bus_ms < 40 for line in plan.lines)  # 8 and 6 characters, the silences, the turn
    assert plan.setpoint is None
    assert plan.notes == ("V M: simulated", "before: DIP 1")
