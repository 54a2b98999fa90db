"""Faults: each kind does to the bytes what it says, to the requests it names, as often as it says."""

from random import Random

import pytest
from rig.devices import make
from rig.faults import FAULTS_MAX, KINDS, Fault, Faults, Piece, fault_from, serve
from rig.modbus import Request, RtuFraming, TcpFraming, crc

from tests.rig.raw import mbap, read_pdu, write_pdu

READ = Request(1, read_pdu(40000, 2), 7)
WRITE = Request(1, write_pdu(40715, 5, 6), 7)  # anything: the echo is what matters
GOOD = mbap(7, 1, b"\x03\x04SunS")
HUAWEI_WRITE = Request(1, write_pdu(47247, 0, 2500), 9)


@pytest.fixture
def bank():
    return make("sunspec")


def met(bank, request=READ, framing=None, **options):
    faults = Faults()
    faults.add(fault_from(options))
    return serve(bank, faults, framing or TcpFraming(), request, 0, Random(1))


def test_without_faults_the_answer_is_whole(bank):
    assert serve(bank, Faults(), TcpFraming(), READ, 0, Random(1)) == [Piece(GOOD)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("silence", []),
        ("mute", []),
        ("reset", [Piece(None)]),
        ("busy", [Piece(mbap(7, 1, b"\x83\x06"))]),
        ("refuse", [Piece(mbap(7, 1, b"\x83\x02"))]),
        ("wrong_function", [Piece(mbap(7, 1, b"\x04\x04SunS"))]),
        ("short", [Piece(mbap(7, 1, b"\x03\x02Su"))]),
        ("truncated", [Piece(GOOD[:-3])]),
        ("wrong_unit", [Piece(mbap(7, 0, b"\x03\x04SunS"))]),
        ("wrong_tag", [Piece(mbap(6, 1, b"\x03\x04SunS"))]),
        ("wrong_echo", [Piece(GOOD)]),  # a read has no echo
        ("bad_crc", [Piece(GOOD)]),  # TCP has no checksum
    ],
)
def test_what_a_fault_does_to_a_read(bank, kind, expected):
    assert met(bank, kind=kind) == expected


def test_noise_comes_before_or_after_the_whole_answer(bank):
    (before,) = met(bank, kind="noise_before")
    (after,) = met(bank, kind="noise_after")
    assert before.data[3:] == after.data[:-3] == GOOD
    assert len(before.data) == len(after.data) == len(GOOD) + 3
    assert before.data[:3] == Random(1).randbytes(3)


def test_a_late_answer_is_whole_and_later(bank):
    assert met(bank, kind="late", ms=700) == [Piece(GOOD, 700)]


def test_on_rtu_the_checksum_can_be_wrong_and_otherwise_is_right(bank):
    (bad,) = met(bank, framing=RtuFraming(), kind="bad_crc")
    (short,) = met(bank, framing=RtuFraming(), kind="short")
    assert crc(bad.data[:-2]) != bad.data[-2:]
    assert short.data[:-2] == b"\x01\x03\x02Su" and crc(short.data[:-2]) == short.data[-2:]
    assert met(bank, framing=RtuFraming(), kind="wrong_tag")[0].data[:-2] == b"\x01\x03\x04SunS"


@pytest.mark.parametrize(
    ("kind", "carried_out"),
    [("silence", 0), ("reset", 0), ("busy", 0), ("refuse", 0), ("mute", 1), ("late", 1)],
)
def test_whether_a_write_under_a_fault_was_carried_out(kind, carried_out):
    bank = make("huawei_luna2000")
    met(bank, HUAWEI_WRITE, kind=kind)
    assert bank.plant.witness.writes == carried_out
    assert bank.value("charge_w") == 2500 * carried_out


def test_a_wrong_echo_is_one_bit_off_and_the_write_happened():
    bank = make("huawei_luna2000")
    (piece,) = met(bank, HUAWEI_WRITE, kind="wrong_echo")
    assert piece.data == mbap(9, 1, HUAWEI_WRITE.pdu[:4] + b"\x03")
    assert bank.value("charge_w") == 2500


def test_a_fault_meets_only_what_it_names_and_as_often(bank):
    faults = Faults()
    faults.add(Fault("silence", unit=1, function=3, address=40000, skip=1, times=2))
    other = Request(200, read_pdu(40000, 2), 1)
    answers = [serve(bank, faults, TcpFraming(), r, 0, Random(1)) for r in (READ, other, READ, READ, READ)]
    assert [bool(a) for a in answers] == [True, True, False, False, True]
    assert faults.hits == {"silence": 2}


def test_stuck_values_stand_still_until_cleared(bank):
    power = Request(1, read_pdu(40084, 1), 3)  # W of model 103
    faults = Faults()
    faults.add(fault_from({"kind": "stuck"}))
    first = serve(bank, faults, TcpFraming(), power, 0, Random(1))
    assert serve(bank, faults, TcpFraming(), power, 5_000, Random(1)) == first
    faults.clear("stuck")
    assert serve(bank, faults, TcpFraming(), power, 5_000, Random(1)) != first


def test_clearing_one_kind_leaves_the_others():
    faults = Faults()
    faults.add(Fault("silence"))
    faults.add(Fault("reset"))
    faults.clear("silence")
    assert not faults.is_set("silence") and faults.is_set("reset")
    faults.clear()
    assert not faults.is_set("reset")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "explode"}, "unknown fault 'explode'"),
        ({"kind": "late", "milliseconds": 3}, "unknown fault option 'milliseconds'"),
        ({"kind": "late", "ms": -1}, "fault option ms is a number, 0 or more"),
        ({"kind": "late", "unit": "one"}, "fault option unit is a number"),
        ({"kind": "late", "ms": 10**6}, "within 60000 ms"),
    ],
)
def test_a_bad_fault_is_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message):
        fault_from(options)


def test_the_table_of_faults_is_bounded_and_every_kind_can_be_set():
    for kind in KINDS:
        assert fault_from({"kind": kind}).kind == kind
    faults = Faults()
    for _ in range(FAULTS_MAX):
        faults.add(Fault("silence"))
    with pytest.raises(ValueError, match="at most"):
        faults.add(Fault("silence"))
