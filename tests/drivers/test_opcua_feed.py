"""What a subscription said last, a slot a node."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.codec import Heard
from drivers.opcua.feed import SEQUENCE_MAX, Feed
from gateway.errors import FrameError
from gateway.model import ClockTrust, Stamp


def take(feed, sequence, changes=(), *, more=False, at_ms=0):
    stamp = Stamp(at_ms, at_ms, ClockTrust.UNTRUSTED)
    feed.take(changes, sequence=sequence, empty=not changes, more=more, stamp=stamp)


ONE, TWO = Heard("Double", 1.0), Heard("Double", 2.0)


def test_a_change_replaces_and_silence_confirms():
    feed = Feed(2)
    assert not feed.complete and not feed.fresh
    take(feed, 1, [(0, ONE)])
    assert feed.fresh and not feed.complete
    take(feed, 2, [(1, ONE), (0, TWO)])
    assert feed.complete and feed.heard == [TWO, ONE]
    feed.fresh = False
    take(feed, 3, at_ms=7)  # alive: nothing changed, and number 3 is still to come
    assert feed.fresh and feed.stamp.mono_ms == 7 and feed.heard == [TWO, ONE]
    take(feed, 3, [(0, ONE)])
    assert feed.heard == [ONE, ONE]


def test_the_rest_of_a_long_message_is_waited_for():
    feed = Feed(2)
    take(feed, 1, [(0, ONE)], more=True)
    assert not feed.fresh
    take(feed, 2, [(1, ONE)])
    assert feed.fresh


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_a_lost_or_repeated_message_ends_it(sequence):
    feed = Feed(1)
    take(feed, 1, [(0, ONE)])
    with pytest.raises(FrameError, match=f"number {sequence} came, not 2"):
        take(feed, sequence, [(0, TWO)])


@pytest.mark.parametrize("handle", [-1, 2, 2**32 - 1])
def test_a_node_that_nobody_asked_for_is_refused(handle):
    with pytest.raises(FrameError, match="not asked for"):
        take(Feed(2), 1, [(handle, ONE)])


def test_numbers_begin_again_at_one():
    feed = Feed(1)
    feed._next = SEQUENCE_MAX
    take(feed, SEQUENCE_MAX, [(0, ONE)])
    take(feed, 1, [(0, TWO)])
    assert feed.heard == [TWO]


@given(st.lists(st.tuples(st.integers(-2, 4), st.integers(0, 5), st.booleans()), max_size=30))
def test_it_never_grows(messages):
    feed = Feed(2)
    for handle, sequence, more in messages:
        with contextlib.suppress(FrameError):
            take(feed, sequence, [(handle, ONE)], more=more)
    assert len(feed.heard) == 2
