"""With each sealed interval its tally is stored, in the same transaction; which devices speak for a
battery."""

from dataclasses import replace
from pathlib import Path

from gateway.attest import plant
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from gateway.store import performance, retention, samples
from gateway.store.records import RecordState
from gateway.store.retention import Policy
from tests.gateway.test_attest import EVERY_S, in_virtual_time

MINUTE_MS = EVERY_S * 1000


def device(name, role, **more):
    return Device(name, "x", "can", role, "vbus://a", None, **more)


def site(*devices, batteries=()):
    limits = SiteLimits(5000, 6000, 10_000, 10_000, 1000)
    made = Site("s1", limits, devices, StoreSettings(Path("s.db")), AttestSettings(EVERY_S))
    return replace(made, batteries=batteries)


def test_a_sealed_interval_leaves_its_tally(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 780_000)
        bench.clock.step(125_000)
        await bench.attestor.seal_due()
        first, second = await bench.store.call(performance.between, 0, 2**62)
        assert (first.start_ms, first.end_ms) == (600_000, 660_000)
        assert (second.start_ms, second.soc_bp) == (660_000, 5000)
        assert first.discharged_wh == second.discharged_wh == 60
        assert (first.reached_ms, second.reached_ms, second.losses) == (MINUTE_MS, MINUTE_MS, 0)
        assert (first.sound_discharged_wh, second.sound_discharged_wh) == (0, 60), "the first has no before"

    in_virtual_time(tmp_path, scenario)


def test_figures_outlive_their_readings(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        bench.clock.step(125_000)
        await bench.attestor.seal_due()
        await bench.store.call(lambda conn: conn.execute("DELETE FROM sample"))
        assert await bench.store.call(samples.last_seq) == 0
        assert (await bench.store.call(performance.last)).discharged_wh == 60

    in_virtual_time(tmp_path, scenario)


def test_what_is_settled_has_left_its_sums_before_it_can_go(tmp_path, monkeypatch):
    """However short of room: a slice of settled readings lies within intervals whose tallies are kept."""

    def dates(conn):
        return {ms for (ms,) in conn.execute("SELECT wall_ms FROM sample")}

    async def scenario(bench):
        await bench.fill(600_000, 840_000)
        bench.clock.step(125_000)  # two of the four minutes are over
        await bench.attestor.seal_due()
        before = await bench.store.call(dates)
        sweep = await bench.store.call(retention.sweep_slice, Policy(RecordState.SIGNED), 1, 10**12, 0, 10**6)
        gone = before - await bench.store.call(dates)
        tallies = await bench.store.call(performance.between, 0, 2**62)
        assert sweep.unsettled == 0 and len(tallies) == 2
        assert {ms // MINUTE_MS for ms in gone} == {one.start_ms // MINUTE_MS for one in tallies}
        assert all(any(one.start_ms <= ms < one.end_ms for one in tallies) for ms in gone)

    monkeypatch.setattr(retention, "KEEP_ROWS", 5)
    in_virtual_time(tmp_path, scenario)


def test_a_record_that_is_not_stored_leaves_no_tally(tmp_path, monkeypatch):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        bench.clock.step(125_000)

        def broken(conn, found):
            put(conn, found)
            raise RuntimeError("power cut")

        put = performance.put
        monkeypatch.setattr(performance, "put", broken)
        try:
            await bench.attestor.seal_due()
        except RuntimeError:
            monkeypatch.setattr(performance, "put", put)
        assert await bench.entries() == []
        assert await bench.store.call(performance.last) is None
        await bench.attestor.seal_due()
        assert len(await bench.entries()) == len(await bench.store.call(performance.between, 0, 2**62)) == 1

    in_virtual_time(tmp_path, scenario)


def silence(made):
    return {d.name: 5000 for d in made.devices}


def test_an_inverter_of_pv_alone_may_sleep():
    made = site(device("pv", "inverter"), device("hybrid", "inverter"), device("bms", "battery"))
    found = plant(made, silence(made))
    assert found.certain == {"bms"}
    assert found.batteries == (frozenset({"pv", "hybrid", "bms"}),)
    assert found.rest_w == 120


def test_a_single_inverter_speaks_for_its_battery():
    made = site(device("hybrid", "inverter"), device("meter", "meter"))
    found = plant(made, silence(made))
    assert found.certain == {"hybrid"}
    assert set(found.silence_ms) == {"hybrid"}
    made = site(device("a", "inverter"), device("b", "inverter"))
    assert plant(made, silence(made)).certain == frozenset(), "which one has it, its readings tell"


def test_of_several_batteries_every_part_speaks():
    groups = (frozenset({"a", "bms_a"}), frozenset({"b", "bms_b"}))
    names = (("a", "inverter"), ("b", "inverter"), ("bms_a", "battery"), ("bms_b", "battery"), ("m", "meter"))
    made = site(*(device(*name) for name in names), batteries=groups)
    found = plant(made, silence(made))
    assert found.certain == {"a", "b", "bms_a", "bms_b"}
    assert found.batteries == groups
