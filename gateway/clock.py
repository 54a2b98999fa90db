"""Time, and how far the wall clock is trusted. The only importer of `time`.

Order and age always come from the monotonic clock; the calendar is trusted only while the kernel says it
is synchronised. It refuses to guess: an unsynchronised clock is UNTRUSTED, never "probably right".
"""

import ctypes
import time
from typing import Protocol

from gateway.model import ClockTrust, Stamp

STA_UNSYNC = 0x0040  # linux/timex.h
TIME_ERROR = 5


class Clock(Protocol):
    """What everything that needs time is given. Tests pass a virtual one."""

    def mono_ms(self) -> int: ...

    def now(self) -> Stamp: ...


class _Timex(ctypes.Structure):
    # Only `modes` (0: read) and `status` are used; the rest is the kernel's struct timex, padded.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_synchronised() -> bool:
    """Whether a time daemon holds the system clock, by adjtimex(2)."""
    timex = _Timex()
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    return state not in (-1, TIME_ERROR) and not timex.status & STA_UNSYNC


class SystemClock:
    """The machine's clocks. `assume_synchronised` is for hosts that hide the kernel's state (containers)."""

    def __init__(self, *, assume_synchronised: bool = False) -> None:
        self._assume = assume_synchronised
        self._checked_ms = -(10**9)
        self._trusted = False

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def now(self) -> Stamp:
        mono = self.mono_ms()
        if mono - self._checked_ms >= 1000:  # a syscall a second, not one a sample
            self._checked_ms, self._trusted = mono, self._assume or kernel_synchronised()
        trust = ClockTrust.TRUSTED if self._trusted else ClockTrust.UNTRUSTED
        return Stamp(mono, time.time_ns() // 1_000_000, trust)
