"""What the envelope's tests share: one good order, one moment in figures, and any order and moment at all."""

from dataclasses import replace

from hypothesis import strategies as st

from gateway import admission, envelope
from gateway.admission import Static
from gateway.derate import Share
from gateway.envelope import EVERYTHING, Bms, Memory, Moment, Outcome
from gateway.model import NOTHING, Cause, ClockTrust, Command, Limits, ServiceKind, Source, Stamp
from gateway.site import SiteLimits

SITE = SiteLimits(10_000, 8_000, 17_000, 5_000, 2_000)
NOW = Stamp(1_000_000, 1_790_000_000_000, ClockTrust.TRUSTED)
ID = "ab" * 32
REACH = Limits(0, 3000)
STATIC = Static(SITE, Limits(9_000, 9_000))


def order(**changes: object) -> Command:
    base = Command(
        ID,
        Source.CHAIN,
        ServiceKind.FIXED_POWER,
        NOW.wall_ms,
        NOW.wall_ms + 60_000,
        {"power_w": 3000},
    )
    return replace(base, **changes)


def reason(command: Command, reach: Limits = REACH, static: Static = STATIC, now: Stamp = NOW, **more) -> str:
    verdict = admission.admit(command, reach, static, now, **{"known": False, "recent": 0, **more})
    assert verdict.admitted == (not verdict.reason)
    return verdict.reason


def moment(**changes: object) -> Moment:
    base = Moment(
        now_ms=1_000_000,
        cycle_ms=1000,
        site=SITE,
        nameplate=Limits(9_000, 9_000),
        bms=Bms((200_000,), (200_000,)),
        contract=EVERYTHING,
        voltage_mv=50_000,
        soc_bp=5000,
        temperature_cc=2000,
        temperature_expected=True,
        house_w=0,
        step_w=1,
        quantise=lambda w: w,
    )
    return replace(base, **changes)


FREE = Memory(changed_ms=0, rest_ms=0)


def decide(target_w: int, last_w: int = 0, memory: Memory = FREE, **changes: object) -> Outcome:
    return envelope.limit(target_w, last_w, moment(**changes), memory)[0]


# -- anything at all -----------------------------------------------------------------------------

amps = st.one_of(st.none(), st.integers(-(10**5), 400_000), st.just(2**40))
watts = st.one_of(st.none(), st.integers(-(10**4), 20_000), st.just(2**40))
powers = st.integers(-30_000, 30_000)
limits = st.builds(Limits, st.integers(0, 20_000), st.integers(0, 20_000))
providers = st.builds(
    Bms,
    st.lists(amps, max_size=2).map(tuple),
    st.lists(amps, max_size=2).map(tuple),
    st.lists(watts, max_size=2).map(tuple),
    st.lists(watts, max_size=2).map(tuple),
    st.booleans(),
)
quantisers = st.sampled_from(
    [
        lambda w: w,
        lambda w: int(w / 100) * 100,
        lambda w: w + 7,  # a driver's bug: rounds away from zero
        lambda w: -w,
        lambda w: 0,
    ]
)
shares = st.builds(
    Share,
    st.sampled_from([Cause.TEMPERATURE, Cause.CELL, Cause.STALE_LIMIT]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
moments = st.builds(
    Moment,
    now_ms=st.just(1_000_000),
    cycle_ms=st.integers(100, 5000),
    site=st.builds(
        SiteLimits,
        st.integers(0, 15_000),
        st.integers(0, 15_000),
        st.integers(0, 20_000),
        st.integers(0, 20_000),
        st.integers(0, 5_000),
    ),
    nameplate=st.one_of(st.none(), limits),
    bms=providers,
    contract=limits,
    voltage_mv=st.one_of(st.none(), st.integers(-5, 900_000), st.just(2**32)),
    soc_bp=st.one_of(st.none(), st.integers(-10, 10_010), st.just(65_535)),
    temperature_cc=st.one_of(st.none(), st.integers(-6000, 13_000)),
    temperature_expected=st.booleans(),
    house_w=st.one_of(st.none(), st.integers(-30_000, 30_000)),
    step_w=st.integers(1, 100),
    quantise=quantisers,
    others=st.one_of(st.just(NOTHING), limits),
    derating=st.lists(shares, max_size=2).map(tuple),
)
memories = st.builds(
    Memory,
    st.integers(990_000, 1_000_000),
    st.integers(990_000, 1_000_000),
    st.sampled_from([-1, 0, 1]),
    st.booleans(),
    st.booleans(),
)
# A moment in which nearly everything is known, so that powers really flow in most examples.
calm = st.builds(
    lambda m, soc, house: replace(
        m, nameplate=Limits(9_000, 9_000), bms=Bms((10**6,), (10**6,)), voltage_mv=50_000, soc_bp=soc,
        temperature_cc=2000, house_w=house, derating=(), contract=EVERYTHING, quantise=lambda w: w,
        others=NOTHING,
    ),
    moments,
    st.integers(0, 10_000),
    st.integers(-4000, 9000),
)  # fmt: skip
