"""The pushed driver in virtual time, with a battery on the in-process bus: sets, ages, keep-alive, loss."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.can import PLUGIN
from drivers.can.heard import LIMITS
from drivers.can.vbus import bus
from gateway.driver import Actuator, CanFrame
from gateway.errors import LinkError
from tests.drivers.can_bench import SETS, frame, frames, read_on, site, values
from tests.sim.loop import run


@pytest.mark.parametrize("recorded", SETS, ids=lambda s: s["name"])
def test_a_recorded_battery_end_to_end(recorded):
    async def main(clock):
        burst = [frame(id, text) for id, text in recorded["frames"].items()]
        async with site(clock, burst) as (_, driver):
            identity = await driver.connect()
            sample = await driver.read()
            assert identity == {"vendor": "Pylontech", **recorded["texts"]}
            good = {n: v for n, (v, q) in values(sample).items() if q == "GOOD"}
            assert good == recorded["good"]
            assert {q for n, (_, q) in values(sample).items() if n not in good} == {"ABSENT"}
            assert sample.points is driver.points
            assert sample.stamp.mono_ms == clock.mono_ms()
        assert driver.pushed and not isinstance(driver, Actuator)

    run(main)


@pytest.mark.parametrize("poll_ms", [200, 1000, 60_000])
def test_one_sample_a_cycle_each_of_one_burst(poll_ms):
    async def main(clock):
        async with site(clock, frames("version 1.3"), poll_ms=poll_ms) as (_, driver):
            await driver.connect()
            await driver.read()
            stamps = [(await driver.read()).stamp.mono_ms for _ in range(20)]
            return [b - a for a, b in pairwise(stamps)]

    gaps = run(main)
    if poll_ms == 200:  # asked for more often than the battery speaks: what there is, at the pace
        assert min(gaps) >= 150 and max(gaps) <= 250
    else:
        assert set(gaps) == {1000}


@given(st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=20))
@settings(max_examples=20)
def test_jitter_makes_no_extra_and_no_torn_samples(jitter):
    """Voltage counts up with each burst, and so does SoC: a sample never mixes two bursts."""

    async def main(clock):
        rest = iter(jitter * 10)
        async with site(clock, [], late=lambda: next(rest, 0.0)) as (battery, driver):
            count = 0

            def late():
                nonlocal count
                count += 1
                battery.burst = [
                    frame(0x351, "1002C012C012C201"),
                    frame(0x355, f"{count % 100:02x}006400"),
                    CanFrame(0x356, (5000 + count % 100).to_bytes(2, "little") + bytes(4)),
                ]
                return next(rest, 0.0)

            battery.late, battery.burst = late, [frame(0x351, "1002C012C012"), frame(0x355, "00006400"),
                                                 frame(0x356, "881300000000")]  # fmt: skip
            await driver.connect()
            began, samples, last_soc = clock.mono_ms(), 0, None
            while samples < 20:
                now = values(await driver.read())
                samples += 1
                assert now["battery_soc_bp"] != last_soc, "a sample without a new burst"
                last_soc = now["battery_soc_bp"]
                assert (now["battery_voltage_mv"][0] - 50_000) // 10 == now["battery_soc_bp"][0] // 100
            return clock.mono_ms() - began

    assert 15_000 <= run(main) <= 25_000


@pytest.mark.parametrize("gap_s", [0.02, 0.1, 0.18])
def test_a_battery_that_spreads_its_frames_over_the_second_gives_whole_sets(gap_s):
    """Connecting may end in the middle of a burst: two samples later that is mended."""

    async def main(clock):
        count = 0

        def next_burst():
            nonlocal count
            count += 1
            voltage = CanFrame(0x356, (5000 + count).to_bytes(2, "little") + bytes(4))
            soc = frame(0x355, f"{count:02x}006400")
            battery.burst = [frame(0x359, "00000000014E50"), frame(0x351, "1002C012C012"), soc, voltage]
            return 0.0

        burst = [frame(0x351, "1002C012C012"), frame(0x355, "00006400"), frame(0x356, "881300000000")]
        async with site(clock, burst, gap_s=gap_s, late=next_burst) as (battery, driver):
            await driver.connect()
            for _ in range(2):
                await driver.read()
            for _ in range(20):
                now = values(await driver.read())
                assert (now["battery_voltage_mv"][0] - 50_000) // 10 == now["battery_soc_bp"][0] // 100

    run(main)


def test_a_battery_that_sends_its_anchors_one_a_second_is_still_found():
    async def main(clock):
        burst = [frame(0x351, "1002C012C012"), frame(0x355, "2A006400"), frame(0x356, "881300000000")]
        async with site(clock, burst, gap_s=1.0, every_s=3.0) as (_, driver):
            await driver.connect()
            stamps = [(await driver.read()).stamp.mono_ms for _ in range(10)]
            assert max(b - a for a, b in pairwise(stamps)) <= 1250

    run(main)


def test_what_follows_the_anchors_belongs_to_the_same_sample():
    async def main(clock):
        burst = frames("version 1.2")
        async with site(clock, burst) as (battery, driver):
            await driver.connect()
            await driver.read()
            battery.burst = [f if f.id != 0x35C else frame(0x35C, "0000") for f in burst]
            sample = values(await driver.read())
            assert sample["battery_requests_flags"] == (0, "GOOD")
            assert sample["charge_limit_ma"] == sample["discharge_limit_ma"] == (0, "GOOD")

    run(main)


def test_enable_bits_are_known_before_the_first_sample():
    """0x35C half a cycle after the anchors: connect waits for one whole cycle."""

    async def main(clock):
        link = PLUGIN.open_link("vbus://bench", clock)
        burst = [f for f in frames("version 1.2") if f.id != 0x35C]
        async with site(clock, burst) as (_, driver), asyncio.TaskGroup() as group:

            async def forbid():
                while True:
                    await asyncio.sleep(0.9)
                    await link.send(frame(0x35C, "0000"))
                    await asyncio.sleep(0.1)

            task = group.create_task(forbid())
            await driver.connect()
            assert values(await driver.read())["charge_limit_ma"] == (0, "GOOD")
            task.cancel()

    run(main)


def test_silence_turns_stale_limit_by_limit_then_is_a_link_error():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            await driver.connect()
            battery.on = False
            samples, error = await read_on(driver)
            assert error == "bms: nothing heard for 10 s"
            stale_ms = {}
            for sample in samples:
                for name, (value, quality) in values(sample).items():
                    if quality == "STALE":
                        stale_ms.setdefault(name, sample.stamp.mono_ms - battery.sent_ms)
                        assert value == 0 or name not in LIMITS
            # Frames of a burst are 3 ms apart, the time is counted from the last.
            assert 2980 <= stale_ms["charge_limit_ma"] <= 3000
            assert 4980 <= stale_ms["battery_soc_bp"] <= stale_ms["battery_power_w"] <= 5000
            assert "battery_available_mah" not in stale_ms  # 60 s
            assert 10_000 <= clock.mono_ms() - battery.sent_ms <= 11_250

    run(main)


def test_a_value_goes_stale_exactly_when_its_limit_passes():
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            await driver.connect()
            at = {}
            ear = PLUGIN.open_link("vbus://bench", clock).listen(frozenset({0x351}))
            await anext(ear)
            battery.burst = [f for f in battery.burst if f.id != 0x351]
            while "stale" not in at:
                sample = await driver.read()
                if values(sample)["charge_limit_ma"][1] == "STALE":
                    at["stale"] = sample.stamp.mono_ms
            assert at["stale"] - ear.at_ms == 3000
            assert values(sample)["battery_soc_bp"] == (8400, "GOOD")

    run(main)


def test_missing_anchors_are_named():
    async def main(clock):
        burst = [f for f in frames("BYD") if f.id != 0x356]
        async with site(clock, burst) as (_, driver):
            with pytest.raises(LinkError, match=r"bms: no 0x356 on vbus://bench in 5 s .* protocol setting"):
                await driver.connect()
            assert clock.mono_ms() == 5000
            with pytest.raises(LinkError, match="not connected"):
                await driver.read()

    run(main)


def test_a_dead_bus_says_what_to_check():
    async def main(clock):
        async with site(clock, []) as (_, driver):
            with pytest.raises(
                LinkError, match=r"no 0x351, 0x355, 0x356 .*\(0 frames seen, 0 dropped\); check bit"
            ):
                await driver.connect()

    run(main)


def test_what_was_seen_is_counted_from_the_attempt_on():
    async def main(clock):
        async with site(clock, [*frames("version 1.3"), CanFrame(0x355, b"")]) as (battery, driver):
            await driver.connect()
            for _ in range(5):
                await driver.read()
            battery.on = False
            await asyncio.sleep(1)
            driver._link.counters.errors += 1  # of yesterday
            asyncio.get_running_loop().call_later(1, lambda: setattr(driver._link.counters, "errors", 3))
            with pytest.raises(LinkError, match=r"\(0 frames seen, 0 dropped, 2 errors\); check bit rate"):
                await driver.connect()

    run(main)


def test_wrong_frames_are_dropped_and_counted():
    async def main(clock):
        bad = [CanFrame(0x351, b"\xff" * 7), CanFrame(0x355, b"\xff" * 8, True), CanFrame(0x356, b"")]
        async with site(clock, bad + frames("version 1.3") + bad) as (_, driver):
            await driver.connect()
            sample = values(await driver.read())
            assert sample["charge_limit_ma"] == (480_000, "GOOD")
            assert driver.dropped >= 6

    run(main)


def test_a_late_reader_does_not_take_old_frames_for_new_ones():
    """The gateway was busy for 5 s: what arrived before counts from its arrival."""

    async def main(clock):
        async with site(clock, frames("version 1.3")) as (battery, driver):
            await driver.connect()
            await driver.read()
            await asyncio.sleep(1)
            battery.on = False
            await asyncio.sleep(4)
            assert driver._listener.pending
            now = values(await driver.read())
            assert now["charge_limit_ma"] == (0, "STALE")
            battery.on = True
            await asyncio.sleep(4)
            assert values(await driver.read())["charge_limit_ma"] == (480_000, "GOOD")

    run(main)


def test_a_lost_bus_is_a_link_error_and_connect_starts_afresh():
    async def main(clock):
        async with site(clock, frames("version 1.2")) as (battery, driver):
            await driver.connect()
            await driver.read()
            battery.on = False  # it would fail to send
            bus("bench").unplug()
            assert await read_on(driver) == ([], "virtual bus bench is unplugged")
            with pytest.raises(LinkError, match="unplugged"):
                await driver.connect()
            bus("bench").plug()
            battery.burst, battery.on = frames("version 1.3"), True
            await driver.connect()
            now = values(await driver.read())
            assert now["battery_soc_bp"] == (8400, "GOOD")
            assert now["battery_requests_flags"] == (0, "ABSENT")  # nothing of the former battery is left

    run(main)


def test_a_link_that_never_opens_is_a_link_error():
    async def main(clock):
        async with site(clock, []) as (_, driver):

            async def hang():
                await asyncio.sleep(3600)

            driver._link._open = hang
            with pytest.raises(LinkError, match="did not open within 3 s"):
                await driver.connect()
            assert clock.mono_ms() == 3000

    run(main)


def test_reading_before_connecting_is_refused():
    async def main(clock):
        async with site(clock, []) as (_, driver):
            with pytest.raises(LinkError, match="not connected"):
                await driver.read()

    run(main)


@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.binary(max_size=8), st.floats(0, 2)), max_size=40))
@settings(max_examples=25)
def test_any_traffic_gives_samples_at_the_pace_and_no_limit_that_is_not_good(traffic):
    async def main(clock):
        async with site(clock, frames("version 1.3")) as (_, driver):
            noise = PLUGIN.open_link("vbus://bench", clock)

            async def babble():
                for id, data, pause in traffic:
                    await noise.send(CanFrame(id, data))
                    await asyncio.sleep(pause)

            await driver.connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(babble())
                last = clock.mono_ms()
                for _ in range(10):
                    sample = await driver.read()
                    assert sample.stamp.mono_ms - last <= 1250
                    last = sample.stamp.mono_ms
                    for name, (value, quality) in values(sample).items():
                        assert quality == "GOOD" or name not in LIMITS or value == 0

    run(main)
