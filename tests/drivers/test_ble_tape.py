"""What passed by Bluetooth, recorded from a virtual board and played: the same samples, offline."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble import PLUGIN
from drivers.ble.profile import BleProfile
from drivers.ble.tape import TapeLink, masker
from drivers.bms.families import FAMILIES
from gateway.capturefile import Capture
from gateway.driver import find_plugins
from gateway.errors import ConfigError, LinkError
from gateway.replay import replay
from gateway.tape import Masking, Recordable, Tap, TapClock, Tape
from tests.drivers.ble_air import P
from tests.drivers.ble_bench import JBD, bench, device, link_to, profile
from tests.drivers.test_ble_families import STATUSES, as_jk, jk
from tests.sim.loop import run

GATT = profile("jbd_ble").gatt.plain()
SERIAL = "2032816012"


def document(name: str) -> dict:
    return yaml.safe_load((PLUGIN.profiles / f"{name}.yaml").read_text())


def capture_of(name: str, events, **changes) -> Capture:
    said = {"name": "bms1", "profile": name, "link": "ble://masked", "unit": 1, "poll_ms": 1000}
    return Capture(
        {"device": said, "profile": document(name) | changes}, tuple(events), "time", "", "x.jsonl"
    )


def recorded(air, name: str, script):
    """Events while `script(device_session, bms)` runs, as the daemon would record them."""

    async def main(clock):
        async with air(clock) as (_, adapter, [bms]):
            tap, link = Tap(clock), link_to(adapter, clock)
            table = profile(name).table()
            driver = PLUGIN.driver(device(table), table, PLUGIN.tapped(link, tap), TapClock(clock, tap))
            events: list[dict] = []
            await script(Session(driver, tap, events), bms)
            await driver.close()
            return events

    return run(main)


class Session:
    """What the device's task does with a driver, and the one who records it."""

    def __init__(self, driver, tap, events) -> None:
        self.driver, self.tap, self.events = driver, tap, events

    def record(self) -> None:
        """From now on, beginning with what was kept of the connect."""
        began_ms = self.driver._clock.mono_ms()

        def take(event):
            self.events.append({**event, "ms": event["ms"] - began_ms})

        for event in self.tap.introduction:
            take(event)
        self.tap.sink = take
        self.driver.refresh()
        self.tap.tell(refresh=True)

    async def connect(self) -> None:
        self.tap.connecting()
        await self.driver.connect()
        self.tap.connected()

    async def poll(self, times: int = 1) -> None:
        for _ in range(times):
            with suppress(LinkError):
                self.tap.sample(await self.driver.read())
            await asyncio.sleep(0.5)


def test_the_plugin_can_be_recorded_and_masked():
    assert isinstance(PLUGIN, Recordable) and isinstance(PLUGIN, Masking)


async def played(capture):
    found = await replay(capture, find_plugins())
    assert found.faithful and len(found.samples) == found.recorded > 0
    return found


async def test_a_board_that_is_asked_gives_the_same_samples_again():
    async def script(session, bms):
        session.tap.sink = session.events.append
        await session.connect()
        await session.poll(2)
        await bms.say(b"AT+")
        await session.poll()
        bms.silent = True
        await session.poll()
        bms.silent = False
        await session.poll()
        await bms.hang_up()
        await session.poll()
        await session.driver.close()
        await session.connect()
        await session.poll(2)

    events = await asyncio.to_thread(recorded, bench, "jbd_ble", script)
    links = [e["link"] for e in events if "link" in e and e["link"] != "lost"]  # to a wait or to a write
    assert links == ["up", "closed", "up", "closed"]
    assert sum("silence" in e for e in events) == 2 and any(e.get("failed") for e in events)
    assert [e["unheard"] for e in events if "unheard" in e] == [b"AT+".hex()]
    found = await played(capture_of("jbd_ble", events))
    assert (found.recorded, found.identity["model"]) == (6, "0123456789")
    last = {r.point.name: r.value for r in found.samples[-1].readings()}
    assert last.items() >= JBD["told"].items()


@pytest.mark.parametrize("late", [False, True])
async def test_a_board_that_streams_gives_them_too_also_from_the_middle(late):
    """Late: begun half an hour after the connect, when the settings were asked for anew many times."""

    async def script(session, bms):
        as_jk(bms, STATUSES[0])
        if not late:
            session.tap.sink = session.events.append
        await session.connect()
        await session.poll(60 if late else 0)
        if late:
            session.record()
        await session.poll(60)  # settings are asked for each minute

    events = await asyncio.to_thread(recorded, jk_air, "jk_ble", script)
    assert sum("write" in e for e in events) >= 3
    found = await played(capture_of("jk_ble", events))
    assert found.recorded >= 55 and found.identity["serial"] == SERIAL


def jk_air(clock):
    return jk(clock, writes=P.WRITE | P.WRITE_WITHOUT_RESPONSE)


async def test_masked_it_plays_as_well_and_says_neither_serial_number_nor_password():
    async def script(session, bms):
        as_jk(bms, STATUSES[0])
        session.tap.sink = session.events.append
        await session.connect()
        await session.poll(5)

    events = await asyncio.to_thread(recorded, jk_air, "jk_ble", script)
    mask = PLUGIN.masker(profile("jk_ble").table())
    hidden = [mask(event) for event in events]

    def everything(told):
        return bytes.fromhex("".join(e.get("heard", "") + e.get("unheard", "") for e in told))

    for word in (SERIAL.encode(), b"1234", b"Mario", b"123456"):
        assert word in everything(events) and word not in everything(hidden)
    found = await played(capture_of("jk_ble", hidden))
    assert found.identity["serial"] == "X" * len(found.identity["serial"]) and found.identity["firmware"]


def test_what_says_nothing_private_stays_and_what_is_not_known_is_refused():
    event = {"ms": 1, "heard": "dd03"}
    assert PLUGIN.masker(profile("jbd_ble").table())(event) is event
    table = replace(profile("jbd_ble").table(), family="aiobmsble:seplos_bms")
    with pytest.raises(ConfigError, match="aiobmsble:seplos_bms says its serial number is not known"):
        masker(table)


async def test_another_profile_shows_what_it_makes_of_the_same_bytes():
    async def script(session, _bms):
        session.tap.sink = session.events.append
        await session.connect()
        await session.poll(2)

    events = await asyncio.to_thread(recorded, bench, "jbd_ble", script)
    other = {"allowance": document("jbd_ble")["allowance"] | {"charge_ma": 7000}}
    found = await replay(capture_of("jbd_ble", events, **other), find_plugins())
    assert {d.point for d in found.differences} >= {"charge_limit_ma"} and not found.missed
    daly = document("daly_ble")
    found = await replay(capture_of("jbd_ble", events, **daly), find_plugins())
    assert len(found.missed) == 2


async def test_a_connection_that_was_not_made_is_played_as_such():
    link = TapeLink(Tape([{"ms": 0, "link": "none", "failed": "was not heard"}]))
    with pytest.raises(LinkError, match="was not heard"):
        await link.open(GATT)
    with pytest.raises(LinkError, match="not connected to while"):
        await link.open(GATT)
    await link.close()


EVENT = st.dictionaries(
    st.sampled_from(["write", "heard", "unheard", "silence", "link", "failed"]),
    st.one_of(st.just("aa"), st.text(max_size=8), st.integers(), st.none(), st.booleans()),
    max_size=3,
)


@given(st.lists(EVENT, max_size=12))
async def test_whatever_stands_on_a_tape_is_an_answer_or_a_link_error(said):
    link = TapeLink(Tape([{"ms": i, **event} for i, event in enumerate(said)]))
    for step in (lambda: link.open(GATT), lambda: link.send(b"\xaa"), link.receive, link.receive):
        try:
            await step()
        except (LinkError, TimeoutError):
            link.forget()


def test_garbage_is_masked_without_a_complaint():
    mask = masker(profile("jk_ble").table())
    for event in ({"heard": 5, "ms": 1}, {"unheard": "zz", "ms": 2}, {"write": "00", "ms": 3}, {"ms": 4}):
        assert mask(event).keys() == event.keys()
    assert FAMILIES["jk_ble"].secrets


def test_the_model_of_the_tests_is_the_shipped_profile():
    assert BleProfile.model_validate(document("jk_ble")).table() == profile("jk_ble").table()
