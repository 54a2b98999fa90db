"""The witness: what it allows follows what was published, and every write beyond is counted."""

from rig.witness import GRACE_MS, JOURNAL_MAX, STALE_MS, Witness


def test_nothing_is_allowed_before_a_limit_was_published():
    witness = Witness(5_000, 5_000)
    assert witness.allowed(0) == (0, 0)
    assert witness.write(0, 1, 40, [7], 1).outside
    assert not witness.write(0, 1, 40, [0], 0).outside
    assert not witness.write(0, 1, 41, [1], None).outside


def test_the_nameplate_and_the_published_limit_both_bind():
    witness = Witness(5_000, 4_000)
    witness.publish(0, 9_000, 3_000)
    assert witness.allowed(100) == (5_000, 3_000)
    for demand, outside in ((-5_000, False), (-5_001, True), (3_000, False), (3_001, True)):
        assert witness.write(100, 1, 0, [1], demand).outside is outside
    assert witness.summary()["writes_outside_envelope"] == 2


def test_a_lower_limit_binds_after_the_grace_and_a_silent_battery_after_that():
    witness = Witness(5_000, 5_000)
    witness.publish(0, 5_000, 5_000)
    witness.publish(1_000, 0, 0)
    assert witness.allowed(1_000 + GRACE_MS) == (5_000, 5_000)  # who polled at 999 ms could not know
    witness.publish(2_000, 0, 0)
    assert witness.allowed(2_001 + GRACE_MS) == (0, 0)
    witness.publish(10_000, 1_000, 1_000)
    assert witness.allowed(10_000 + GRACE_MS + STALE_MS) == (1_000, 1_000)
    assert witness.allowed(10_001 + GRACE_MS + STALE_MS) == (0, 0)


def test_reactive_power_beyond_the_rating_is_counted_either_way():
    witness = Witness(1, 1)
    for var in (0, 6_000, -6_000, 6_001, -6_001):
        witness.react(var, 6_000)
    assert witness.var_outside == witness.summary()["writes_var_outside_rating"] == 2


def test_the_journal_is_bounded_and_the_counts_are_not():
    witness = Witness(1, 1)
    for number in range(JOURNAL_MAX + 5):
        witness.write(number, 1, 40, [number & 0xFFFF], None)
    assert len(witness.entries) == JOURNAL_MAX
    assert witness.writes == witness.by_address[1, 40] == JOURNAL_MAX + 5
    assert [entry["at_ms"] for entry in witness.last(2)] == [JOURNAL_MAX + 3, JOURNAL_MAX + 4]
    assert witness.last(0) == []
