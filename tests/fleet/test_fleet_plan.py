"""Which records go together, and when: every law of the planner, on any fleet."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.platforms.calls import Call
from gateway.chain.quorum import GAS_MAX
from gateway.fleet.page import Piece
from gateway.fleet.plan import BATCH, CALLS_MAX, Parcel, Queue, Share, parcels
from gateway.fleet.settings import RECORDS_MAX, Pace

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
WAIT_MS = 300_000


def interval(site: str, sequence: int) -> Piece:
    digest = f"{site}/{sequence}".encode().ljust(32, b".")
    return Piece(sequence, digest, (digest,) * 7)


def other(site: str, sequence: int, contract: str = A) -> Piece:
    digest = f"{site}/{sequence}".encode().ljust(32, b"!")
    return Piece(sequence, digest, call=Call(contract, digest, 1))


def queue(site: str, kinds: str, since_ms: int = 0, contract: str = A) -> Queue:
    """`kinds`: i for an interval, o for another record, in order."""
    made = {"i": lambda n: interval(site, n), "o": lambda n: other(site, n, contract)}
    return Queue(site, contract, since_ms, tuple(made[kind](n) for n, kind in enumerate(kinds, 1)))


def planned(queues, now_ms=0, records=10, wait_ms=WAIT_MS):
    return [
        {share.site: [p.sequence for p in share.pieces] for share in parcel.shares}
        for parcel in parcels(queues, now_ms, Pace(records, wait_ms))
    ]


def test_nothing_waits_nothing_goes():
    assert planned([]) == []
    assert planned([queue("a", "")], now_ms=10**9) == []


def test_a_batch_goes_when_it_is_full_or_has_waited():
    few = [queue("a", "i"), queue("b", "ii", since_ms=200)]
    assert planned(few, now_ms=WAIT_MS - 1) == []
    assert planned(few, now_ms=WAIT_MS) == [{"a": [1], "b": [1, 2]}]
    assert planned(few, records=3) == [{"a": [1], "b": [1, 2]}]
    assert planned(few, wait_ms=0) == [{"a": [1], "b": [1, 2]}]


def test_a_long_backlog_does_not_crowd_out_the_others():
    sites = [queue("a", "i" * 30), queue("b", "ii"), queue("c", "i")]
    assert planned(sites, records=6) == [{"a": [1, 2, 3], "b": [1, 2], "c": [1]}]


def test_more_sites_than_fit_are_several_batches_and_the_last_waits():
    sites = [queue(f"s{n:02}", "i", since_ms=n) for n in range(25)]
    found = planned(sites)
    assert [len(batch) for batch in found] == [10, 10]
    assert [len(batch) for batch in planned(sites, now_ms=WAIT_MS + 20)] == [10, 10, 5]


def test_another_kind_goes_at_once_alone_and_what_is_behind_it_waits():
    assert planned([queue("a", "oii"), queue("b", "ioi")], wait_ms=0) == [{"a": [1]}, {"b": [1]}]


def test_contracts_are_apart():
    sites = [queue("a", "i"), queue("b", "i", contract=B), queue("c", "i")]
    assert planned(sites, wait_ms=0) == [{"a": [1], "c": [1]}, {"b": [1]}]


def test_a_parcel_s_call():
    single = Parcel(A, (Share("a", (other("a", 1),)),))
    assert single.call == other("a", 1).call
    two = Parcel(A, (Share("a", (interval("a", 1), interval("a", 2))), Share("b", (interval("b", 1),))))
    assert two.call.contract == A and two.call.data[:4] == BATCH
    words = [two.call.data[n : n + 32] for n in range(4 + 64, len(two.call.data), 32)]
    assert words == [w for p in (*two.shares[0].pieces, *two.shares[1].pieces) for w in p.words]
    assert len(two.digests) == 3


def test_the_largest_batch_fits_the_gas_of_one_transaction():
    full = Parcel(A, (Share("a", tuple(interval("a", n) for n in range(RECORDS_MAX))),))
    assert full.call.gas <= GAS_MAX < full.call.gas + 45_000


queues = st.lists(
    st.builds(
        lambda n, kinds, since, contract: queue(f"s{n}", kinds, since, contract),
        st.integers(0, 40), st.text("io", max_size=12), st.integers(0, 1000), st.sampled_from((A, B)),
    ),
    max_size=40, unique_by=lambda q: q.site,
)  # fmt: skip


@given(queues, st.integers(0, 2000), st.integers(1, 12), st.integers(0, 1000))
def test_the_laws_of_any_plan(waiting, now_ms, records, wait_ms):
    found = parcels(waiting, now_ms, Pace(records, wait_ms))
    of = {q.site: q for q in waiting}
    shares = [(parcel, share) for parcel in found for share in parcel.shares]
    assert len(found) <= CALLS_MAX
    assert len({share.site for _, share in shares}) == len(shares), "a site is in one call"
    for parcel, share in shares:
        q = of[share.site]
        assert share.pieces and share.pieces == q.pieces[: len(share.pieces)], "the first, without a hole"
        assert parcel.contract == q.contract
    for parcel in found:
        kinds = [piece.call is None for share in parcel.shares for piece in share.pieces]
        assert kinds == [False] or (all(kinds) and len(kinds) <= records)
    sent = {share.site for _, share in shares}
    if len(found) < CALLS_MAX:
        late = {q.site for q in waiting if q.pieces and now_ms - q.since_ms >= wait_ms}
        singles = {q.site for q in waiting if q.pieces and q.pieces[0].call}
        assert late | singles <= sent, "nobody waits longer than that"
