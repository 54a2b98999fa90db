"""The keys of site.yaml: bounds, defaults, what is refused, and that the editors' schema says the same."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway import yamlfile
from gateway.sitefile import Pause, SiteFile, Strict

SMALL = {
    "site": {
        "id": "here",
        "limits": {"charge": "5 kW", "discharge": "5 kW", "grid import": "17 kW", "grid export": "5 kW"},
    },
    "devices": {"inverter": {"profile": "sunspec", "link": "tcp://192.0.2.1:502"}},
}
ADDRESS = "0x" + "a1" * 20
CHAIN = {
    "id": 10,
    "rpc": ["https://one.example", "http://two.example:8545"],
    "platform": "storage",
    "contracts": {"verification": ADDRESS, "services": ADDRESS},
    "storage": 7,
}


def load(**parts):
    return SiteFile.model_validate({**copy.deepcopy(SMALL), **parts})


def said(**parts):
    """The places and messages of what is refused."""
    with pytest.raises(ValidationError) as caught:
        load(**parts)
    return [
        (".".join(str(step) for step in e["loc"] if not str(step).startswith("platform ")), e["msg"])
        for e in caught.value.errors()
    ]


def site(**changes):
    return {**copy.deepcopy(SMALL["site"]), **changes}


def limits(**changes):
    return site(limits={**SMALL["site"]["limits"], **changes})


def device(**changes):
    return {"inverter": {**SMALL["devices"]["inverter"], **changes}}


def contracts(services):
    return {**CHAIN["contracts"], "services": services}


def test_the_smallest_file_has_the_documented_defaults():
    found = load()
    assert (found.site.limits.charge, found.site.limits.grid_import) == (5000, 17_000)
    assert (found.site.limits.ramp, found.site.dwell, found.site.control) == (1000, 2000, 1000)
    assert (found.site.soc.min, found.site.soc.max, found.site.soc.hysteresis) == (1000, 9500, 100)
    assert (found.site.temperature_min, found.site.temperature_max) == (0, 5000)
    inverter = found.devices["inverter"]
    assert (inverter.unit, inverter.poll, inverter.timeout, inverter.control, inverter.timer) == (
        1,
        1000,
        1000,
        True,
        0,
    )
    assert (found.store.keep, found.store.size, found.store.commit) == (30 * 86_400_000, 2**31, 1000)
    assert str(found.store.path) == "/var/lib/gridseal/store.db"
    assert (found.attest.every, found.attest.key, found.clock.trust) == (900_000, None, "kernel")
    assert (found.chain, found.mqtt) == (None, None)


def test_a_chain_and_a_broker_have_theirs():
    chain = load(chain=CHAIN).chain
    assert (chain.confirmations, chain.fee_cap, chain.spend, chain.poll) == (12, 10**11, 10**16, 4000)
    mqtt = load(mqtt={"url": "mqtts://broker.example"}).mqtt
    assert (mqtt.topic, mqtt.username, mqtt.password, mqtt.home_assistant) == ("gridseal", "", None, False)


@pytest.mark.parametrize(
    ("parts", "place", "words"),
    [
        ({"site": site(name="x")}, "site.name", "Extra inputs"),
        ({"site": site(id="")}, "site.id", "at least 1"),
        ({"site": site(id="a b")}, "site.id", "pattern"),
        ({"site": site(id="x" * 65)}, "site.id", "at most 64"),
        ({"site": limits(charge="-1 W")}, "site.limits.charge", "at least 0 W"),
        ({"site": limits(charge="101 MW")}, "site.limits.charge", "out of range"),
        ({"site": limits(charge=5000)}, "site.limits.charge", "has no unit"),
        ({"site": limits(ramp="0 W/s")}, "site.limits.ramp", "at least 1 W/s"),
        ({"site": limits(ramp="1 kW")}, "site.limits.ramp", "unknown unit 'kW'"),
        ({"site": limits(grid_import="1 kW")}, "site.limits.grid_import", "Extra inputs"),
        ({"site": site(soc={"max": "101 %"})}, "site.soc.max", "at most 100 %"),
        ({"site": site(control="49 ms")}, "site.control", "at least 50 ms"),
        ({"site": site(**{"temperature max": "101 C"})}, "site.temperature max", "out of range"),
        ({"devices": {}}, "devices", "at least 1"),
        ({"devices": {f"d{n}": device()["inverter"] for n in range(65)}}, "devices", "at most 64"),
        ({"devices": device(unit=248)}, "devices.inverter.unit", "less than or equal to 247"),
        ({"devices": device(poll="10 ms")}, "devices.inverter.poll", "at least 50 ms"),
        ({"devices": device(timeout="2 min")}, "devices.inverter.timeout", "out of range"),
        ({"devices": device(baud=9600)}, "devices.inverter.baud", "Extra inputs"),
        ({"store": {"size": "1 MB"}}, "store.size", "out of range"),
        ({"store": {"commit": "2 min"}}, "store.commit", "out of range"),
        ({"attest": {"every": "1 s"}}, "attest.every", "at least 2 s"),
        ({"chain": {**CHAIN, "id": 0}}, "chain.id", "greater than or equal to 1"),
        ({"chain": {**CHAIN, "rpc": ["https://one.example"]}}, "chain.rpc", "at least 2"),
        ({"chain": {**CHAIN, "rpc": ["https://a.example"] * 2}}, "chain.rpc", "so that one cannot lie"),
        ({"chain": {**CHAIN, "rpc": ["https://", "http://b"]}}, "chain.rpc", "not an http(s) URL"),
        ({"chain": {**CHAIN, "rpc": ["ws://a", "http://b"]}}, "chain.rpc", "not an http(s) URL"),
        ({"chain": {**CHAIN, "rpc": ["http://[", "http://b"]}}, "chain.rpc", "is not a URL"),
        (
            {"chain": {**CHAIN, "platform": "other"}},
            "chain",
            "one of storage, microgrid, meter, registry, stacks",
        ),
        (
            {"chain": {**CHAIN, "contracts": contracts(ADDRESS[:-1])}},
            "chain.contracts.services",
            "is not an address",
        ),
        (
            {"chain": {**CHAIN, "contracts": contracts(ADDRESS + "\n")}},
            "chain.contracts.services",
            "is not an address",
        ),
        ({"chain": {**CHAIN, "contracts": contracts(0xA1)}}, "chain.contracts.services", "without quotes"),
        (
            {"chain": {**CHAIN, "contracts": {"verification": ADDRESS}}},
            "chain.contracts.services",
            "required",
        ),
        ({"chain": {**CHAIN, "rpc": ["http://a:0", "http://b"]}}, "chain.rpc", "must be 1 to 65535"),
        ({"mqtt": {"url": "mqtt://broker:65536"}}, "mqtt.url", "must be 1 to 65535"),
        ({"chain": {**CHAIN, "fee cap": "1 eth"}}, "chain.fee cap", "unknown unit 'eth'"),
        ({"chain": {**CHAIN, "confirmations": 1001}}, "chain.confirmations", "1000"),
        ({"mqtt": {"url": "http://broker"}}, "mqtt.url", "is not mqtt://"),
        ({"mqtt": {"url": "mqtt://"}}, "mqtt.url", "is not mqtt://"),
        ({"mqtt": {"url": "mqtt://me@broker"}}, "mqtt.url", "no user in it"),
        ({"mqtt": {"url": "mqtt://["}}, "mqtt.url", "is not a URL"),
        ({"mqtt": {"url": "mqtt://broker", "topic": "a/#"}}, "mqtt.topic", "pattern"),
        ({"clock": {"trust": "me"}}, "clock.trust", "'kernel' or 'host'"),
        ({"colour": "red"}, "colour", "Extra inputs"),
    ],
)
def test_what_is_refused_is_refused_at_its_place(parts, place, words):
    ((where, message),) = said(**parts)
    assert where == place
    assert words in message


def test_all_of_it_is_told_at_once():
    assert len(said(site=limits(charge="x", discharge="y"), store={"keep": "z"}, mqtt={})) == 4


def test_a_loaded_file_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load().site.id = "there"


@given(st.integers(0, 86_400_000))
def test_a_duration_means_the_same_in_every_unit_that_can_hold_it(ms):
    class One(Strict):
        pause: Pause

    for unit, factor in (("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)):
        if ms % factor == 0:
            assert One(pause=f"{ms // factor} {unit}").pause == ms


def models(found=SiteFile, seen=None):
    seen = seen if seen is not None else set()
    if found not in seen:
        seen.add(found)
        for info in found.model_fields.values():
            for model in yamlfile._models(info.annotation):
                models(model, seen)
    return seen


def test_no_part_of_the_file_takes_an_unknown_key():
    found = models()
    assert {SiteFile, Strict} < {m for model in found for m in model.mro()} and len(found) > 20
    for model in found:
        assert issubclass(model, BaseModel)
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["frozen"]


def test_the_schema_tells_editors_keys_as_they_are_written_and_units_as_text():
    schema = SiteFile.model_json_schema()
    parts = schema["$defs"]
    assert set(parts["LimitsModel"]["properties"]) >= {"grid import", "grid export"}
    assert set(parts["LimitsModel"]["required"]) == {"charge", "discharge", "grid import", "grid export"}
    charge = parts["LimitsModel"]["properties"]["charge"]
    assert (charge["type"], charge["examples"]) == ("string", ["10 W"])
    objects = [part for part in parts.values() if part["type"] == "object"]
    assert len(objects) > 20 and all(part["additionalProperties"] is False for part in objects)
    assert "description" in parts["DeviceModel"]["properties"]["link"]
