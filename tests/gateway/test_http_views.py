"""Who sees what: without the token no setpoint, no order, no key, no serial number, no address."""

import json

from gateway.uplink.http.views import AGE_MS, Watched, public
from tests.gateway.http_site import KEY, STATUS
from tests.gateway.stores import HandClock

SECRETS = (
    KEY.address, "0xdf54", "ab" * 32, "ada", "S12345", "10.0.0.9", "rpc.example", "-3000", "-2400", "boiler",
    "bms_limit", "0xfeed", "9 kW",
)  # fmt: skip


def test_the_whole_has_them_all_and_the_public_part_none() -> None:
    whole, part = json.dumps(STATUS), json.dumps(public(STATUS))
    assert [secret for secret in SECRETS if secret not in whole] == []
    assert [secret for secret in SECRETS if secret in part] == []


def test_the_public_part_still_says_how_the_site_is() -> None:
    part = public(STATUS)
    assert part["site_figures"] == STATUS["site_figures"]
    assert part["control"]["mode"] == "running" and part["control"]["fault"]
    assert part["performance"] == STATUS["performance"]
    assert part["records"] == {"signed": 8, "intervals": 7, "sequence": 8}
    assert part["devices"]["bms"] == {"online": False, "samples": 0, "misses": 3}
    assert list(part["troubles"]) == ["mqtt"]
    assert part["full"] is False


def test_what_is_new_elsewhere_stays_hidden() -> None:
    grown = STATUS | {"secret": 1, "control": STATUS["control"] | {"next_w": 5}, "chain": None}
    part = public(grown)
    assert "secret" not in part and "next_w" not in part["control"] and part["chain"] is None


async def test_the_status_is_asked_for_once_a_second_however_many_look() -> None:
    clock, asked = HandClock(), []

    async def status(request: object) -> dict:
        asked.append(request)
        return STATUS

    watched = Watched(status, clock)
    for _ in range(5):
        assert (await watched.get(full=True))["full"] is True
        assert (await watched.get(full=False))["full"] is False
    assert len(asked) == 1
    clock.mono += AGE_MS
    await watched.get(full=True)
    assert len(asked) == 2
