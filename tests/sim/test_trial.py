"""Commissioning by the real daemon on the rig, in virtual time: what is certified, how else it may end."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rig import sunspec_bank, victron_gx
from rig.series import Series

from gateway.cli.commission import watched
from gateway.errors import LinkError, ServiceRefused, StoreError
from gateway.evidence import certificate
from tests.sim.loop import run
from tests.sim.rigged import SUNSPEC, Rigged
from tests.sim.sites import SITES as SEEDED

PROFILES = Path(__file__).parents[2] / "drivers/profiles"
HYBRID = '  inverter: {{{{profile: {}, link: "tcp://rig:502", unit: {}, poll: {{poll}}}}}}'
METER = '\n  meter: {{profile: sunspec_meter, link: "tcp://meter:502", unit: 200, poll: {poll}}}'
SITES = {
    "sunspec": SUNSPEC,
    "sunspec_124": SUNSPEC,
    "sunspec_hybrid": SUNSPEC,
    "victron_gx": HYBRID.format("victron_gx", 227),
    "huawei_luna2000": HYBRID.format("huawei_luna2000", 1),
    "solaredge_storedge": HYBRID.format("solaredge_storedge", 1) + METER,
    "sma_sunny_island": HYBRID.format("sma_sunny_island", 3) + METER,
}
TIMERS = {"victron_gx": 60, "huawei_luna2000": 120}  # those of the others are 60 s too, or left out


def site(clock: Any, folder: Path, device: str = "sunspec", start_minute: int = 60) -> Rigged:
    return Rigged(
        clock, folder, device=device, devices=SITES[device], limit="2 kW", start_minute=start_minute,
        every="1 h", step_ms=100,
    )  # fmt: skip


def own_profile(rigged: Rigged, name: str, old: str, new: str) -> None:
    """A technician's copy beside site.yaml, with one line another."""
    text = (PROFILES / f"{name}.yaml").read_text()
    assert old in text
    (rigged.folder / f"{name}.yaml").write_text(text.replace(old, new))


async def commission(rigged: Rigged, show: Callable[[Any], None] = lambda _: None, **request: Any) -> Any:
    """As the verb does it, once the site is fit for it."""

    async def asked(more: dict[str, Any]) -> dict[str, Any]:
        return await rigged.ask("commission", **(request | more))

    for _ in range(60):
        await asyncio.sleep(1)
        try:
            await asked({"step": "plan"})
            break
        except ServiceRefused as error:
            reason = str(error)
    else:
        raise AssertionError(reason)
    return await watched(asked, show)


def certificates(rigged: Rigged) -> list[Any]:
    rows = rigged.rows("SELECT body, digest, signature FROM certificate ORDER BY id")
    assert all(certificate.check(*row) == [] for row in rows)
    return [json.loads(body) for body, _, _ in rows]


async def at_rest(rigged: Rigged) -> dict[str, Any]:
    """Nothing runs, the device is its own, nothing was ever written that it must not be."""
    await asyncio.sleep(10)
    said = (await rigged.ask("status"))["control"]
    assert said["command"] is None
    rigged.plant.advance(rigged.clock.mono_ms())
    seen = rigged.plant.report()
    assert seen["order"] in ("self", "grid") or seen["order_power_w"] == 0, seen
    assert seen["writes_outside_envelope"] == 0
    return said


@pytest.mark.parametrize("device", SITES)
def test_each_kind_of_device_is_commissioned(device, tmp_path):
    patience = {"solaredge_storedge": 0, "victron_gx": 90}.get(device, -1)

    async def scenario(clock):
        rigged = site(clock, tmp_path, device)
        async with rigged.running():
            result = await commission(rigged, patience_s=patience)
            assert result["state"] == "passed", result
            assert (await at_rest(rigged))["fault"] == ""
            assert (await rigged.ask("status"))["commissioned"] == {"inverter": "2026-09-22"}
        (said,) = certificates(rigged)
        gains = {part["device"]: (part["battery_bp"], part["grid_bp"]) for part in said["parts"]}
        assert next(iter(gains)) == "inverter" and "bms" in gains
        assert all(abs(b - 10_000) < 500 for b, _ in gains.values() if b), gains
        assert all(abs(g + 10_000) < 500 for _, g in gains.values() if g), gains
        timer_s = TIMERS.get(device, 60)
        if patience == 0:
            assert (said["timer"], said["obeyed_ms"]) == (3, 0)
        else:
            assert said["timer"] == 1
            assert timer_s * 1000 - 2000 < said["obeyed_ms"] < timer_s * 1000 + 200  # a reading is a step old
            assert timer_s * 1000 < said["reverted_ms"] < timer_s * 1000 + 3000

    run(scenario)


def ended_with(tmp_path, words, device="sunspec", change=lambda _: None, start_minute=60, **request):
    """A test that must end without a certificate, in these words."""

    async def scenario(clock):
        rigged = site(clock, tmp_path, device, start_minute)
        change(rigged)
        async with rigged.running():
            result = await commission(rigged, **request)
            assert result["state"] == "failed", result
            assert words in result["reason"], result["reason"]
            said = await at_rest(rigged)
            assert (await rigged.ask("status"))["commissioned"] == {"inverter": ""}
        assert certificates(rigged) == []
        return said

    return run(scenario)


def test_a_meter_that_counts_the_other_way_is_found(tmp_path):
    def turned(rigged):
        own_profile(rigged, "sunspec_meter", "proof: recorded", "proof: recorded\nmeter_positive: export")

    ended_with(tmp_path, "meter (grid power) counts the other way: the meter is turned round", change=turned)


def test_a_battery_that_is_told_the_wrong_way_ends_as_a_latched_fault(tmp_path):
    """Its measurement is best and says the opposite of each order: control's own guard sees that first."""

    def turned(rigged):
        own_profile(
            rigged, "huawei_luna2000", "battery_power_w: {address: 37765, type: s32, negate: true",
            "battery_power_w: {address: 37765, type: s32",
        )  # fmt: skip
        path = rigged.folder / "site.yaml"
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "  bms:" not in line))

    said = ended_with(tmp_path, "the sign is wrong", "huawei_luna2000", turned, power_w=1500)
    assert "the sign is wrong" in said["fault"]


def test_an_inverter_that_counts_its_battery_the_other_way_is_found_beside_a_bms(tmp_path):
    def turned(rigged):
        own_profile(
            rigged, "huawei_luna2000", "battery_power_w: {address: 37765, type: s32, negate: true",
            "battery_power_w: {address: 37765, type: s32",
        )  # fmt: skip

    words = "inverter (battery power) counts the other way: its sign is turned round"
    assert ended_with(tmp_path, words, "huawei_luna2000", turned)["fault"] == ""


def test_a_house_that_moves_more_than_the_battery_is_no_proof(tmp_path):
    def restless(rigged):
        random = Random(3)
        loads = Series(7, tuple(random.randrange(8000) for _ in range(500)))
        rigged.plant.world = replace(rigged.plant.world, load_w=loads)

    ended_with(tmp_path, "try when the house is quieter, or with more --power", change=restless)


def test_a_noisy_house_is_outvoted(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        random = Random(4)
        loads = Series(1, tuple(400 + random.randrange(300) for _ in range(500)))
        rigged.plant.world = replace(rigged.plant.world, load_w=loads)
        async with rigged.running():
            result = await commission(rigged, patience_s=0)
            assert result["state"] == "passed", result
        (said,) = certificates(rigged)
        assert said["noise_w"] > 0 and said["confidence_bp"] >= 9900

    run(scenario)


@pytest.mark.parametrize(("watchdog_s", "timer"), [(12, 1), (10**6, 2)])
def test_a_timer_that_is_slower_than_claimed_or_not_there(watchdog_s, timer, tmp_path, monkeypatch):
    """The profile claims 10 s. What was measured is what control uses from then on."""
    monkeypatch.setattr(victron_gx, "WATCHDOG_S", watchdog_s)

    async def scenario(clock):
        rigged = site(clock, tmp_path, "victron_gx")
        daemon = rigged.daemon()
        async with rigged.running(daemon):
            result = await commission(rigged)
            assert result["state"] == "passed", result
            await at_rest(rigged)
            await rigged.order(1500, 60)
            await asyncio.sleep(20)
            hold = daemon.devices["inverter"].hand.hold
            assert hold.power_w == 1500
            assert (hold.timer_s, hold.ends_s) == ((10, 13) if timer == 1 else (10, 0))
        (said,) = certificates(rigged)
        assert said["timer"] == timer
        assert ("has no timer" in result["lines"][-1]) is (timer == 2)

    run(scenario)


def test_a_device_whose_commands_latch_has_no_timer_to_measure(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path, "victron_gx")
        text = (PROFILES / "victron_gx.yaml").read_text()
        for old, new in (
            ("class: watchdog", "class: latching"),
            ("  timeout_s: 10\n", ""),
            ("  refresh_s: 3\n", ""),
        ):
            assert old in text
            text = text.replace(old, new)
        (rigged.folder / "victron_gx.yaml").write_text(text)
        async with rigged.running():
            result = await commission(rigged)
            assert result["state"] == "passed", result
            await at_rest(rigged)
            plan = await rigged.ask("commission", step="plan")
            assert (plan["patience_s"], plan["why"].split(":")[0]) == (0, "its commands latch")
        (said,) = certificates(rigged)
        assert (said["timer"], said["obeyed_ms"], said["reverted_ms"]) == (0, 0, 0)

    run(scenario)


@pytest.mark.parametrize("moment", ["discharges", "left alone"])
def test_a_technician_who_goes_takes_the_test_with_him(moment, tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        reached = asyncio.Event()
        word = {"discharges": "discharges", "left alone": "leaves inverter alone"}[moment]

        def show(progress):
            if word in progress["step"]:
                reached.set()

        async with rigged.running():
            async with asyncio.TaskGroup() as group:
                verb = group.create_task(commission(rigged, show))
                await reached.wait()
                await asyncio.sleep(3)
                verb.cancel()  # Ctrl-C
            assert (await at_rest(rigged))["fault"] == ""
            progress = await rigged.ask("commission", step="watch")
            assert (progress["state"], progress["reason"]) == ("failed", "the technician ended it")
        assert certificates(rigged) == []

    run(scenario)


def test_a_terminal_that_falls_silent_ends_it_too(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(30)
            assert (await rigged.ask("commission", step="begin"))["state"] == "running"
            await asyncio.sleep(40)
            progress = await rigged.ask("commission", step="watch")
            assert (progress["state"], progress["reason"]) == (
                "failed",
                "the terminal that asked for it is gone",
            )
            assert (await at_rest(rigged))["fault"] == ""

    run(scenario)


def test_a_daemon_that_dies_while_the_device_is_left_alone_leaves_it_to_its_timer(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        daemon = rigged.daemon()
        reached = asyncio.Event()

        def show(progress):
            if "leaves inverter alone" in progress["step"]:
                reached.set()

        async def lived():
            with pytest.raises(StoreError, match="killed"):
                await daemon.run()

        async def shown():
            with suppress(LinkError):
                await commission(rigged, show)

        async with rigged.outside(), asyncio.TaskGroup() as group:
            life = group.create_task(lived())
            verb = group.create_task(shown())
            await reached.wait()
            for link in rigged.links:
                link.closed = True
            daemon.store._failure = "killed"
            life.cancel()
            await asyncio.wait((life, verb))
            rigged.plant.advance(clock.mono_ms())
            assert rigged.plant.report()["order_power_w"], "the last power is still in it"
            await asyncio.sleep(61)
            rigged.plant.advance(clock.mono_ms())
            assert rigged.plant.report()["order"] == "self"
        async with rigged.running():
            await asyncio.sleep(30)
            assert (await at_rest(rigged))["fault"] == ""
            assert (await commission(rigged, patience_s=0))["state"] == "passed"

    run(scenario)


def test_a_site_whose_meter_was_exchanged_commands_nothing_until_it_is_commissioned_again(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            assert (await commission(rigged, patience_s=0))["state"] == "passed"
        own_profile(rigged, "sunspec_meter", "proof: recorded", "proof: recorded\nmeter_positive: import")
        async with rigged.running():
            await asyncio.sleep(20)
            said = (await rigged.ask("status"))["control"]
            assert said["fault"] == (
                "the profile of meter says other things than when commissioned on 2026-09-22; "
                "run gridseal commission"
            )
            assert not (await rigged.order(1000, 60))["admitted"] or said["commanded_w"] == 0
            await rigged.ask("release")
            await asyncio.sleep(5)
            said = (await rigged.ask("status"))["control"]
            assert "run gridseal commission" in said["fault"], "nobody clears it"
            assert (await commission(rigged, patience_s=0))["state"] == "passed"
            assert (await at_rest(rigged))["fault"] == ""
        assert len(certificates(rigged)) == 2

    run(scenario)


def test_one_of_two_batteries_is_commissioned_with_the_other_beside_it(tmp_path):
    """The order is for both; the meter sees both, each BMS its own."""

    async def scenario(clock):
        pair = SEEDED["pair"]
        rigged = Rigged(
            clock, tmp_path, devices=pair.devices, batteries=pair.batteries, limit="4 kW", start_minute=60,
            every="1 h", step_ms=100,
        )  # fmt: skip
        async with rigged.running():
            with pytest.raises(AssertionError, match="those that can be commanded: inverter, second"):
                await commission(rigged)
            for device in ("inverter", "second"):
                result = await commission(rigged, device=device, power_w=1000, patience_s=90)
                assert result["state"] == "passed", result
                await at_rest(rigged)
            days = (await rigged.ask("status"))["commissioned"]
            assert days == {"inverter": "2026-09-22", "second": "2026-09-22"}
        first, second = certificates(rigged)
        assert {p["device"] for p in first["parts"]} >= {"inverter", "bms0", "meter"}
        assert {p["device"] for p in second["parts"]} >= {"second", "bms1", "meter"}
        for said in (first, second):
            assert all(abs(p["battery_bp"] - 10_000) < 600 for p in said["parts"] if p["battery_bp"]), said
            assert all(abs(p["grid_bp"] + 10_000) < 600 for p in said["parts"] if p["grid_bp"]), said
            assert said["timer"] == 1

    run(scenario)


def test_a_meter_that_is_turned_after_it_was_proven_stops_the_site(tmp_path, monkeypatch):
    """Somebody works at the cabinet. Orders that have nothing to do with the meter tell it."""
    sign, right = [1], sunspec_bank.meter

    def meter():
        values = right()
        return values | {"W": lambda view, said=values["W"]: sign[0] * said(view)}

    monkeypatch.setattr(sunspec_bank, "meter", meter)

    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            assert (await commission(rigged, patience_s=0, power_w=1500))["state"] == "passed"
            for turned in (1, -1):
                sign[0] = turned
                faults = set()
                for number in range(8):
                    await rigged.order(1500 if number % 2 else -1500, 40)
                    await asyncio.sleep(35)
                    faults.add((await rigged.ask("status"))["control"]["fault"])
                words = "the meter meter now counts the other way than when commissioned on 2026-09-22"
                assert any(fault.startswith(words) for fault in faults) is (turned < 0), faults
            await asyncio.sleep(10)
            rigged.plant.advance(clock.mono_ms())
            assert rigged.plant.report()["order"] == "self"
        assert rigged.plant.report()["writes_outside_envelope"] == 0

    run(scenario)


def test_a_bms_that_falls_silent_while_the_device_is_left_alone_is_no_missing_timer(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)

        def show(progress):
            if "leaves inverter alone" in progress["step"] and progress["done"] > 30:
                rigged.bms.break_as("silent")

        async with rigged.running():
            result = await commission(rigged, show)
            assert result["state"] == "failed", result
            rigged.bms.clear()
            await asyncio.sleep(30)
            await at_rest(rigged)

    run(scenario)
