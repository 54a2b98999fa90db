"""The grid platform's REST: what was committed, with its quality, in bounded pages."""

from pathlib import Path

import pytest

from gateway.model import Quality
from tests.gateway.http_site import BEARER, NOW_MS, meter, served
from tests.gateway.stores import WALL_MS

HISTORY = "/api/v1/meters/meter/history"


async def test_history_comes_in_pages_with_values_and_qualities(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.keep(
            *[meter(n, wh=n, quality=Quality.ABSENT if n == 1 else Quality.GOOD) for n in range(5)]
        )
        found, cursor = [], ""
        while True:
            _, said, _ = await site.ask("GET", f"{HISTORY}?limit=2{cursor}")
            found += said["readings"]
            if said["next"] is None:
                break
            cursor = f"&cursor={said['next']}"
        assert [r["at_ms"] - WALL_MS for r in found] == [0, 1000, 2000, 3000, 4000]
        assert found[1]["values"]["grid_imported_wh"] is None
        assert found[1]["quality"]["grid_imported_wh"] == "ABSENT"
        assert found[2]["values"] == {
            "grid_power_w": 102, "grid_imported_wh": 5002, "grid_exported_wh": 70, "setpoint_w": -3000,
        }  # fmt: skip
        assert found[2]["clock"] == "trusted"


async def test_what_is_no_common_quantity_is_not_for_everybody(tmp_path: Path) -> None:
    async with served(tmp_path, hosts=("meadow.lan",)) as site:
        await site.keep(meter(0))
        far = {"Host": "meadow.lan"}
        _, said, _ = await site.ask("GET", HISTORY, far)
        assert "setpoint_w" not in said["readings"][0]["values"] | said["readings"][0]["quality"]
        _, said, _ = await site.ask("GET", HISTORY, far | BEARER)
        assert said["readings"][0]["values"]["setpoint_w"] == -3000


async def test_energy_is_how_far_the_counter_went(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.keep(*[meter(n, wh=10 * n) for n in range(10)])
        _, said, _ = await site.ask("GET", "/api/v1/meters/meter/consumption")
        assert (said["consumption_wh"], said["counter"], said["quality"]) == (90, "grid_imported_wh", "GOOD")
        assert (said["from_ms"], said["to_ms"]) == (NOW_MS - 86_400_000, NOW_MS)
        span = f"from_ms={WALL_MS + 2000}&to_ms={WALL_MS + 5000}"
        _, said, _ = await site.ask("GET", f"/api/v1/meters/meter/consumption?{span}")
        assert (said["consumption_wh"], said["first_ms"], said["last_ms"]) == (
            20,
            WALL_MS + 2000,
            WALL_MS + 4000,
        )
        _, said, _ = await site.ask("GET", "/api/v1/meters/meter/production")
        assert (said["production_wh"], said["counter"]) == (0, "grid_exported_wh")


async def test_a_counter_that_went_back_or_was_not_read_gives_null(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, said, _ = await site.ask("GET", "/api/v1/meters/bms/consumption")
        assert (said["consumption_wh"], said["counter"], said["quality"]) == (None, None, "ABSENT")
        await site.keep(meter(0, wh=50), meter(1, wh=0))
        _, said, _ = await site.ask("GET", "/api/v1/meters/meter/consumption")
        assert (said["consumption_wh"], said["quality"]) == (None, "ABSENT")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/meters/nobody/history", 404),
        ("/api/v1/meters/UP/history", 400),
        (f"{HISTORY}?from_ms=5&to_ms=5", 422),
        (f"{HISTORY}?limit=501", 400),
        (f"{HISTORY}?cursor=now", 400),
        (f"{HISTORY}?from_ms=-1", 400),
        (f"{HISTORY}?limit=1&limit=2", 400),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, path: str, status: int) -> None:
    async with served(tmp_path) as site:
        found, said, _ = await site.ask("GET", path)
        assert found == status and said["message"]


async def test_the_grid_now_is_what_was_committed_with_its_age(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, said, _ = await site.ask("GET", "/api/v1/grid/status")
        assert said["grid_power_w"] is None and said["quality"]["grid_power_w"] == "ABSENT"
        await site.keep(meter(3599))
        _, said, _ = await site.ask("GET", "/api/v1/grid/status")
        assert (said["grid_power_w"], said["at_ms"], said["clock"]) == (3699, NOW_MS, "trusted")
        assert (said["quality"]["grid_power_w"], said["age_ms"]["grid_power_w"]) == ("GOOD", 1000)
        assert said["quality"]["grid_frequency_mhz"] == "ABSENT"
        site.clock.mono += 60_000
        _, said, _ = await site.ask("GET", "/api/v1/grid/supply")
        assert said["quality"]["grid_power_w"] == "STALE"
        _, said, _ = await site.ask("GET", "/api/v1/grid/demand")
        assert said["load_power_w"] is None
