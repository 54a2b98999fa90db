"""Platform `storage`: allocations and prices as they come, capacity and figures as they go out."""

from dataclasses import replace

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics import period
from gateway.analytics.tally import Tally
from gateway.chain.platforms import platform
from gateway.chain.platforms.artifacts import artifact
from gateway.chain.platforms.calls import Facts, Order, Signal, Unusable
from gateway.chain.shapes import Log
from gateway.model import Limits, ServiceKind
from tests.gateway.platform_samples import BLOCK, DELIVERY, INTERVAL, SETTINGS, arguments, made

POOL, REVENUE, ANALYTICS = ("0x" + pair * 20 for pair in ("c1", "c2", "c3"))
MORE = {"aggregation": POOL, "revenue": REVENUE, "analytics": ANALYTICS}
FIGURES = period.figures(
    Tally(
        INTERVAL.start_ms, INTERVAL.end_ms, charged_wh=1250, discharged_wh=40, rated_wh=10_000, soh_bp=9875,
        spread_mv=12, temperature_min_cc=-150, temperature_max_cc=2210, available_ms=900_000, faults=2,
    )
)  # fmt: skip
FACTS = Facts(BLOCK.timestamp_s * 1000, Limits(5000, 5000), capacity_wh=10_000, available_wh=7_400)


@pytest.fixture
def adapter():
    return platform(replace(SETTINGS, contracts=SETTINGS.contracts | MORE, pool=3))


def log(adapter, contract, name, topics, data):
    words = tuple(bytes.fromhex(t[2:]) for t in adapter.topics)
    order, stop, allocated, priced = words
    first = {"allocated": allocated, "priced": priced, "order": order, "stop": stop}[name]
    return Log(contract, (first, *topics), data, BLOCK.hash, "0x" + "dd" * 32, 2)


def allocation(adapter, share_bp=2500, begin=100, end=3700, storage=7, data=None):
    data = (
        encode(("uint256", "uint16", "uint64", "uint64"), (10**18, share_bp, begin, end))
        if data is None
        else data
    )
    return log(adapter, POOL, "allocated", (b"\xcc" * 32, storage.to_bytes(32)), data)


def signal(adapter, prices=(5, -6), start=1_790_000_000, step=900, pool=3, data=None):
    data = encode(("uint64", "uint32", "int32[]"), (start, step, prices)) if data is None else data
    return log(adapter, REVENUE, "priced", (pool.to_bytes(32),), data)


def test_an_allocation_holds_a_share_of_the_battery_back(adapter):
    found = adapter.read_event(allocation(adapter), BLOCK)
    assert isinstance(found, Order)
    command = found.command
    assert (command.id, command.kind, dict(command.parameters)) == (
        "cc" * 32,
        ServiceKind.RESERVE,
        {"soc_bp": 2500},
    )
    assert (command.not_before_ms, command.not_after_ms, command.shared) == (100_000, 3_700_000, True)
    assert found.reference == "", "nothing is settled for it"
    assert adapter.read_event(allocation(adapter, storage=8), BLOCK) is None


@pytest.mark.parametrize(
    "change", [{"share_bp": 10_001}, {"end": 2**41}, {"data": b"\x01"}, {"data": b"\xff" * 128}]
)
def test_an_allocation_that_makes_no_sense_is_refused(adapter, change):
    found = adapter.read_event(allocation(adapter, **change), BLOCK)
    assert isinstance(found, Unusable) and POOL in found.reason


def test_prices_are_those_of_the_sites_own_pool(adapter):
    assert adapter.read_event(signal(adapter), BLOCK) == Signal(
        1_790_000_000_000, 900_000, (5, -6), f"prices of {REVENUE}"
    )
    assert adapter.read_event(signal(adapter, pool=4), BLOCK) is None
    assert adapter.read_event(signal(adapter, pool=7), BLOCK) is None, "a storage's id is no pool's"


@pytest.mark.parametrize(
    "change",
    [{"prices": ()}, {"prices": (1,) * 201}, {"step": 59}, {"step": 86_401}, {"start": 0}, {"start": 2**41},
     {"data": b""}, {"data": bytes(2**20)}],
)  # fmt: skip
def test_prices_that_make_no_sense_are_refused(adapter, change):
    found = adapter.read_event(signal(adapter, **change), BLOCK)
    assert isinstance(found, Unusable) and len(found.reason) < 200


@given(st.binary(max_size=400), st.sampled_from((POOL, REVENUE)))
def test_any_data_is_something_or_refused(data, contract):
    adapter = platform(replace(SETTINGS, contracts=SETTINGS.contracts | MORE, pool=3))
    made_log = allocation(adapter, data=data) if contract == POOL else signal(adapter, data=data)
    assert isinstance(adapter.read_event(made_log, BLOCK), Order | Signal | Unusable)


def test_the_capacity_as_measured_and_what_is_available_are_told_in_steps(adapter):
    day = replace(FIGURES, capacity_wh=9_273)
    capacity, pool = adapter.reports(replace(FACTS, day=day))
    assert (capacity.subject, capacity.value) == ("capacity", "9200")
    assert arguments(capacity.call, "StorageVerification", "updateCapacity") == (7, 9200 * 10**15)
    assert (pool.subject, pool.value) == ("pool", "7000")
    assert arguments(pool.call, "CapacityAggregation", "joinPool") == (7, 7 * 10**18)
    assert pool.call.contract == POOL
    assert adapter.reports(replace(FACTS, available_wh=7_499))[0].value == "7000"


def test_what_is_not_known_or_not_wanted_is_not_told(adapter):
    assert adapter.reports(replace(FACTS, available_wh=None)) == []
    assert platform(SETTINGS).reports(FACTS) == [], "no pool"
    leaving = platform(replace(SETTINGS, contracts=SETTINGS.contracts | MORE, leave=True))
    (left,) = leaving.reports(FACTS)
    assert (left.value, arguments(left.call, "CapacityAggregation", "leavePool")) == ("left", (7,))


def performance(adapter, figures=FIGURES):
    ((name, call),) = adapter.follow_ups(made(INTERVAL), "", figures)
    assert name == "performance/5"
    item = next(
        f for f in artifact("PerformanceAnalytics")["abi"] if f.get("name") == "recordPerformanceData"
    )
    inner = ",".join(part["type"] for part in item["inputs"][1]["components"])
    names = [part["name"] for part in item["inputs"][1]["components"]]
    number, data = decode(("uint256", f"({inner})"), call.data[4:])
    return number, dict(zip(names, data, strict=True))


def test_the_figures_of_an_interval_follow_its_record(adapter):
    number, data = performance(adapter)
    assert number == 7
    assert (data["start"], data["end"]) == (INTERVAL.start_ms, INTERVAL.end_ms)
    assert (data["throughput"], data["soh"], data["imbalance"], data["faults"]) == (1290, 9875, 12, 2)
    assert (data["temperatureMin"], data["temperatureMax"]) == (-150, 2210)
    assert data["availability"] == 10_000
    assert (data["efficiency"], data["capacity"]) == (2**16 - 1, 0), "not known"


def test_figures_beyond_their_fields_stand_at_the_ends(adapter):
    wild = replace(
        FIGURES, soh_bp=99_999, temperature_min_cc=-99_999, temperature_max_cc=99_999, faults=99_999,
        imbalance_mv=None, charged_wh=2**40, efficiency_bp=-3,
    )  # fmt: skip
    _, data = performance(adapter, wild)
    assert (data["soh"], data["temperatureMin"], data["temperatureMax"]) == (10_000, -(2**15) + 1, 2**15 - 1)
    assert (data["faults"], data["imbalance"], data["throughput"]) == (2**16 - 1, 2**16 - 1, 2**32 - 1)
    assert data["efficiency"] == 0


def test_without_figures_or_the_contract_nothing_follows_an_interval(adapter):
    assert adapter.follow_ups(made(INTERVAL), "", None) == ()
    assert platform(SETTINGS).follow_ups(made(INTERVAL), "", FIGURES) == ()
    assert len(adapter.follow_ups(made(DELIVERY), "services/3", FIGURES)) == 2
