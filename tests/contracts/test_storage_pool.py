"""The pool, the prices and the analytics of platform `storage`: who may do what, and what is split how."""

import pytest
from contracts.inprocess import Contract, Reverted
from contracts.scene import INTERVAL, SPECS, Scene

KWH = 10**18
KEY = b"\x01" * 32  # of Scene's gateway
DATA = (1000, 2000, 1290, 129, 9200, 9100, 9875, 12, -150, 2210, 9990, 0)


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.submit(INTERVAL)
    made.verify_installation()
    return made


@pytest.fixture
def pool(scene: Scene) -> Contract:
    made, _ = scene.chain.deploy("CapacityAggregation", scene.admin, scene.verification.address)
    return made


def test_a_member_says_what_is_available_and_no_more_than_it_has(scene: Scene, pool: Contract) -> None:
    with pytest.raises(Reverted, match="NotAllowed"):
        pool.send("joinPool", 1, KWH, sender=scene.stranger)
    pool.send("joinPool", 1, 4 * KWH, sender=scene.owner)
    pool.send("joinPool", 1, 99 * KWH, sender=scene.owner)
    assert pool.call("getMember", 1)[:2] == (1, SPECS[0])
    assert pool.call("memberCount") == 1
    pool.send("leavePool", 1, sender=scene.owner)
    assert pool.call("memberCount") == 0
    with pytest.raises(Reverted, match="NotMember"):
        pool.send("leavePool", 1, sender=scene.owner)


def test_only_verified_storages_join(scene: Scene, pool: Contract) -> None:
    scene.verification.send("registerStorage", scene.owner, SPECS, sender=scene.owner)
    with pytest.raises(Reverted, match="NotVerified"):
        pool.send("joinPool", 2, KWH, sender=scene.owner)


def test_what_is_allocated_is_an_event_for_each_member_and_can_not_be_sold_twice(scene, pool) -> None:
    pool.send("joinPool", 1, 4 * KWH, sender=scene.owner)
    with pytest.raises(Reverted, match="AccessControlUnauthorizedAccount"):
        pool.send("allocateCapacity", KWH, sender=scene.stranger)
    ((name, said),) = pool.events(pool.send("allocateCapacity", 3 * KWH))
    assert (name, said["storageId"]) == ("CapacityAllocated", 1)
    assert (said["capacity"], said["shareBp"]) == (3 * KWH, 3000)
    assert said["notAfter"] - said["notBefore"] == 3600
    with pytest.raises(Reverted, match="NotEnough"):
        pool.send("allocateCapacity", 2 * KWH)
    ((_, again),) = pool.events(pool.send("allocateCapacity", KWH))
    assert (again["capacity"], again["shareBp"]) == (4 * KWH, 4000)
    assert again["commandId"] != said["commandId"]
    scene.chain.travel(again["notAfter"] + 1)
    ((_, later),) = pool.events(pool.send("allocateCapacity", KWH))
    assert later["capacity"] == KWH, "the obligation of before has ended"


def test_what_is_held_is_split_anew(scene: Scene, pool: Contract) -> None:
    pool.send("joinPool", 1, 4 * KWH, sender=scene.owner)
    pool.send("allocateCapacity", 4 * KWH)
    pool.send("joinPool", 1, 5 * KWH, sender=scene.owner)
    ((_, said),) = pool.events(pool.send("redistributeLoad", [1]))
    assert said["capacity"] == 4 * KWH
    with pytest.raises(Reverted, match="NotMember"):
        pool.send("redistributeLoad", [2])


def test_prices_are_published_as_they_were_set(scene: Scene) -> None:
    revenue, _ = scene.chain.deploy("RevenueOptimization", scene.admin, scene.verification.address)
    with pytest.raises(Reverted, match="BadConditions"):
        revenue.send("adjustPricingStrategy", 3)
    for bad in ((0, 900, [1]), (9, 59, [1]), (9, 900, []), (9, 900, [1] * 201)):
        with pytest.raises(Reverted, match="BadConditions"):
            revenue.send("setMarketConditions", 3, bad)
    revenue.send("setMarketConditions", 3, (1_790_000_000, 900, [5, -6]))
    ((_, said),) = revenue.events(revenue.send("adjustPricingStrategy", 3))
    assert said == {"poolId": 3, "start": 1_790_000_000, "step": 900, "prices": (5, -6)}
    assert revenue.call("calculateOptimalBidding", (9, 900, [10, 50, 20, 90])) == (-1, 0, 0, 1)


def test_revenue_is_split_by_contribution_and_nothing_is_lost(scene: Scene) -> None:
    revenue, _ = scene.chain.deploy("RevenueOptimization", scene.admin, scene.verification.address)
    with pytest.raises(Reverted, match="BadShares"):
        revenue.send("distributeRevenue", [1], [], value=10)
    with pytest.raises(Reverted, match="BadShares"):
        revenue.send("distributeRevenue", [9], [1], value=10)
    revenue.send("distributeRevenue", [1, 1], [1, 2], value=100)
    assert revenue.call("credit", scene.owner) == 99
    assert revenue.call("credit", scene.admin) == 1
    before = scene.chain.balance(revenue.address)
    revenue.send("withdraw", sender=scene.owner)
    assert scene.chain.balance(revenue.address) == before - 99
    ((_, said),) = revenue.events(revenue.send("trackPerformanceMetrics", 1))
    assert (said["discharged"], said["soh"]) == (INTERVAL.discharged_wh, INTERVAL.soh_bp)
    assert said["end"] == INTERVAL.end_ms


def test_performance_is_the_gateways_word_and_in_order(scene: Scene) -> None:
    analytics, _ = scene.chain.deploy("PerformanceAnalytics", scene.verification.address)
    with pytest.raises(Reverted, match="NotAllowed"):
        analytics.send("recordPerformanceData", 1, DATA, sender=scene.owner)


def test_maintenance_and_benchmarks_follow_from_what_was_recorded(scene: Scene) -> None:
    analytics, _ = scene.chain.deploy("PerformanceAnalytics", scene.verification.address)
    gateway = scene.chain.adopt(KEY)
    analytics.send("recordPerformanceData", 1, DATA, sender=gateway)
    assert analytics.call("predictMaintenance", 1) == (False, "")
    assert analytics.call("benchmarkEfficiency", [1, 9]) == (9100, 0)
    with pytest.raises(Reverted, match="NotLater"):
        analytics.send("recordPerformanceData", 1, DATA, sender=gateway)
    worn = (2000, 3000, *DATA[2:5], 2**16 - 1, 6900, *DATA[7:])
    analytics.send("recordPerformanceData", 1, worn, sender=gateway)
    assert analytics.call("predictMaintenance", 1) == (True, "state of health")
    assert analytics.call("benchmarkEfficiency", [1]) == (9100,), "the newest that is known"
    assert analytics.call("recorded", 1) == 2
    assert analytics.call("latestOf", 1) == worn
