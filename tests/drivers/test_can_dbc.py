"""DBC files: what we decode by one, cantools decodes by it; and no text is worse than one clear error."""

import subprocess
import sys
from fractions import Fraction
from math import floor

import pytest
from cantools.database.can import Database
from cantools.database.errors import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.can import dbc
from drivers.can.codec import decode
from drivers.can.profile import CanProfile
from gateway.driver import CanFrame
from gateway.model import Quality
from tests.drivers.can_bench import PLUGIN, own
from tests.drivers.test_can_profile import BASE, DBC

HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: B\n'
ANYTHING = [-(2**52), 2**52]
SHIPPED = sorted(e.name for e in PLUGIN.profiles.iterdir() if e.name.endswith(".dbc"))


@st.composite
def places(draw) -> tuple[int, int, str]:
    """Start, length and the rest, as a DBC writes a signal that is somewhere in 8 bytes."""
    length = draw(st.integers(1, 32))
    sign = draw(st.sampled_from("+-"))
    if draw(st.booleans()):
        return draw(st.integers(0, 64 - length)), length, f"1{sign}"
    first = draw(st.integers(0, 64 - length))  # of the frame's bits from its beginning
    return 8 * (first // 8) + 7 - first % 8, length, f"0{sign}"


numbers = st.decimals("-50", "50", places=3).filter(bool)


def profile_of(text: str, points: dict, anchors: list[str]) -> CanProfile:
    data = {**BASE, "dbc": {"file": "own.dbc", "text": text}, "points": points, "anchors": anchors}
    return own({k: v for k, v in data.items() if k != "flags"})


@given(st.lists(st.tuples(places(), numbers, numbers), min_size=1, max_size=12), st.data())
def test_bits_anywhere_in_both_orders_are_what_cantools_says(signals, data):
    text, points = HEAD, {}
    for n, ((start, length, rest), factor, offset) in enumerate(signals):
        text += f"BO_ {n} Raw{n}: 8 B\n"
        text += f' SG_ Raw{n} : {start}|{length}@{rest} (1,0) [0|0] "" B\n'
        text += f"BO_ {100 + n} Volt{n}: 8 B\n"
        text += f' SG_ Volt{n} : {start}|{length}@{rest} ({factor},{offset}) [0|0] "V" B\n'
        points[f"raw{n}_count"] = {"signal": f"Raw{n}.Raw{n}", "absent": [], "plausible": ANYTHING}
        points[f"volt{n}_mv"] = {"signal": f"Volt{n}.Volt{n}", "absent": [], "plausible": ANYTHING}
    theirs = Database(strict=False)
    theirs.add_dbc_string(text)
    of = profile_of(text, points, ["Raw0"]).table().codec
    for n, (_, factor, offset) in enumerate(signals):
        bits = data.draw(st.binary(min_size=8, max_size=8))
        said = theirs.get_message_by_frame_id(n).decode(bits, scaling=False)[f"Raw{n}"]
        ((value, quality),) = decode(of, CanFrame(n, bits)).slots.values()
        assert (value, quality) == (said, Quality.GOOD)
        ((value, _),) = decode(of, CanFrame(100 + n, bits)).slots.values()
        exact = 1000 * (said * Fraction(str(factor)) + Fraction(str(offset)))
        assert value == floor(exact + Fraction(1, 2))


PAGED = HEAD + (
    "BO_ 5 Cells: 8 B\n"
    ' SG_ Page M : 3|4@1+ (1,0) [0|0] "" B\n'
    ' SG_ Always : 8|8@1- (1,0) [0|0] "" B\n'
    ' SG_ A m0 : 16|16@1+ (1,0) [0|0] "" B\n'
    ' SG_ B m1 : 23|16@0- (1,0) [0|0] "" B\n'
    ' SG_ C m9 : 32|3@1+ (1,0) [0|0] "" B\n'
)
DEEPER = HEAD + (
    "BO_ 5 Cells: 8 B\n"
    ' SG_ Page M : 3|4@1+ (1,0) [0|0] "" B\n'
    ' SG_ Always : 8|8@1- (1,0) [0|0] "" B\n'
    ' SG_ A m0M : 16|2@1+ (1,0) [0|0] "" B\n'
    ' SG_ B m1 : 23|16@0- (1,0) [0|0] "" B\n'
    ' SG_ C m1 : 32|3@1+ (1,0) [0|0] "" B\n'
    "SG_MUL_VAL_ 5 A Page 0-0, 4-6;\n"
    "SG_MUL_VAL_ 5 B Page 1-1;\n"
    "SG_MUL_VAL_ 5 C A 1-2;\n"
)


@pytest.mark.parametrize("text", [PAGED, DEEPER], ids=["simple", "within each other"])
def test_a_page_of_a_multiplexed_message_is_read_when_it_is_the_one(text):
    names = ("Page", "Always", "A", "B", "C")
    points = {f"{n.lower()}_count": {"signal": n, "absent": [], "plausible": ANYTHING} for n in names}
    of = profile_of(text, points, ["Cells"]).table().codec
    theirs = Database(strict=False)
    theirs.add_dbc_string(text)
    seen = set()

    @given(st.binary(min_size=8, max_size=8))
    @settings(max_examples=300)
    def check(bits):
        slots = decode(of, CanFrame(5, bits)).slots
        found = {names[of.slots[slot].point]: value for slot, (value, _) in slots.items()}
        try:
            said = theirs.get_message_by_frame_id(5).decode(bits, scaling=False)
        except DecodeError:  # a page that the file does not know: the rest is there all the same
            said = {name: found[name] for name in found if name in ("Page", "Always", "A")}
        assert found == said
        seen.update(found)

    check()
    assert seen == set(names)


def test_pages_of_one_place_do_not_overlap_and_the_same_page_does():
    points = {f"{n.lower()}_count": {"signal": n, "plausible": ANYTHING} for n in ("A", "B")}
    assert profile_of(PAGED, points, ["Cells"])
    with pytest.raises(Exception, match=r"B \(own.dbc:9\) overlaps A \(own.dbc:8\)"):
        profile_of(PAGED.replace("B m1", "B m0"), points, ["Cells"])


def test_flags_and_gates_of_another_page_stay_what_they_were():
    limit = {"signal": "A", "unit": "A", "gate": "C1", "plausible": [0, 10**9]}
    text = PAGED.replace("C m9 : 32|3", "C1 m9 : 32|1") + ' SG_ Hot m9 : 33|1@1+ (1,0) [0|0] "" B\n'
    data = {**BASE, "dbc": {"file": "own.dbc", "text": text}, "anchors": ["Cells"]}
    flags = {"battery_alarms_flags": {"over_temp_alarm": ["Hot"]}}
    of = own({**data, "points": {"charge_limit_ma": limit}, "flags": flags}).table().codec
    told = {
        page: decode(of, CanFrame(5, bytes([page << 3, 0, 9, 0, 3, 0, 0, 0]))).slots for page in (0, 1, 9)
    }
    assert told[0] == {0: (9000, Quality.GOOD)}
    assert told[1] == {}
    assert told[9] == {1: (1, Quality.GOOD), 2: (2, Quality.GOOD)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "own.dbc is not a DBC file"),
        ("driver: can\n", "own.dbc is not a DBC file"),
        (DBC.replace("Soc :", "Soc ;"), "own.dbc:8:10: not what may stand here in a DBC file"),
        (DBC.replace("Soc :", "Limit :"), "own.dbc:11: a second Limit in Status"),
        (
            DBC.replace("773 Alive", "99999 Alive"),
            "own.dbc is not usable: Standard frame id 0x1869f is more than",
        ),
        (DBC.replace("Long: 64", "Long: 800000000"), "own.dbc:16: Long has 800000000 bytes"),
        (DEEPER.replace("4-6", "4-4000000000"), "own.dbc:11: over 16384 pages of multiplexed"),
        (
            DBC.replace("32|8@1+", "32|0@1+"),
            "own.dbc is not usable: The signal Soc length 0 is not greater than 0",
        ),
    ],
)
def test_what_is_no_usable_file_is_one_line_with_its_place(text, says):
    with pytest.raises(ValueError) as refused:
        dbc.read(text, "own.dbc")
    assert str(refused.value).startswith(says) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "trouble"),
    [
        ("", "SIG_VALTYPE_ 756 Limit : 1;\n", "is a floating-point number"),
        ('Limit : 48|16@1+ (0.1,0)', 'Limit : 24|40@1+ (0.1,0)', "has 40 bits, more than 32"),
        ('Limit : 48|16@1+ (0.1,0)', 'Limit : 48|16@1+ (1e999,0)', "has the factor inf and the offset 0"),
        ("Limit : 48", "Limit m3 : 48", "is marked as multiplexed, but the file does not say by what"),
    ],
)  # fmt: skip
def test_what_no_frame_can_bring_is_kept_with_the_reason(old, new, trouble):
    text = DBC.replace(old, new) if old else DBC + new
    status, *_ = dbc.read(text, "own.dbc").messages
    kept = {signal.name: signal for signal in status.signals}
    assert (kept["Limit"].place, kept["Limit"].trouble) == (None, trouble)
    assert kept["Voltage"].place and not kept["Voltage"].trouble


def test_factors_are_what_is_written_and_cycles_what_the_file_says():
    said = 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;\nBA_ "GenMsgCycleTime" BO_ 756 20;\n'
    status, other, *_ = dbc.read(DBC + said, "own.dbc").messages
    assert (status.cycle_ms, other.cycle_ms) == (20, 0)
    assert (status.id, status.extended, other.id, other.extended) == (0x2F4, False, 0xA90, True)
    assert [s.factor for s in status.signals[:3]] == [Fraction(1, 10), Fraction(1, 10), Fraction(1)]
    assert [(s.line, s.offset) for s in status.signals[:2]] == [(6, Fraction(0)), (7, Fraction(-400))]


@settings(max_examples=300)
@given(st.integers(0, len(DEEPER)), st.integers(0, 40), st.text(st.characters(codec="latin-1"), max_size=12))
@example(0, 10**6, "")
def test_a_damaged_file_is_read_or_refused_in_one_line(at, cut, instead):
    try:
        dbc.read(DEEPER[:at] + instead + DEEPER[at + cut :], "own.dbc")
    except ValueError as error:
        assert str(error).startswith("own.dbc") and "\n" not in str(error)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"^own\.dbc"):
        dbc.read(text, "own.dbc")


WITHOUT = """\
import sys
sys.modules["cantools"] = None
from gateway.cli import main
sys.exit(main())
"""
SITE = """\
site: {id: bench, limits: {charge: 1 kW, discharge: 1 kW, grid import: 1 kW, grid export: 1 kW}}
devices:
  bms: {profile: byd_hv_can, link: "can://can0"}
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("check", "site.yaml"), 1, 'CAN profiles need the library cantools: pip install "gridseal[can]"\n'),
        (("scan", "tcp", "127.0.0.1", "--port", "1"), 1, ""),  # nobody is there; no battery on CAN would be
    ],
)
def test_without_the_library_the_extra_is_named_by_what_needs_it(tmp_path, words, code, said):
    (tmp_path / "site.yaml").write_text(SITE)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code and done.stderr.endswith(said) and "Traceback" not in done.stderr
    assert ("cantools" in done.stderr) == bool(said)


@pytest.mark.parametrize("name", SHIPPED)
def test_our_own_files_hold_in_the_strict_reading_too(name):
    Database(strict=True).add_dbc_string((PLUGIN.profiles / name).read_text())
