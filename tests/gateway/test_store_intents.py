"""Intents, transactions and nonces in the store: what is given once, what waits, what is kept."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.errors import StoreError
from gateway.site import StoreSettings
from gateway.store import Store, intents
from gateway.store.intents import NewIntent, Outgoing
from tests.gateway.stores import memory

ME = "0xme"


class FixedClock:
    def mono_ms(self):
        return 0

    def now(self):
        from gateway.model import ClockTrust, Stamp

        return Stamp(0, 1_790_000_000_000, ClockTrust.TRUSTED)


@pytest.fixture
def conn():
    made = memory()
    yield made
    made.close()


def tx(number: int) -> Outgoing:
    return Outgoing(f"0x{number}", b"raw", 100 + number, 10)


def queue(conn, number: int, **more) -> int:
    assert intents.add(conn, NewIntent(f"k{number}", "0xC0FFEE", b"d", 50_000, **more), 5)
    return intents.get(conn, f"k{number}").id


def test_a_key_is_added_once_for_ever(conn):
    one = queue(conn, 1)
    again = NewIntent("k1", "0xother", b"x", 1)
    assert not intents.add(conn, again, 6)
    intents.finish(conn, one, "refused")
    assert not intents.add(conn, again, 7)
    assert intents.get(conn, "k1").contract == "0xc0ffee"
    assert intents.get(conn, "nosuch") is None


def test_the_queue_is_bounded(conn, monkeypatch):
    monkeypatch.setattr(intents, "OPEN_MAX", 2)
    queue(conn, 1)
    two = queue(conn, 2)
    assert not intents.add(conn, NewIntent("k3", "0x", b"", 1), 0)
    intents.finish(conn, two, "refused")
    queue(conn, 3)


def test_a_nonce_is_given_once(conn):
    one, two = queue(conn, 1), queue(conn, 2)
    assert intents.next_nonce(conn, ME) == 0
    intents.give_nonce(conn, one, ME, 4, tx(1), 50_000, 9)
    assert intents.next_nonce(conn, ME) == 5
    assert intents.next_nonce(conn, "0xother") == 0
    for nonce in (4, 3, 0):
        with pytest.raises(StoreError, match="not given twice"):
            intents.give_nonce(conn, two, ME, nonce, tx(2), 50_000, 9)
    with pytest.raises(StoreError, match="is not queued"):
        intents.give_nonce(conn, one, ME, 5, tx(2), 50_000, 9)
    ((intent, sent),) = intents.sent(conn, ME)
    assert (intent.nonce, intent.cost_wei, sent) == (4, 50_000 * 101, [tx(1)])
    assert [i.id for i in intents.queued(conn)] == [two]


def test_dearer_transactions_add_up_to_the_dearest(conn):
    one = queue(conn, 1)
    with pytest.raises(StoreError, match="has no nonce"):
        intents.raise_fees(conn, one, tx(1))
    intents.give_nonce(conn, one, ME, 0, tx(1), 50_000, 9)
    intents.raise_fees(conn, one, tx(7))
    intents.published(conn, "0x7")
    ((intent, sent),) = intents.sent(conn, ME)
    assert [t.published for t in sent] == [False, True]
    assert intent.cost_wei == 50_000 * 107
    assert intents.spent_since(conn, 8) == 50_000 * 107
    assert intents.spent_since(conn, 9) == 50_000 * 107, "on its way: it is paid when it is mined"
    intents.finish(conn, one, "confirmed", 77)
    assert (intents.spent_since(conn, 8), intents.spent_since(conn, 9)) == (77, 0)


def test_a_sum_beyond_the_integers_of_sql(conn):
    for n in range(3):
        intents.give_nonce(conn, queue(conn, n), ME, n, tx(n), 1, 9)
    conn.execute("UPDATE intent SET cost_wei = ?", (2**63 - 1,))
    assert intents.spent_since(conn, 0) == 3 * (2**63 - 1)


def test_only_what_is_queued_is_claimed_and_withdrawn(conn):
    one, two = queue(conn, 1), queue(conn, 2)
    assert intents.claim(conn, one, ME, 0, tx(1), 50_000, 9).state == "sent"
    assert not intents.withdraw(conn, one)
    assert intents.outgoing(conn, one) == [tx(1)]
    assert intents.withdraw(conn, two)
    assert intents.claim(conn, two, ME, 1, tx(2), 50_000, 9) is None
    assert intents.next_nonce(conn, ME) == 1


def test_a_finished_one_keeps_its_true_cost_and_no_transactions(conn):
    one = queue(conn, 1)
    intents.give_nonce(conn, one, ME, 0, tx(1), 50_000, 9)
    intents.place(conn, one, 12, "0xb")
    intents.finish(conn, one, "confirmed", 777, 33)
    found = intents.get(conn, "k1")
    assert (found.state, found.cost_wei, found.gas_used, found.block_number) == ("confirmed", 777, 33, 12)
    assert intents.outgoing(conn, one) == []
    with pytest.raises(StoreError, match="finished already"):
        intents.finish(conn, one, "confirmed")
    with pytest.raises(StoreError, match="no end"):
        intents.finish(conn, one, "sent")


def test_requeue_and_again_wait_for_a_new_nonce(conn):
    one = queue(conn, 1)
    intents.give_nonce(conn, one, ME, 0, tx(1), 50_000, 9)
    intents.requeue(conn, one)
    assert intents.get(conn, "k1").nonce == intents.NO_NONCE
    assert intents.outgoing(conn, one) == []
    assert intents.next_nonce(conn, ME) == 1
    intents.give_nonce(conn, one, ME, 1, tx(2), 50_000, 9)
    intents.finish(conn, one, "reverted", 5)
    intents.again(conn, one)
    assert [i.id for i in intents.queued(conn)] == [one]
    assert intents.spent_since(conn, 0) == 5, "what a failed try cost stays counted"
    intents.again(conn, one)  # of what is queued: nothing
    intents.give_nonce(conn, one, ME, 2, tx(3), 50_000, 9)
    intents.finish(conn, one, "confirmed")
    intents.again(conn, one)  # of what is confirmed: nothing
    assert intents.get(conn, "k1").state == "confirmed"


def test_one_that_follows_waits_and_falls(conn):
    queue(conn, 2, after="k1")
    queue(conn, 3, after="k2")
    one = queue(conn, 1)
    assert [i.key for i in intents.queued(conn)] == ["k1"]
    intents.give_nonce(conn, one, ME, 0, tx(1), 50_000, 9)
    intents.finish(conn, one, "confirmed")
    assert [i.key for i in intents.queued(conn)] == ["k2"]
    intents.finish(conn, intents.get(conn, "k2").id, "refused")
    assert intents.get(conn, "k3").state == "refused"


def test_old_finished_ones_are_forgotten_but_never_the_highest_nonce(conn, monkeypatch):
    monkeypatch.setattr(intents, "FINISHED_KEPT", 3)
    for n in range(10):
        intents.give_nonce(conn, queue(conn, n), ME, n, tx(n), 50_000, 9)
        if n != 1:
            intents.finish(conn, intents.get(conn, f"k{n}").id, "confirmed")
    assert [intents.get(conn, f"k{n}") is not None for n in range(10)] == [
        n in (1, 7, 8, 9) for n in range(10)
    ]
    assert intents.next_nonce(conn, ME) == 10
    assert conn.execute("SELECT nonce FROM nonce ORDER BY nonce").fetchall() == [(1,), (7,), (8,), (9,)]


def test_references(conn, monkeypatch):
    monkeypatch.setattr(intents, "REFERENCES_KEPT", 2)
    for n in range(4):
        intents.refer(conn, f"c{n}", f"service {n}")
    intents.refer(conn, "c3", "changed")
    assert [intents.reference(conn, f"c{n}") for n in range(4)] == ["", "", "service 2", "service 3"]


async def test_the_real_store_has_the_tables(tmp_path):
    store = Store(StoreSettings(tmp_path / "s.db"), FixedClock())
    await store.open()
    try:
        assert await store.call(intents.add, NewIntent("k", "0x1", b"d", 1), 0)
        with pytest.raises(StoreError):
            await store.call(intents.give_nonce, 99, ME, 0, tx(1), 1, 0)
        assert await store.call(intents.next_nonce, ME) == 0, "a refused transaction leaves no nonce behind"
    finally:
        await store.close()


class Nonces(RuleBasedStateMachine):
    """Any order of the operations: every nonce ever given was given once, each higher than those before."""

    @initialize()
    def begin(self):
        self.conn, self.count, self.given = memory(), 0, []

    def teardown(self):
        self.conn.close()

    @rule()
    def add(self):
        self.count += 1
        queue(self.conn, self.count, ordered=bool(self.count % 2))

    @precondition(lambda self: intents.queued(self.conn))
    @rule(skip=st.integers(-2, 3))
    def give(self, skip):
        nonce = intents.next_nonce(self.conn, ME) + skip
        first = intents.queued(self.conn)[0].id
        try:
            intents.give_nonce(self.conn, first, ME, nonce, tx(len(self.given)), 1, 1)
            self.given.append(nonce)
        except StoreError:
            assert skip < 0

    @precondition(lambda self: intents.sent(self.conn, ME))
    @rule(end=st.sampled_from(["confirmed", "reverted", "requeue"]))
    def end(self, end):
        first = intents.sent(self.conn, ME)[0][0].id
        if end == "requeue":
            intents.requeue(self.conn, first)
        else:
            intents.finish(self.conn, first, end)
        if end == "reverted":
            intents.again(self.conn, first)

    @invariant()
    def nonces_only_rise(self):
        assert self.given == sorted(set(self.given))


Nonces.TestCase.settings = settings(max_examples=30, stateful_step_count=20)
TestNonces = Nonces.TestCase


def test_one_that_a_reorg_took_back_keeps_its_nonce_and_its_old_transaction_is_looked_for(conn):
    for nonce in range(3):
        number = queue(conn, nonce)
        intents.give_nonce(conn, number, ME, nonce, tx(nonce), 50_000, 7)
        intents.finish(conn, number, "confirmed", 5, 40_000, f"0x{nonce}")
    assert [i.nonce for i in intents.unmined(conn, ME, 1, 3, 9)] == [1, 2]
    assert [i.nonce for i in intents.unmined(conn, ME, 1, 3, 1)] == [1]
    assert intents.unmined(conn, "0xother", 0, 3, 9) == []
    gone = intents.unmined(conn, ME, 2, 3, 9)[0]
    intents.reopen(conn, gone.id, tx(9))
    ((again, transactions),) = intents.sent(conn, ME)
    assert (again.nonce, again.state, again.cost_wei) == (2, "sent", 50_000 * 109)
    assert [t.hash for t in transactions] == ["0x2", "0x9"]
    with pytest.raises(StoreError, match="no reorg can take it back"):
        intents.reopen(conn, gone.id, tx(10))
    assert intents.next_nonce(conn, ME) == 3
