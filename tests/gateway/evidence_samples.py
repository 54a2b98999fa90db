"""Hypothesis strategies of record bodies, and one plain example of each, shared by the evidence tests."""

from hypothesis import strategies as st

from gateway.evidence.typed import (
    OUTCOMES,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
    Setup,
)
from gateway.model import Cause, ClockTrust, CommandState, Delivery, Interval

DOMAIN = Domain(10, "0x" + "ab" * 20)


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def sint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ROOTS = st.binary(min_size=32, max_size=32)
INTERVALS = st.builds(
    Interval, uint(64), uint(64), uint(32), ROOTS, *[uint(64)] * 6, uint(16), uint(16), *[uint(32)] * 3,
    st.sampled_from(ClockTrust), uint(16),
)  # fmt: skip
CURTAILMENTS = st.lists(
    st.tuples(st.sampled_from(Cause), uint(32)), unique_by=lambda pair: pair[0], max_size=len(Cause)
).map(tuple)
DELIVERIES = st.builds(
    Delivery, ROOTS.map(bytes.hex), uint(64), uint(64), sint(64), sint(64), sint(32), sint(32), sint(32),
    uint(32), uint(32), uint(16), uint(32), CURTAILMENTS, st.sampled_from(sorted(OUTCOMES)), ROOTS, uint(32),
)  # fmt: skip
GAPS = st.builds(Gap, uint(64), uint(64), uint(64), st.sampled_from(GapCause))
SETUPS = st.builds(Setup, uint(64), ROOTS, ROOTS, st.text(min_size=1, max_size=64).filter(str.isprintable))
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
ROTATIONS = st.builds(Rotation, uint(64), ADDRESSES, uint(64), st.binary(min_size=65, max_size=65))
REVOCATIONS = st.builds(Revocation, uint(64), st.sampled_from(RevocationReason))
BODIES = st.one_of(INTERVALS, DELIVERIES, GAPS, SETUPS)  # any of them in any order is a chain
ALL_BODIES = st.one_of(BODIES, ROTATIONS, REVOCATIONS)
DOMAINS = st.builds(Domain, uint(63), st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()))

INTERVAL = Interval(
    1000, 901_000, 2, b"\x11" * 32, 10, 20, 30, 40, 50, 60, 5120, 9900, 7000, 50_000, 230_000,
    ClockTrust.TRUSTED, 8,
)  # fmt: skip
DELIVERY = Delivery(
    "22" * 32,
    1000,
    2000,
    750,
    -745,
    -3000,
    10,
    -2900,
    4000,
    31,
    9995,
    5,
    ((Cause.STOP, 2), (Cause.BMS, 3)),
    CommandState.DONE,
    b"\x33" * 32,
    9,
)
GAP = Gap(1000, 2000, 7, GapCause.RESTORED)
SETUP = Setup(1000, b"\x44" * 32, b"\x55" * 32, "gridseal 0.1.0")
ROTATION = Rotation(1000, "0x" + "66" * 20, 7, b"\x77" * 65)
REVOCATION = Revocation(1000, RevocationReason.COMPROMISED)
