"""`gridseal raw`: registers in all their forms, sentinels marked, refusals, frames of a bus; reads only."""

import io
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gateway import cli
from gateway.cli.raw import Heard, forms, frame_table
from tests.processes import rig


def drawn(table):
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_one_register_in_its_forms():
    data = struct.pack(">Hf", 0x4142, -1.5) + b"\xff\xff"
    first, second, _, last = forms(100, data, little=False)
    assert (first.address, first.u16, first.text, first.absent) == (100, 0x4142, "AB", ())
    assert second.f32 == -1.5 and second.s32 == struct.unpack(">i", struct.pack(">f", -1.5))[0]
    assert (last.s16, last.u32, last.absent) == (-1, None, ("16",))
    low_first = next(forms(0, struct.pack(">HH", 2, 1), little=True))
    assert (low_first.u32, low_first.s32) == (65_538, 65_538)


@pytest.mark.parametrize(
    ("data", "absent"),
    [
        ("ffffffff", ("16", "32", "f")),
        ("80000000", ("16", "32")),
        ("7fffffff", ("16", "32", "f")),
        ("7fc00000", ("f",)),
        ("ff7fffff", ("f",)),
        ("00000000", ()),
    ],
)
def test_what_may_mean_not_available(data, absent):
    assert next(forms(0, bytes.fromhex(data), little=False)).absent == absent


@given(st.binary(min_size=2, max_size=250).filter(lambda d: len(d) % 2 == 0), st.booleans())
def test_any_registers_can_be_shown(data, little):
    seen = list(forms(0, data, little=little))
    assert b"".join(s.u16.to_bytes(2, "big") for s in seen) == data
    assert all(s.u16 & 0xFFFF == s.s16 & 0xFFFF for s in seen)
    assert all(s.f32 is None or math.isnan(s.f32) or "f" in s.absent or abs(s.f32) < 3.5e38 for s in seen)


def test_what_an_id_did():
    one = Heard()
    for at, data in ((0, "0011"), (1000, "0012"), (2000, "0012"), (3000, "0012ff")):
        one.take(bytes.fromhex(data), at)
    assert (one.count, one.changed, one.data) == (4, 0b10, b"\0\x12\xff")
    said = drawn(frame_table({(0x356, False): one, (0x1ABC, True): Heard(1, data=b"Hi")}))
    assert "1000 ms" in said and "00001abc" in said and "Hi" in said


def test_on_the_rig(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0", "--slcan") as where:
        url = f"tcp://127.0.0.1:{where['tcp']}"
        assert cli.main(["raw", url, "holding", "40000", "4"]) == 0
        said = capsys.readouterr().out
        assert "40000" in said and "9c40" in said and "5375" in said and "Su" in said
        assert cli.main(["raw", url, "--unit", "1", "holding", "0xC000", "3"]) == 1
        assert "illegal data address" in capsys.readouterr().out
        assert cli.main(["raw", f"slcan://{where['slcan']}", "--seconds", "2.5", "--all"]) == 0
        said = capsys.readouterr().out
        assert said.count(" 356 ") >= 2 and "every" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tcp://127.0.0.1:1"], "for registers write which"),
        (["tcp://127.0.0.1:1", "holding"], "write a table"),
        (["tcp://127.0.0.1:1", "holding", "1", "2", "3"], "write a table"),
        (["tcp://127.0.0.1:1", "holdin", "1"], "write a table"),
        (["tcp://127.0.0.1:1", "holding", "x"], "write a table"),
        (["tcp://127.0.0.1:1", "holding", "1", "9999"], "2000 are shown"),
        (["tcp://127.0.0.1:1", "holding", "65535", "2"], "end at 65535"),
        (["vbus://x", "holding", "1"], "no registers"),
        (["warp://x"], "no link"),
        (["tcp://127.0.0.1:1", "holding", "1"], "cannot connect"),
    ],
)
def test_what_cannot_be_shown_is_one_line(capsys, words, message):
    assert cli.main(["raw", *words]) == 1
    assert message in capsys.readouterr().err


def test_an_unknown_option_is_usage():
    with pytest.raises(SystemExit):
        cli.main(["raw", "tcp://127.0.0.1:1", "holding", "1", "--colour"])


def test_nothing_heard(capsys):
    assert cli.main(["raw", "vbus://empty", "--seconds", "0.1"]) == 1
    assert "nothing heard" in capsys.readouterr().out
