"""Samples in rows: what is packed comes back, ranges are exact, undated samples are dated once."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.model import ClockTrust, Point, Sample, Stamp
from gateway.store import meta, samples
from gateway.store.samples import PointSets, pack, unpack
from tests.gateway.stores import POINTS, WALL_MS, memory, sample

NARROW = st.integers(-(2**31), 2**31 - 1)
WIDE = st.integers(-(2**63), 2**63 - 1)


@given(st.one_of(st.lists(NARROW), st.lists(WIDE)), st.data())
def test_packed_values_and_qualities_come_back(values: list[int], data: st.DataObject) -> None:
    qualities = bytes(data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values))))
    assert unpack(pack(values, qualities), len(values)) == (tuple(values), qualities)


def test_a_good_sample_of_100_small_values_takes_400_bytes() -> None:
    assert len(pack(range(100), bytes(100))) == 400
    assert len(pack([2**31, *range(99)], bytes(100))) == 800
    assert len(pack(range(100), bytes(99) + b"\1")) == 500


@given(st.binary(max_size=40), st.integers(0, 5))
def test_unpack_takes_any_bytes_or_says_no(body: bytes, count: int) -> None:
    try:
        values, qualities = unpack(body, count)
    except StoreError:
        return
    assert len(values) == len(qualities) == count


def test_pack_refuses_what_does_not_fit() -> None:
    with pytest.raises(StoreError, match="a sample of 2 values has 1 qualities"):
        pack([1, 2], b"\0")
    with pytest.raises(struct.error):
        pack([2**63], b"\0")  # a driver's bug: no quantity is that large


def test_samples_come_back_in_order_with_their_numbers() -> None:
    conn, sets = memory(), PointSets()
    assert samples.last_seq(conn) == 0
    assert samples.insert_many(conn, [sample(n) for n in range(5)], boot=1, sets=sets) == 5
    assert samples.insert_many(conn, [sample(n) for n in range(5, 8)], boot=1, sets=sets) == 8
    assert samples.after(conn, 0, 100) == [(n + 1, sample(n)) for n in range(8)]
    assert samples.after(conn, 6, 1) == [(7, sample(6))]
    assert samples.latest(conn, 2) == [(8, sample(7)), (7, sample(6))]
    assert samples.between(conn, WALL_MS + 2, WALL_MS + 4) == [(3, sample(2)), (4, sample(3))]
    assert samples.between(conn, WALL_MS + 8, WALL_MS + 99) == []


def test_pages_follow_the_dates_though_samples_came_out_of_order() -> None:
    conn = memory()
    samples.insert_many(conn, [sample(n) for n in (5, 3, 9, 3, 1)], boot=1)
    found, place = [], (WALL_MS + 2, 0)
    while rows := samples.page(conn, place, WALL_MS + 9, 2):
        found += [(s.stamp.mono_ms, seq) for seq, s in rows]
        place = (rows[-1][1].stamp.wall_ms, rows[-1][0])
    assert found == [(3, 2), (3, 4), (5, 1)]
    assert samples.devices(conn) == ["bms"]


def test_a_record_covers_what_was_stored_dated_and_believed_then() -> None:
    conn = memory()
    taken = [sample(10), sample(30), sample(20, ClockTrust.UNTRUSTED), sample(20), sample(25), sample(29)]
    samples.insert_many(conn, taken, boot=1)
    span = (WALL_MS + 10, WALL_MS + 30)
    assert [seq for seq, _ in samples.covered(conn, (1, 5), span, 100)] == [1, 4, 5]
    assert [seq for seq, _ in samples.covered(conn, (1, 6), span, 2)] == [1, 4]


def test_a_point_set_is_stored_once_whatever_tuple_names_it() -> None:
    conn, sets = memory(), PointSets()
    copy = tuple(Point(p.device, p.name, p.evidence) for p in POINTS)
    other = Sample("bms", Stamp(1, 2, ClockTrust.TRUSTED), copy[:1], (3,), b"\0")
    same = Sample("bms", Stamp(1, 2, ClockTrust.TRUSTED), copy, (3, 4), b"\0\0")
    samples.insert_many(conn, [sample(1), same, other, sample(2)], boot=1, sets=sets)
    samples.insert_many(conn, [sample(3)], boot=1)
    assert conn.execute("SELECT count(*) FROM point_set").fetchone() == (2,)
    points = [found.points for _, found in samples.after(conn, 0, 9, sets)]
    assert points == [POINTS, copy, copy[:1], POINTS, POINTS]
    assert points[0] is points[3]  # one tuple a set, so that followers can know it by identity


def test_many_tuples_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "IDENTITIES_MAX", 3)
    conn, sets = memory(), PointSets()
    for number in range(10):
        points = (Point("bms", "x_w"),)
        stamp = Stamp(number, number, ClockTrust.TRUSTED)
        samples.insert_many(conn, [Sample("bms", stamp, points, (number,), b"\0")], 1, sets)
    assert [found.values for _, found in samples.after(conn, 0, 99, sets)] == [(n,) for n in range(10)]
    assert len(sets._by_identity) <= 3


def test_samples_of_a_missing_point_set_are_an_error_not_a_guess() -> None:
    conn = memory()
    samples.insert_many(conn, [sample(1)], boot=1)
    conn.execute("DELETE FROM point_set")
    with pytest.raises(StoreError, match="name point set 1, which is missing"):
        samples.after(conn, 0, 1)


def test_only_untrusted_samples_of_this_start_are_dated() -> None:
    conn = memory()
    stopped = Stamp(0, 0, ClockTrust.UNTRUSTED)
    assert meta.begin_boot(conn, stopped) == 1
    samples.insert_many(conn, [sample(1, ClockTrust.UNTRUSTED, offset_ms=7)], boot=1)
    assert meta.begin_boot(conn, stopped) == 2
    early = [sample(n, ClockTrust.UNTRUSTED, offset_ms=7) for n in (10, 20)]
    samples.insert_many(conn, [*early, sample(30)], boot=2)
    assert samples.backdate(conn, 2, mono_ms=100, wall_ms=5100) == 2
    assert [(s.stamp.mono_ms, s.stamp.wall_ms, s.stamp.trust) for _, s in samples.after(conn, 0, 9)] == [
        (1, 8, ClockTrust.UNTRUSTED),
        (10, 5010, ClockTrust.BACKDATED),
        (20, 5020, ClockTrust.BACKDATED),
        (30, WALL_MS + 30, ClockTrust.TRUSTED),
    ]
    assert samples.backdate(conn, 2, mono_ms=100, wall_ms=9999) == 0  # never dated twice
