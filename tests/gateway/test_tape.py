"""What passed on a wire, told and played: order, time, and what is kept of a connect."""

import pytest

from gateway.errors import LinkError
from gateway.model import ClockTrust, Point, Quality, Sample, Stamp
from gateway.tape import INTRODUCTION_MAX, Tap, TapClock, Tape, TapeClock


class Ticking:
    def __init__(self):
        self.ms = 100

    def mono_ms(self):
        self.ms += 1
        return self.ms

    def now(self):
        return Stamp(self.mono_ms(), 1_000_000 + self.ms, ClockTrust.TRUSTED)


def now(ms):
    return {"ms": ms, "now": 1_000 + ms, "clock": "TRUSTED"}


def test_a_connect_is_kept_and_the_rest_is_told_only_to_who_listens():
    tap, heard = Tap(Ticking()), []
    tap.tell(a=1)
    tap.connecting()
    tap.tell(b=2)
    tap.connected()
    tap.tell(c=3)
    assert [next(k for k in e if k != "ms") for e in tap.introduction] == ["connect", "b", "connected"]
    assert not tap.listening
    tap.sink = heard.append
    tap.tell(d=4)
    early = Sample("x", Stamp(4, 5, ClockTrust.TRUSTED), (Point("x", "a_w"),), (1,), bytes([Quality.GOOD]))
    tap.sample(early)  # begun before anybody listened
    tap.put(5, {"now": 6, "clock": "TRUSTED"})
    tap.sample(
        Sample("x", Stamp(5, 6, ClockTrust.TRUSTED), (Point("x", "a_w"),), (7,), bytes([Quality.STALE]))
    )
    assert [e.get("d") for e in heard] == [4, None, None]
    assert heard[2]["sample"] == 6 and heard[2]["points"] == {"a_w": [7, "STALE"]}
    tap.connecting()
    assert [e.get("connect") for e in tap.introduction] == [True]


def test_an_endless_connect_is_bounded():
    tap = Tap(Ticking())
    tap.connecting()
    for n in range(INTRODUCTION_MAX + 10):
        tap.tell(n=n)
    assert len(tap.introduction) == INTRODUCTION_MAX


def test_the_drivers_clock_tells_when_a_sample_was_stamped():
    tap, heard = Tap(Ticking()), []
    clock = TapClock(Ticking(), tap)
    assert clock.now().wall_ms and clock.mono_ms()
    tap.sink = heard.append
    stamp = clock.now()
    assert heard == [{"ms": stamp.mono_ms, "now": stamp.wall_ms, "clock": "TRUSTED"}]


def test_a_played_clock_gives_the_stamps_there_were_and_passes_over_what_lies_before():
    tape = Tape([{"ms": 1, "x": 1}, now(5), {"ms": 7, "x": 2}, {"ms": 8, "connect": True}, now(9)])
    clock = TapeClock(tape)
    assert clock.now() == Stamp(5, 1_005, ClockTrust.TRUSTED)
    assert (clock.mono_ms(), tape.passed) == (5, 1)
    with pytest.raises(LinkError, match="connected again"):
        clock.now()
    assert clock.now().mono_ms == 9
    with pytest.raises(LinkError, match="ends here"):
        clock.now()


def test_what_is_asked_is_found_until_the_next_sample_and_time_never_runs_back():
    tape = Tape([{"ms": 9, "x": 1}, {"ms": 4, "x": 2}, now(10), {"ms": 12, "x": 3}])
    assert tape.find(lambda e: e.get("x") == 2) == {"ms": 4, "x": 2}
    assert tape.find(lambda e: e.get("x") == 1) and tape.mono_ms == 9
    assert tape.find(lambda e: e.get("x") == 3) is None
    tape.connecting = True
    assert tape.find(lambda e: e.get("x") == 3) == {"ms": 12, "x": 3}


def test_while_connecting_nothing_is_found_behind_its_end():
    tape = Tape([{"ms": 1, "x": 1}, {"ms": 2, "connected": True}, {"ms": 3, "x": 2}])
    tape.connecting = True
    assert tape.find(lambda e: e.get("x") == 2) is None
    tape.drop("connected")
    assert tape.find(lambda e: e.get("x") == 2)


def test_looking_ahead_takes_nothing():
    tape = Tape([{"ms": 0, "sample": 3, "points": {}}, {"ms": 1, "x": 1}, now(2)])
    assert tape.ahead("now", "connect") == now(2)
    assert tape.peek() == {"ms": 1, "x": 1}
    tape.drop("connected")  # there is none
    assert tape.next() == {"ms": 1, "x": 1} and tape.skip_to("connect") is None
    with pytest.raises(LinkError):
        tape.next()


def test_time_begins_where_the_tape_does_also_before_the_capture():
    tape = Tape([{"ms": -700, "connect": True}, {"ms": -600, "a": 1}, now(5)])
    assert tape.mono_ms == -700
    tape.next()
    tape.next()
    assert tape.mono_ms == -600
    assert Tape([]).mono_ms == 0


def test_seeking_passes_over_what_lies_before_and_leaves_all_where_it_finds_nothing():
    tape = Tape([{"ms": 1, "a": 1}, {"ms": 2, "b": 1}, {"ms": 3, "a": 2}, now(4), {"ms": 5, "c": 1}])
    assert tape.seek(lambda e: "c" in e) is None and tape.passed == 0
    assert tape.seek(lambda e: e.get("a") == 2) == {"ms": 3, "a": 2}
    assert (tape.passed, tape.mono_ms) == (2, 3) and tape.peek() == now(4)
