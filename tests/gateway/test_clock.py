"""The machine's clocks: monotonic order, a calendar with its trust, one question a second to the kernel."""

import ctypes
import time

import pytest

from gateway import clock
from gateway.clock import STA_UNSYNC, TIME_ERROR, SystemClock, kernel_synchronised
from gateway.model import ClockTrust


class Kernel:
    """Stands for libc: adjtimex answers `state` and `status`, -1 as a kernel that forbids the call."""

    def __init__(self, state=0, status=0):
        self.state, self.status, self.asked = state, status, []

    def adjtimex(self, pointer):
        self.asked.append(pointer._obj.modes)
        pointer._obj.status = self.status
        return self.state


@pytest.fixture
def kernel(monkeypatch):
    found = Kernel()
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: found)
    return found


@pytest.fixture
def ticks(monkeypatch):
    """Both clocks of the machine, set by hand, in ns."""
    found = {"mono": 5_000_000_000, "wall": 1_790_000_000_123_456_789}
    monkeypatch.setattr(time, "monotonic_ns", lambda: found["mono"])
    monkeypatch.setattr(time, "time_ns", lambda: found["wall"])
    return found


@pytest.mark.parametrize(
    ("state", "status", "synchronised"),
    [
        (0, 0, True),
        (0, 0x2001, True),  # PLL, nanoseconds: as chrony and timesyncd leave it
        (1, 0, True),  # a leap second is announced: still synchronised
        (0, STA_UNSYNC, False),
        (0, 0x2000 | STA_UNSYNC, False),
        (TIME_ERROR, 0, False),
        (-1, 0, False),
    ],
)
def test_the_kernel_is_asked_and_never_set(kernel, state, status, synchronised):
    kernel.state, kernel.status = state, status
    assert kernel_synchronised() is synchronised
    assert kernel.asked == [0]


def test_the_kernel_of_this_machine_answers_within_its_structure():
    """The true call: a structure too short for the kernel would damage the process; it is asked again
    with a guard behind it."""

    class Guarded(ctypes.Structure):
        _fields_ = (("timex", clock._Timex), ("guard", ctypes.c_char * 64))

    memory = Guarded(guard=b"\xa5" * 63)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(memory))
    assert -1 <= state <= TIME_ERROR
    assert memory.guard == b"\xa5" * 63
    assert kernel_synchronised() in (True, False)


def test_a_stamp_has_both_clocks_in_ms(kernel, ticks):
    stamp = SystemClock().now()
    assert (stamp.mono_ms, stamp.wall_ms, stamp.trust) == (5000, 1_790_000_000_123, ClockTrust.TRUSTED)


def test_order_does_not_follow_a_step_of_the_calendar(kernel, ticks):
    system = SystemClock()
    before = system.now()
    ticks["mono"] += 7_000_000
    ticks["wall"] -= 3_600_000_000_000
    after = system.now()
    assert after.mono_ms - before.mono_ms == 7
    assert after.wall_ms == before.wall_ms - 3_600_000


def test_the_first_stamp_after_a_boot_asks_too(kernel, ticks):
    ticks["mono"], kernel.status = 1_000_000, STA_UNSYNC
    assert SystemClock().now().trust is ClockTrust.UNTRUSTED
    assert len(kernel.asked) == 1


def test_trust_is_asked_once_a_second_and_follows_both_ways(kernel, ticks):
    system, seen = SystemClock(), []
    for status in (STA_UNSYNC, 0, 0, STA_UNSYNC, STA_UNSYNC):
        kernel.status = status
        seen.append(system.now().trust)
        ticks["mono"] += 500_000_000
    untrusted, trusted = ClockTrust.UNTRUSTED, ClockTrust.TRUSTED
    assert seen == [untrusted, untrusted, trusted, trusted, untrusted]
    assert len(kernel.asked) == 3


def test_where_the_kernel_is_hidden_the_host_may_vouch(kernel, ticks):
    kernel.state = -1
    assert SystemClock(assume_synchronised=True).now().trust is ClockTrust.TRUSTED
    assert kernel.asked == []


def test_the_true_clock_never_goes_back():
    system = SystemClock()
    seen = [system.mono_ms() for _ in range(100)]
    assert seen == sorted(seen)
    assert all(type(ms) is int for ms in seen)
