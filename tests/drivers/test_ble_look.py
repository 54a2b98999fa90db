"""What a Bluetooth device has to talk to and what it answers, on a virtual radio."""

import pytest

from drivers.ble import PLUGIN
from drivers.ble.look import FRAME_MAX, look
from drivers.bms.jbd import BASIC, request
from gateway import cli
from gateway.errors import ConfigError, LinkError
from gateway.recognising import Looking
from tests.drivers.ble_bench import ADDRESS, JBD_ANSWERS, OTHER, bench, link_to
from tests.sim.loop import run

ASK = request(BASIC)
WORDS = ["ff00", "FF01", "ff02", ASK.hex()]


def shown(words, seconds=2.0, address=ADDRESS):
    async def main(clock):
        async with bench(clock) as (_, adapter, [bms]):
            link = link_to(adapter, clock, address)
            return await look(link, words, seconds, clock), bms.written, link.counters.stuck

    return run(main)


def test_the_plugin_shows():
    assert isinstance(PLUGIN, Looking)


def test_what_there_is_to_talk_to():
    said, written, stuck = shown([])
    rows = {(service, one): can for service, one, can in said.rows}
    assert rows["ff00", "ff01"] == "notify" and rows["ff00", "ff02"] == "write-without-response"
    assert (written, stuck) == ([], 0)


def test_a_frame_is_written_as_it_is_and_what_comes_is_shown_piece_by_piece():
    said, written, stuck = shown(WORDS)
    assert written == [ASK] and stuck == 0
    assert bytes.fromhex("".join(row[1] for row in said.rows)) == JBD_ANSWERS[ASK]
    times = [int(row[0]) for row in said.rows]
    assert times == sorted(times) and 0 < times[0] < 1000 and len(times) > 1
    apart = [*WORDS[:3], ASK.hex()[:6], ASK.hex()[6:]]
    assert shown(apart)[0].rows[0][1] == said.rows[0][1]


def test_silence_is_said():
    said, written, _ = shown([*WORDS[:3], "00"])
    assert not said.rows and said.note == "nothing came within 2 s" and written == [b"\0"]


def test_nobody_there_or_another_board_is_a_link_error():
    with pytest.raises(LinkError, match="was not heard"):
        shown([], address=OTHER)
    with pytest.raises(LinkError, match="no characteristic ffe1"):
        shown(["ff00", "ffe1", "ff02", "00"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ff00"], "write SERVICE NOTIFY WRITE FRAME"),
        (["ff00", "ff01", "ff02", "xyz"], "write SERVICE"),
        (["ff00", "ff01", "nowhere", "00"], "write SERVICE"),
        (["ff00", "ff01", "ff02"], "1 to 512 bytes"),
        (["ff00", "ff01", "ff02", "00" * (FRAME_MAX + 1)], "1 to 512 bytes"),
    ],
)
def test_other_words_are_one_line_and_nobody_is_reached(words, says):
    with pytest.raises(ConfigError, match=says):
        shown(words, address=OTHER)


def test_the_verb_takes_such_a_link(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert cli.main(["raw", f"ble://{ADDRESS}", *WORDS]) == 1
    assert "install dbus and bluez" in " ".join(capsys.readouterr().err.split())
