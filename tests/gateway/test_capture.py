"""Captures of a running daemon: pages, bounds, one at a time, ended when nobody asks."""

import pytest

from gateway import capture
from gateway.capture import Captures
from gateway.errors import ServiceRefused
from gateway.model import ClockTrust, Stamp
from gateway.site import Device
from gateway.tape import Tap


class Clock:
    ms = 1000

    def mono_ms(self):
        return self.ms

    def now(self):
        return Stamp(self.ms, 7_000, ClockTrust.TRUSTED)


class Reader:
    refreshed = 0

    def refresh(self):
        self.refreshed += 1


class Wiring:
    def __init__(self, clock):
        self.taps = {"a": Tap(clock), "b": Tap(clock)}
        self.drivers = {"a": Reader(), "b": object()}

    def made(self, name):
        return self.drivers[name]

    def untapped(self, device):
        return f"{device.name}: cannot be recorded"


@pytest.fixture
def site():
    clock = Clock()
    wiring = Wiring(clock)
    devices = [Device(name, "p", "modbus", "meter", "tcp://x", None, profile_digest=b"\1") for name in "abc"]
    return clock, wiring, Captures(clock, devices, wiring)


async def ask(captures, step, **more):
    return await captures.answer({"do": "capture", "step": step, **more})


async def test_it_begins_with_the_connect_and_a_poll_of_everything(site):
    _, wiring, captures = site
    tap = wiring.taps["a"]
    tap.connecting()
    tap.tell(x=1)
    tap.connected()
    began = await ask(captures, "begin", device="a")
    assert began == {"mono_ms": 1000, "wall_ms": 7000, "clock": "TRUSTED", "profile_digest": "01"}
    assert wiring.drivers["a"].refreshed == 1
    tap.tell(x=2)
    page = await ask(captures, "more")
    assert [{k for k in e if k != "ms"} for e in page["events"]] == [
        {"connect"}, {"x"}, {"connected"}, {"refresh"}, {"x"},
    ]  # fmt: skip
    assert (page["left"], page["why"]) == (0, "")
    tap.tell(x=3)
    assert (await ask(captures, "end"))["events"][0]["x"] == 3
    tap.tell(x=4)
    assert await ask(captures, "more") == {"events": [], "left": 0, "why": "asked"}


async def test_pages_fit_a_line(site):
    _, wiring, captures = site
    await ask(captures, "begin", device="b")
    for n in range(100):
        wiring.taps["b"].tell(x="y" * 1000, n=n)
    got = []
    while page := (await ask(captures, "more"))["events"]:
        assert len(str(page)) < 2 * capture.PAGE_BYTES
        got += [event["n"] for event in page]
    assert got == list(range(100))


async def test_no_page_goes_beyond_what_a_line_may_have(site):
    """A sample of hundreds of points is long by itself."""
    _, wiring, captures = site
    await ask(captures, "begin", device="b")
    for n in range(4):
        wiring.taps["b"].tell(x="y" * 24_000, n=n)
    pages = [(await ask(captures, "more"))["events"] for _ in range(4)]
    assert [[event["n"] for event in page] for page in pages] == [[0], [1], [2], [3]]


async def test_nobody_fetching_ends_it_and_so_does_too_much(site, monkeypatch):
    clock, wiring, captures = site
    await ask(captures, "begin", device="b")
    clock.ms += capture.PATIENCE_MS + 1
    wiring.taps["b"].tell(x=1)
    assert not wiring.taps["b"].listening
    assert (await ask(captures, "more"))["why"] == "nobody fetched it"
    monkeypatch.setattr(capture, "EVENTS_MAX", 3)
    await ask(captures, "begin", device="b")
    for n in range(5):
        wiring.taps["b"].tell(n=n)
    page = await ask(captures, "more")
    assert (len(page["events"]), page["why"]) == (3, "more than could be fetched")


async def test_one_at_a_time_unless_it_was_left(site):
    clock, _, captures = site
    with pytest.raises(ServiceRefused, match="no capture runs"):
        await ask(captures, "more")
    await ask(captures, "begin", device="a")
    with pytest.raises(ServiceRefused, match="of a runs already"):
        await ask(captures, "begin", device="b")
    clock.ms += capture.PATIENCE_MS
    await ask(captures, "begin", device="b")
    await ask(captures, "end")
    await ask(captures, "begin", device="a")


async def test_what_is_not_there_and_what_cannot_be_recorded(site):
    *_, captures = site
    with pytest.raises(ServiceRefused, match="without a device 'z'"):
        await ask(captures, "begin", device="z")
    with pytest.raises(ServiceRefused, match="cannot be recorded"):
        await ask(captures, "begin", device="c")
    with pytest.raises(ValueError, match="no step"):
        await ask(captures, "dance")


async def test_beginning_anew_leaves_the_tap_to_the_new_one(site):
    clock, wiring, captures = site
    await ask(captures, "begin", device="a")
    clock.ms += capture.PATIENCE_MS
    await ask(captures, "begin", device="b")
    assert not wiring.taps["a"].listening and wiring.taps["b"].listening
