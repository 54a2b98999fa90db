"""A relay board of the rig: requests as the standard has them, and a house that is smaller by what is off."""

import pytest
from rig.devices import make
from rig.faults import Fault
from rig.inprocess import InProcessLink
from rig.modbus import Request, answer
from rig.relay_board import RelayBoard

from gateway.errors import DeviceRefused, FrameError, LinkError
from tests.rig.raw import read_pdu, write_pdu
from tests.sim.loop import run


def board():
    return RelayBoard(make("sunspec").plant, (300, 100) + (0,) * 7)


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (read_pdu(0, 8, 1), b"\x01\x01\x02"),
        (read_pdu(1, 1, 1), b"\x01\x01\x01"),
        (read_pdu(0, 9, 1), b"\x01\x02\x02\x00"),
        (read_pdu(0, 8, 2), b"\x02\x01\x80"),
        (read_pdu(0, 0, 1), b"\x81\x03"),
        (read_pdu(0, 2001, 1), b"\x81\x03"),
        (read_pdu(8, 2, 1), b"\x81\x02"),
        (read_pdu(7, 2, 2), b"\x82\x02"),
        (b"\x05\x00\x00\xff\x00", b"\x05\x00\x00\xff\x00"),
        (b"\x05\x00\x00\x55\x00", b"\x85\x03"),
        (b"\x05\x00\x00\xff", b"\x85\x03"),
        (b"\x05\x00\x09\xff\x00", b"\x85\x02"),
        (read_pdu(0, 1), b"\x83\x01"),
        (write_pdu(0, 1), b"\x90\x01"),
    ],
)
def test_requests_are_answered_as_the_standard_has_them(pdu, expected):
    made = board()
    made.coils[1] = made.inputs[7] = True
    assert answer(made, Request(1, pdu), 0) == expected
    assert answer(made, Request(2, pdu), 0)[1:] == b"\x0b"


def test_what_is_off_is_missing_in_the_house_and_no_more_than_that():
    made = board()
    before_w = made.plant.advance(0).load_w
    made.write_coil(1, 0, True, 1)
    made.write_coil(1, 0, True, 2)
    assert made.plant.advance(200).load_w == pytest.approx(before_w - 300, abs=1)
    made.plant.state.shed_w = 10**6
    assert made.plant.advance(400).load_w == 0
    made.write_coil(1, 1, True, 401)
    made.write_coil(1, 0, False, 402)
    assert made.plant.state.shed_w == 100
    assert made.switched == 3


def virtual(test):
    async def main(clock):
        await test(InProcessLink(board(), clock))

    run(main)


def test_the_in_process_link_reads_and_switches_bits():
    async def test(link):
        link.bank.inputs[2] = True
        await link.write_coil(1, 8, True, timeout_s=1)
        assert await link.read_bits(1, "coils", 0, 9, timeout_s=1) == (False,) * 8 + (True,)
        assert await link.read_bits(1, "discrete", 1, 3, timeout_s=1) == (False, True, False)
        await link.write_coil(1, 8, False, timeout_s=1)
        assert link.bank.coils == [False] * 9
        with pytest.raises(DeviceRefused):
            await link.read_bits(1, "coils", 9, 1, timeout_s=1)

    virtual(test)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("silence", LinkError),
        ("busy", DeviceRefused),
        ("wrong_function", FrameError),
        ("truncated", FrameError),
        ("wrong_unit", FrameError),
        ("wrong_echo", FrameError),
    ],
)
def test_faults_become_the_errors_of_a_strict_link(kind, error):
    async def test(link):
        asks = [lambda: link.write_coil(1, 0, True, timeout_s=1)]
        asks += [] if kind == "wrong_echo" else [lambda: link.read_bits(1, "coils", 0, 8, timeout_s=1)]
        for ask in asks:
            link.faults.add(Fault(kind, times=1))
            with pytest.raises(error) as raised:
                await ask()
            assert type(raised.value) is error
        assert len(await link.read_bits(1, "coils", 0, 8, timeout_s=1)) == 8

    virtual(test)
