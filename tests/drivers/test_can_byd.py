"""BYD's high-voltage batteries, as two imitations send it: limits each 2 s, the state each 10."""

from itertools import count

from tests.drivers.can_bench import frame, profile, site, values
from tests.sim.loop import run

LIMITS = frame(0x110, "0920064001000100")
STATE = [frame(0x150, "260C271000F300FA"), frame(0x1D0, "0849FF9C00B40308"), frame(0x210, "00BE00B400000000")]
ALLOWED = {
    "charge_voltage_limit_mv": 233_600,
    "discharge_voltage_limit_mv": 160_000,
    "discharge_limit_ma": 25_600,
    "charge_limit_ma": 25_600,
}
TOLD = {
    "battery_soc_bp": 9_740,
    "battery_soh_bp": 10_000,
    "battery_available_mah": 24_300,
    "battery_installed_mah": 25_000,
    "battery_voltage_mv": 212_100,
    "battery_current_ma": 10_000,  # -10 A on the wire: discharging
    "battery_power_w": 2_121,
    "battery_temperature_cc": 1_800,
    "battery_temperature_max_cc": 1_900,
    "battery_temperature_min_cc": 1_800,
}


def good(sample) -> dict[str, int]:
    return {name: value for name, (value, quality) in values(sample).items() if quality == "GOOD"}


def test_limits_come_first_the_state_with_its_slow_frames_and_both_grow_old():
    async def main(clock):
        async with site(clock, [LIMITS], every_s=2.0, spoken=profile("byd_hv_can").table()) as (
            battery,
            driver,
        ):
            bursts = count(1)

            def late():
                battery.burst = [LIMITS, *STATE] if next(bursts) % 5 == 0 else [LIMITS]
                return 0.0

            battery.late = late
            assert await driver.connect() == {"vendor": "BYD"}
            assert good(await driver.read()) == ALLOWED
            while clock.mono_ms() < 60_000:
                sample = await driver.read()
                told = good(sample)
                assert told == ALLOWED | TOLD or clock.mono_ms() < 11_000
            battery.late, battery.burst = lambda: 0.0, [LIMITS]
            while clock.mono_ms() < 90_000:
                sample = await driver.read()
            assert good(sample) == ALLOWED
            battery.on = False
            while clock.mono_ms() < 98_000:
                sample = await driver.read()
            assert not good(sample)

    run(main)
