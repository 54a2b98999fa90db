"""Secrets out of a stream of frames: gone however it is cut, and the frames are as sound as before."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.families import FAMILIES
from drivers.bms.masking import Masker
from tests.drivers.bms_frames import Reply, cases, readings

KNOWN = {name: family for name, family in FAMILIES.items() if family.secrets is not None}
CASES = [case for case in cases() if case.family.name in KNOWN]
REPLIES = [reply for case in CASES for reply in case.replies]
# What is in recorded frames and must not be in masked ones: serial numbers, passwords, people's names.
PRIVATE = {"jk_pb": (b"40119491480",),
           "jk_ble": (b"2032816012", b"1234", b"123456", b"Mario"), "jk": (b"123456", b"Input Us"),
           "daly_ble": (b"H2.0_103R", b"309F"),
           "daly_hkms": (b"221LD0111", b"20260530"), "daly_hkms_ble": (b"221LD0111",)}  # fmt: skip


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in [*sizes, len(data)]:
        if data[at : at + size]:
            yield data[at : at + size]
        at += size


def masked(reply: Reply, sizes=()) -> bytes:
    masker = Masker(reply.family, reply.family.secrets)
    return b"".join(masker.mask(piece) for piece in cut(reply.raw, list(sizes)))


def test_every_family_says_what_is_secret():
    assert KNOWN.keys() == FAMILIES.keys()


@pytest.mark.parametrize("reply", REPLIES, ids=str)
def test_a_masked_frame_is_read_as_the_recorded_one(reply):
    plain, shown = readings(reply, [reply.raw]), readings(reply, [masked(reply)])
    assert shown == plain and plain
    texts = [{**reply.family.texts(f.kind, f.data)} for f in reply.session().feed(masked(reply))]
    said = [{**reply.family.texts(f.kind, f.data)} for f in reply.session().feed(reply.raw)]
    for before, after in zip(said, texts, strict=True):
        assert after.get("firmware") == before.get("firmware")


def test_nothing_private_is_left():
    for name, words in PRIVATE.items():
        before = b"".join(reply.raw for reply in REPLIES if reply.family.name == name)
        after = b"".join(masked(reply) for reply in REPLIES if reply.family.name == name)
        for word in words:
            assert word in before and word not in after


@given(st.sampled_from(REPLIES), st.lists(st.integers(1, 40), max_size=20))
def test_however_it_is_cut_the_same_comes_out(reply, sizes):
    assert masked(reply, sizes) == masked(reply)
    assert len(masked(reply)) == len(reply.raw)


@given(st.sampled_from([r for r in REPLIES if r.family.name in PRIVATE]), st.data())
def test_what_lost_its_beginning_or_a_part_gives_nothing_away(reply, data):
    """A frame that follows a torn one is masked as any other; what belongs to none is X."""
    torn = data.draw(st.sampled_from([r for r in REPLIES if r.family is reply.family]))
    at = data.draw(st.integers(1, len(torn.raw) - 1))
    masker = Masker(reply.family, reply.family.secrets)
    piece = data.draw(st.sampled_from([torn.raw[:at], torn.raw[at:]]))
    shown = masker.mask(piece) + masker.mask(reply.raw)
    for word in PRIVATE[reply.family.name]:
        assert word not in shown


def test_a_rest_without_its_beginning_is_x():
    (about,) = (r for r in REPLIES if r.family.name == "jk_ble" and b"2032816012" in r.raw)
    masker = Masker(about.family, about.family.secrets)
    assert masker.mask(about.raw[60:]) == b"X" * 240
    masker.mask(about.raw[:50])
    masker.reset()
    assert set(masker.mask(about.raw[50:])) == {ord("X")}


@given(st.sampled_from(REPLIES), st.data())
def test_a_damaged_frame_stays_one(reply, data):
    at = data.draw(st.integers(0, len(reply.raw) - 1))
    flipped = bytearray(reply.raw)
    flipped[at] ^= data.draw(st.integers(1, 255))
    plain = readings(reply, [bytes(flipped)])
    masker = Masker(reply.family, reply.family.secrets)
    assert readings(reply, [masker.mask(bytes(flipped))]) in (plain, [])


@pytest.mark.parametrize("reply", [r for r in REPLIES if r.family.secrets.places(r.raw)], ids=str)
def test_a_frame_damaged_in_a_secret_stays_damaged_wherever(reply):
    """What is hidden hides the damage too: the sum has to tell of it."""
    for place in reply.family.secrets.places(reply.raw):
        for at in place:
            flipped = bytearray(reply.raw)
            flipped[at] ^= 1
            masker = Masker(reply.family, reply.family.secrets)
            assert readings(reply, [masker.mask(bytes(flipped))]) == []


@given(st.sampled_from(sorted(KNOWN)), st.binary(max_size=400))
def test_any_bytes_come_out_as_many(name, data):
    family = KNOWN[name]
    assert len(Masker(family, family.secrets).mask(data)) == len(data)
