"""A capture's file: written and read back, and everything that is wrong with one said in a line."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import capturefile
from gateway.capturefile import Writer, read, sample_of
from gateway.errors import ConfigError
from gateway.model import Quality

HEADER = {
    "software": "gridseal 1", "site": "s", "masked": True, "by": "capture",
    "profile_digest": "00", "profiles": {},
    "device": {"name": "d", "profile": "p", "link": "tcp://masked", "unit": 1, "poll_ms": 1000},
    "profile": {"driver": "modbus"}, "began": {"wall_ms": 1, "clock": "TRUSTED"},
}  # fmt: skip
EVENTS = [
    {"ms": -5, "connect": True},
    {"ms": 0, "now": 17, "clock": "UNTRUSTED"},
    {"ms": 3, "unit": 1, "ask": "0300000001", "got": "03020001"},
    {"ms": 4, "sample": 17, "points": {"a_w": [1, "GOOD"], "b_w": [0, "ABSENT"]}},
]


def written(events=EVENTS, header=HEADER) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, header)
    for event in events:
        writer.event(event)
    assert writer.size == len(file.getvalue())
    writer.end(9, "time")
    return file.getvalue()


def put(tmp_path, data: bytes):
    path = tmp_path / "capture.jsonl"
    path.write_bytes(data)
    return path


def test_what_is_written_is_read(tmp_path):
    found = read(put(tmp_path, written()))
    assert list(found.events) == EVENTS and found.why == "time" and found.device["name"] == "d"
    assert len(found.digest) == 64 and found.header["site"] == "s"
    assert sample_of("x", EVENTS[3]) == (17, {"a_w": (1, Quality.GOOD), "b_w": (0, Quality.ABSENT)})


def lines(data=None):
    return (data or written()).splitlines(keepends=True)


def with_header(**changes):
    return written(header={**HEADER, **changes})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (written().replace(b"03020001", b"03020002"), "was changed"),
        (b"".join(lines()[:-1]), "has no end"),
        (b"", "has no end"),
        (written() + b"{}\n", "more lines after the end"),
        (b"nonsense\n", "not a JSON object"),
        (b'{"type":"record"}\n', "not a capture"),
        (b'{"type":"capture","version":2}\n', "a capture of version 2; this reads 1"),
        (with_header(site=7), "lacks 'site'"),
        (with_header(masked=1), "lacks 'masked'"),
        (with_header(device={"name": "d"}), "lacks 'profile'"),
        (with_header(device=None), "lacks 'device'"),
        (written([{"at": 5}]), "needs the ms"),
        (written([{"ms": True}]), "needs the ms"),
        (written([{"ms": 2**60}]), "needs the ms"),
        (written([{"ms": 90_000}, {"ms": 0}]), "before the event ahead of it"),
        (written([{"ms": 0, "now": "x", "clock": "TRUSTED"}]), "`now` is a time"),
        (written([{"ms": 0, "now": 1, "clock": "SOME"}]), "`now` is a time"),
        (written([{"ms": 0, "sample": 1}]), "needs its time and points"),
        (written([{"ms": 0, "sample": 1, "points": {"a": [1, "FINE"]}}]), "a is not a value"),
        (written([{"ms": 0, "sample": 1, "points": {"a": [True, "GOOD"]}}]), "a is not a value"),
        (b'{"type":"capture"' + b" " * capturefile.LINE_MAX, "a line of over"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, message):
    with pytest.raises(ConfigError, match=message) as found:
        read(put(tmp_path, data))
    assert "\n" not in str(found.value)


def test_a_file_that_is_not_there_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none")
    monkeypatch.setattr(capturefile, "SIZE_MAX", 10)
    with pytest.raises(ConfigError, match="no capture"):
        read(put(tmp_path, written()))


@given(st.data())
def test_a_damaged_file_is_one_clear_error(tmp_path_factory, data):
    whole = bytearray(written())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path = put(tmp_path_factory.mktemp("damaged"), bytes(whole))
    if bytes(whole) == written():
        return
    try:
        found = read(path)
    except ConfigError:
        return
    assert list(found.events) == EVENTS  # what differs is in the last line, and no event


def test_every_line_is_json():
    assert [json.loads(line).get("type") for line in lines()] == ["capture", None, None, None, None, "end"]
