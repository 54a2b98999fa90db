"""Every capture in tests/recorded/captures, played to today's drivers: its readings are as they were.

A new one is made with `gridseal capture --mask` and put there; nothing else is needed.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import cli
from gateway.capturefile import Capture, read
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.model import Quality
from gateway.replay import replay

CAPTURES = sorted((Path(__file__).parents[1] / "recorded" / "captures").glob("*.jsonl"))
RIG, BUS = (read(path) for name in ("rig_sunspec", "rig_slcan") for path in CAPTURES if path.stem == name)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
async def test_a_capture_means_what_it_meant(path: Path) -> None:
    capture = read(path)
    found = await replay(capture, find_plugins())
    assert (found.differences, found.missed) == ([], [])
    assert found.same and len(found.samples) == found.recorded == sum("sample" in e for e in capture.events)
    assert capture.header["masked"], "a capture that is kept here is masked"


def changed(capture: Capture, index: int, **event) -> Capture:
    events = list(capture.events)
    events[index] = {**events[index], **event}
    return replace(capture, events=tuple(events))


def where(capture: Capture, kind: str, nth: int = 0) -> int:
    return [i for i, e in enumerate(capture.events) if kind in e][nth]


async def test_a_byte_that_is_another_is_a_difference() -> None:
    last = max(i for i, e in enumerate(RIG.events) if "got" in e and len(e["got"]) > 60)
    got = RIG.events[last]["got"]
    found = await replay(
        changed(RIG, last, got=got[:-24] + "%024x" % (int(got[-24:], 16) ^ 0x0101)), find_plugins()
    )
    assert found.differences and not found.faithful
    assert all(d.was and d.now and d.was != d.now for d in found.differences)


async def test_an_answer_that_is_missing_is_said() -> None:
    gone = where(RIG, "got", -1)
    events = RIG.events[:gone] + RIG.events[gone + 1 :]
    found = await replay(replace(RIG, events=events), find_plugins())
    assert len(found.missed) == 1 and "not asked while this was recorded" in found.missed[0][1]
    assert found.recorded == len(found.samples) + 1


async def test_a_reading_that_was_told_otherwise_is_a_difference() -> None:
    at = where(BUS, "sample", 1)
    points = {**BUS.events[at]["points"], "battery_soc_bp": [1, "GOOD"], "gone_w": [5, "STALE"]}
    found = await replay(changed(BUS, at, points=points), find_plugins())
    assert {d.point: d.was for d in found.differences} == {
        "battery_soc_bp": (1, Quality.GOOD),
        "gone_w": (5, Quality.STALE),
    }


async def test_a_capture_without_its_connect_is_played_as_far_as_it_goes() -> None:
    found = await replay(replace(BUS, events=BUS.events[where(BUS, "sample") :]), find_plugins())
    assert found.recorded and not found.samples and len(found.missed) >= 1


async def test_a_driver_or_a_link_that_is_not_here() -> None:
    for change in ({"profile": {"driver": "telepathy"}}, {"device": {**RIG.device, "link": "warp://masked"}}):
        with pytest.raises(ConfigError, match="driver"):
            await replay(replace(RIG, header={**RIG.header, **change}), find_plugins())


def test_the_verb_shows_readings_and_judges(tmp_path, capsys):
    path = next(p for p in CAPTURES if p.stem == "rig_slcan")
    assert cli.main(["replay", str(path)]) == 0
    said = capsys.readouterr().out
    assert "battery_soc_bp" in said and "GOOD" in said and "readings are as recorded" in said
    assert cli.main(["replay", "--json", str(path)]) == 0
    samples = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(samples) == sum("sample" in e for e in read(path).events)
    assert samples[0]["points"]["battery_voltage_mv"][1] == "GOOD"


def test_another_profile_reads_the_same_bytes_its_way(tmp_path, capsys):
    path = next(p for p in CAPTURES if p.stem == "rig_slcan")
    copy = tmp_path / "capture.jsonl"
    copy.write_bytes(path.read_bytes())
    text = Path("drivers/profiles/pylontech_can.yaml").read_text()
    assert "positive_current: charging" in text
    (tmp_path / "other.yaml").write_text(
        text.replace("positive_current: charging", "positive_current: discharging")
    )
    shutil.copy("drivers/profiles/pylontech_can.dbc", tmp_path)
    assert cli.main(["replay", str(copy), "--profile", "other"]) == 1
    assert "battery_current_ma at" in capsys.readouterr().out
