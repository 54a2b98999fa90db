"""Networks and ranges as people write them, and which of them may be asked again and again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.addresses import LOOK_MAX, own, spread


@pytest.mark.parametrize(
    ("text", "count", "first", "last"),
    [
        ("192.168.1.10-60", 51, "192.168.1.10", "192.168.1.60"),
        ("192.168.1.7-7", 1, "192.168.1.7", "192.168.1.7"),
        ("192.168.1.0/24", 254, "192.168.1.1", "192.168.1.254"),
        ("192.168.1.77/24", 254, "192.168.1.1", "192.168.1.254"),
        ("10.0.0.4/31", 2, "10.0.0.4", "10.0.0.5"),
        ("fd00::10/126", 3, "fd00::11", "fd00::13"),
        ("127.0.1.23", 1, "127.0.1.23", "127.0.1.23"),
    ],
)
def test_what_people_write(text: str, count: int, first: str, last: str) -> None:
    found = own(text)
    assert (len(found), found[0], found[-1]) == (count, first, last)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.168.0.0/23", "more than 256 addresses"),
        ("0.0.0.0/0", "more than 256 addresses"),
        ("192.168.1.60-10", "ends before it begins"),
        ("192.168.1.60-300", "ends before it begins"),
        ("8.8.8.0/28", "not an address of a network of one's own"),
        ("224.0.0.251", "not an address of a network of one's own"),
        ("inverter.local", "does not appear to be"),
        ("192.168.1.10-20-30", "does not appear to be"),
        ("192.168.1.300-310", "Octet"),
        ("", "does not appear to be"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        own(text)


@given(st.text(alphabet="0123456789./-:af", max_size=24))
def test_whatever_is_written_is_few_private_addresses_or_a_value_error(text: str) -> None:
    try:
        found = own(text)
    except ValueError:
        return
    assert 0 < len(found) <= LOOK_MAX and len(set(found)) == len(found)


def test_a_host_is_neither_network_nor_range() -> None:
    assert spread("inverter.local", 10) == spread("a-b", 10) == spread("my-host-7", 10) == []
