"""Tells the kernel that the clock is synchronised, as a time daemon does once it is sure (adjtimex).

For the guest: it has no network, so nobody else will.
"""

import ctypes

STATUS_AND_ERRORS = 0x10 | 0x8 | 0x4  # ADJ_STATUS, ADJ_ESTERROR, ADJ_MAXERROR of linux/timex.h
ERROR_US = 1000


class Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


timex = Timex(modes=STATUS_AND_ERRORS, maxerror=ERROR_US, esterror=ERROR_US, status=0)
if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
    raise SystemExit("adjtimex refused")
