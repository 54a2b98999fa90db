"""Many sites' intervals in one transaction: cheaper for each, none changed, none held up by another's."""

import pytest
from contracts.fleet import Fleet, measure, words_of


@pytest.fixture(scope="module")
def table() -> dict[str, int]:
    return measure((1, 10, 40))


def test_the_more_sites_the_cheaper_each(table: dict[str, int]) -> None:
    """A plain transaction is 21,000 gas; in company nobody pays it alone."""
    assert table["40 sites"] < table["10 sites"] < table["1 sites"]
    assert table["1 sites"] < table["alone"] + 1_500, "the batch costs little by itself"
    assert table["40 sites"] < table["alone"] - 18_000


def test_more_than_a_batch_is_several_transactions_at_its_price() -> None:
    found = measure((2, 4), batch=2)
    assert abs(found["4 sites"] - found["2 sites"]) < 50


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(4)


def test_several_of_one_site_go_in_order(fleet: Fleet) -> None:
    site, other = fleet.sites[:2]
    receipt = fleet.relay([site.next(), other.next(), site.next(), site.next()])
    assert fleet.accepted(receipt) == 4
    assert fleet.contract.call("lastSequence", site.key.address) == 3


def test_what_is_not_right_is_passed_over_and_holds_nobody_up(fleet: Fleet) -> None:
    one, two, three, four = (site.next() for site in fleet.sites)
    words = [words_of(record, fleet.contract.address) for record in (one, two, three, four)]
    words[0][4] = (int.from_bytes(words[0][4], "big") + (1 << 40)).to_bytes(32, "big")  # another energy
    words[1][6] = bytes(32)  # no signature
    words[2][3] = b"\xff" + words[2][3][1:]  # spare bits
    receipt = fleet.contract.send("submitIntervals", words, sender=fleet.relayer)
    assert fleet.accepted(receipt) == 1
    last = [fleet.contract.call("lastSequence", site.key.address) for site in fleet.sites]
    assert last == [0, 0, 0, 1]
    assert fleet.accepted(fleet.relay([one, two, three, four])) == 3, "the right ones; the fourth is there"


def test_a_record_goes_once_and_only_next(fleet: Fleet) -> None:
    site = fleet.sites[0]
    one, two = site.next(), site.next()
    assert fleet.accepted(fleet.relay([two])) == 0
    assert fleet.accepted(fleet.relay([one, one])) == 1
    assert fleet.accepted(fleet.relay([two, one])) == 1


def test_a_key_that_is_bound_to_nothing_counts_for_nothing(fleet: Fleet) -> None:
    site = fleet.sites[0]
    record = site.next()
    fleet.contract.send("setGatewayKey", 1, "0x" + "00" * 20, bytes(32), b"", sender=fleet.chain.accounts[1])
    assert fleet.accepted(fleet.relay([record])) == 0
