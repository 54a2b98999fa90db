"""A capture's readings under Merkle roots: whole, in part, contradicted, missing, of other profiles."""

import pytest

from gateway.evidence.binding import Binding

A, B = "bms/a_w", "bms/b_w"
UNDER = b"\1" * 32


def bound(*records, readings=None, profiles=UNDER):
    """`records`: (sequence, span, rebuilt, [(point, at, value)])."""
    binding = Binding("bms", readings or {(A, 1): (5, 0), (A, 2): (6, 0)}, UNDER)
    binding.setup(profiles)
    for sequence, span, rebuilt, held in records:
        for point, at, value in held:
            binding.reading((point, at), (value, 0))
        binding.close(sequence, span, rebuilt=rebuilt)
    return binding


def said(binding):
    return " / ".join(binding.told())


def test_all_of_it_under_one_root():
    found = bound((7, (0, 10), True, [(A, 1, 5), (A, 2, 6), ("meter/a_w", 1, 9)]))
    assert found.holds and found.outside == 0 and not list(found.wrong())
    assert "2 of its 2 readings are under the Merkle root of record 7" in said(found)
    assert "no other is there" in said(found)


def test_a_part_is_called_a_part():
    found = bound((7, (0, 2), True, [(A, 1, 5), (B, 1, 1), (B, 0, 1)]))
    assert found.holds and (found.outside, found.others) == (1, 2)
    assert "1 of its 2 readings" in said(found) and "not the other 2" in said(found)
    assert "1 are of times no root here speaks of" in said(found)


def test_two_records():
    found = bound((7, (0, 2), True, [(A, 1, 5)]), (8, (2, 4), True, [(A, 2, 6)]))
    assert found.holds and "record 7 to 8" in said(found)


def test_another_value_speaks_against_it():
    found = bound((7, (0, 10), True, [(A, 1, 5), (A, 2, 7)]))
    assert not found.holds
    assert list(found.wrong()) == [(7, "bms/a_w at 2 is another value than the captured bytes give")]


def test_what_would_have_to_be_there_and_is_not():
    found = bound((7, (0, 10), True, [(A, 1, 5)]))
    assert not found.holds and found.missing == [(A, 2)] and found.outside == 0
    assert "does not hold it" in str(list(found.wrong()))


@pytest.mark.parametrize("records", [(), ((7, (0, 10), False, [(A, 1, 5), (A, 2, 6)]),)])
def test_without_a_rebuilt_root_nothing_is_proven(records):
    found = bound(*records)
    assert not found.holds and found.outside == 2 and not list(found.wrong())
    assert "none of its 2 readings" in said(found)


def test_a_delivery_proves_and_demands_nothing():
    found = bound((9, None, True, [(A, 1, 5)]))
    assert found.holds and found.outside == 1


def test_other_profiles():
    found = bound((7, (0, 10), True, [(A, 1, 5), (A, 2, 6)]), profiles=b"\2" * 32)
    assert not found.holds and "under other profiles" in str(list(found.wrong()))
    assert bound((7, (0, 10), True, [(A, 1, 5), (A, 2, 6)]), profiles=b"").holds  # no setup record: not known
