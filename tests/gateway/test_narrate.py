"""The journal's lines: each change once, nothing while a state lasts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.narrate import Scene, lines

QUIET = Scene(devices={"bms": ""}, clock="TRUSTED")


def said(before, after):
    return list(lines(before, after))


def test_a_start_says_what_is_there():
    assert said(Scene(), Scene(devices={"bms": "", "inverter": "no answer"}, clock="TRUSTED")) == [
        "<6>bms: online",
        "<4>inverter: offline: no answer",
        "<6>clock trusted",
    ]


def test_a_stranger_is_told_of_once_whether_it_comes_at_once_or_later():
    gone = Scene(devices={"bms": "silent"}, clock="TRUSTED")
    other = Scene(devices={"bms": "B2 answers"}, clock="TRUSTED", strangers=frozenset({"bms"}))
    assert said(QUIET, other) == ["<4>bms: offline: B2 answers"]
    assert said(gone, other) == ["<4>bms: B2 answers"]
    assert said(other, other) == said(other, gone) == []
    assert said(other, QUIET) == ["<6>bms: online"]


def test_each_change_is_one_line_each_way():
    changes = [
        (Scene(devices={"bms": "silent"}, clock="TRUSTED"), "<4>bms: offline: silent", "<6>bms: online"),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", found={"bms": "tcp://10.0.0.23"}),
            "<4>bms: found at tcp://10.0.0.23: write that into site.yaml, or keep its address by DHCP",
            "<6>bms: found where site.yaml says",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", troubles={"mqtt": "refused"}),
            "<4>mqtt: waits: refused",
            "<6>mqtt: works again",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", fault="does not follow"),
            "<3>fault latched: does not follow",
            "<6>fault cleared",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", stop="by ada"),
            "<4>stopped: by ada",
            "<6>stop released",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", doubts=("bms: the charge leaps",)),
            "<4>not believed: bms: the charge leaps",
            "<6>everything measured is believed again",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", command="fixed-power of chain"),
            "<6>carrying out fixed-power of chain",
            "<6>order ended",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", grid="lost"),
            "<4>the grid is gone: services for it wait, the battery is its inverter's",
            "<6>the grid is stable: services go on",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", grid="island"),
            "<6>the house is an island, as ordered: services for the grid wait",
            "<6>the grid is stable: services go on",
        ),
        (
            Scene(devices={"bms": ""}, clock="TRUSTED", grid="returning"),
            "<6>the grid is back: services go on when it has been stable for a while",
            "<6>the grid is stable: services go on",
        ),
        (Scene(devices={"bms": ""}, clock="UNTRUSTED"), "<4>clock untrusted", "<6>clock trusted"),
    ]
    for after, there, back in changes:
        assert said(QUIET, after) == [there]
        assert said(after, QUIET) == [back]


def test_what_others_say_starts_no_line_and_draws_nothing():
    trouble = "refused\n<3>fault latched: \x1b[2Jnothing\r\x07"
    (line,) = said(QUIET, Scene(devices={"bms": ""}, clock="TRUSTED", troubles={"rpc": trouble}))
    assert line == "<4>rpc: waits: refused <3>fault latched:  [2Jnothing  "


def test_an_error_that_changes_its_words_is_not_news():
    before, after = Scene(devices={"bms": "silent"}), Scene(devices={"bms": "still silent"})
    assert said(before, after) == []


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x"])),
    st.text(max_size=5),
    st.text(max_size=5),
)
def test_a_state_that_lasts_is_silent(devices, fault, command):
    scene = Scene(devices=devices, fault=fault, command=command)
    assert said(scene, scene) == []


def test_loads_that_go_off_and_come_back_are_told_one_by_one() -> None:
    off, one = replace(QUIET, shed=("boiler", "car")), replace(QUIET, shed=("car",))
    assert said(QUIET, off) == ["<4>boiler is switched off by order", "<4>car is switched off by order"]
    assert said(off, one) == ["<6>boiler may run again"]
    assert said(one, one) == []
