"""The judge of the chain finds what it is there for: one hand-made violation a rule, and what is right."""

from dataclasses import replace
from unittest.mock import Mock

import pytest
from rig.witness import Entry

from gateway.model import ServiceKind, Source
from tests.sim.chain_judge import ChainJudge, Left
from tests.sim.chain_market import Ordered, Truth
from tests.sim.judge import TIMER_S, Judge

WALL_MS = 1_000_000_000
ORDER = Ordered("a", 1, WALL_MS + 10_000, WALL_MS + 70_000, (900,))
ROW = ("a", Source.CHAIN, "fixed-power", ORDER.begin_ms, ORDER.end_ms, '{"power_w":900}', "admitted")
STOP = ("s", Source.CHAIN, ServiceKind.STOP, 0, 0, "{}", "admitted")
SENT = Left(0, "0xc0", b"call", 1, b"content", b"r")


def made(**more: object) -> ChainJudge:
    """Of a life that began at 0 with its fallback, on a chain where nothing is final yet."""
    judge = Judge(5000, TIMER_S["sunspec"])
    judge.began(0, WALL_MS, {})
    judge.wrote(entry(100, None))
    truth = Truth(Mock(), "0x5e", 1)
    return ChainJudge(
        judge, truth, 5000, {1: "load-shifting", 2: "peak-shaving"}, frozenset({"given"}), **more
    )


def final(judge: ChainJudge, *orders: Ordered, now_ms: int = 1000) -> None:
    judge.truth.final |= {order.id: order for order in orders}
    judge.truth.versions.update(orders)
    judge.became_final(orders, now_ms, WALL_MS + now_ms)


def entry(at_ms: int, demand_w: int | None) -> Entry:
    return Entry(at_ms, 1, 40660, (0,), demand_w, 10_000, 10_000, outside=False)


# -- orders ---------------------------------------------------------------------------------------------


def test_a_final_order_is_obeyed_in_its_window_and_one_that_is_not_never() -> None:
    for finals, wrong in (((), 1), ((ORDER,), 0)):
        judge = made()
        final(judge, *finals)
        judge.judge.wrote(entry(20_000, 900))
        assert judge.judge.kinds["overrun"] == wrong
    judge.judge.wrote(entry(80_000, 900))
    assert judge.judge.kinds["overrun"] == 1, "past its end"


def test_what_the_store_holds_must_have_been_final() -> None:
    judge = made()
    judge.stored([ROW, ROW], 2000)
    assert judge.judge.kinds == {"unfinalised": 1}, "said once"
    judge = made(invented={"a"})
    judge.stored([ROW], 2000)
    assert judge.judge.kinds == {"lied": 1}
    judge = made()
    final(judge, ORDER)
    judge.stored([ROW, ("given", *ROW[1:]), ("x", Source.OPERATOR, *ROW[2:])], 2000)
    assert judge.judge.kinds == {}


@pytest.mark.parametrize(
    "row", [(*ROW[:5], '{"power_w":777}', "done"), (*ROW[:4], ORDER.end_ms + 1, *ROW[5:])], ids=("W", "end")
)
def test_an_order_that_is_stored_otherwise_than_it_was_final_is_a_lie_believed(row: tuple) -> None:
    judge = made()
    final(judge, ORDER)
    judge.stored([row], 2000)
    assert judge.judge.kinds == {"lied": 1}


def test_a_stop_must_have_been_in_some_block_at_the_head() -> None:
    judge = made()
    judge.truth.stops.add("s")
    judge.stored([STOP], 2000)
    assert judge.judge.kinds == {}
    judge.stored([("t", *STOP[1:])], 2000)
    assert judge.judge.kinds == {"lied": 1}


def test_nothing_flows_while_the_store_holds_a_stop_of_the_chain() -> None:
    for source, wrong in ((Source.TRIP, 0), (Source.CHAIN, 1)):  # a trip may be of one battery of several
        judge = made()
        judge.truth.stops.add("s")
        final(judge, ORDER)
        judge.stored([("s", source, *STOP[2:])], 15_000)
        judge.judge.wrote(entry(20_000, 900))
        assert judge.judge.kinds["while_stopped"] == wrong


def test_what_nobody_may_carry_out_covers_nothing() -> None:
    judge = made()
    absurd = (replace(ORDER, values=values) for values in ((5001,), (2**70,), (900, 1), ()))
    assert [judge.as_order(order) for order in absurd] == [None] * 4
    final(judge, replace(ORDER, values=(50_000,)))
    judge.judge.wrote(entry(20_000, 900))
    assert judge.judge.kinds["overrun"] == 1
    whole = judge.as_order(replace(ORDER, service=2, values=(2000,)))
    assert whole is not None
    assert (whole.charge_w, whole.discharge_w) == (5000, 5000)


def test_an_order_that_the_store_refuses_covers_nothing() -> None:
    judge = made()
    final(judge, ORDER)
    judge.stored([(*ROW[:6], "refused")], 2000)
    judge.judge.wrote(entry(20_000, 900))
    assert judge.judge.kinds["overrun"] == 1


@pytest.mark.parametrize(("off_ms", "wrong"), [(60_000, 0), (3_600_000, 1)])
def test_a_calendar_a_little_wrong_is_heard_by_and_one_far_off_is_not(off_ms: int, wrong: int) -> None:
    judge = made()
    final(judge, replace(ORDER, begin_ms=WALL_MS + off_ms + 10_000, end_ms=WALL_MS + off_ms + 70_000))
    judge.calendar(5000, WALL_MS + 5000 + off_ms, off_ms)
    judge.judge.wrote(entry(20_000, 900))
    assert judge.judge.kinds["overrun"] == wrong


def test_a_new_life_may_hear_what_the_last_did_not_but_forget_nothing() -> None:
    judge = made()
    final(judge, ORDER)
    judge.judge.began(15_000, WALL_MS + 15_000, {})
    judge.began(15_000, WALL_MS + 15_000, {})
    judge.judge.wrote(entry(16_000, None))
    judge.judge.wrote(entry(20_000, 900))
    assert judge.judge.kinds == {}
    judge.began(25_000, WALL_MS + 25_000, {})
    assert judge.judge.kinds == {"order_lost": 1}


# -- what left ------------------------------------------------------------------------------------------


def test_a_nonce_is_given_to_one_call_and_its_price_may_rise() -> None:
    judge = made()
    judge.left(SENT)
    judge.left(SENT)
    assert judge.judge.kinds == {}
    judge.left(replace(SENT, data=b"other", sequence=0))
    assert judge.judge.kinds == {"nonce_twice": 1}


@pytest.mark.parametrize("change", [{"content": b"other"}, {"signature": b"q"}], ids=str)
def test_a_sequence_is_signed_with_one_content(change: dict[str, bytes]) -> None:
    judge = made()
    judge.left(SENT)
    judge.left(replace(SENT, nonce=1, data=b"again", **change))
    assert judge.judge.kinds == {"signed_twice": 1}


# -- the end --------------------------------------------------------------------------------------------

KEPT = {1: (b"d1", b"s1"), 2: (b"d2", b"s2")}


@pytest.mark.parametrize(
    ("accepted", "again", "kinds"),
    [
        ({1: [b"d1"], 2: [b"d2"]}, 0, {}),
        ({1: [b"d1"]}, 0, {"unlanded": 1}),
        ({1: [b"d1", b"d1"], 2: [b"d2"]}, 0, {"mined_twice": 1}),
        ({1: [b"d1"], 2: [b"d2"]}, 1, {"mined_twice": 1}),
        ({1: [b"d1"], 2: [b"e2"]}, 0, {"signed_twice": 1}),
        ({1: [b"d1"], 2: [b"d2"], 3: [b"d3"]}, 0, {"signed_twice": 1}),
    ],
)
def test_what_was_signed_lands_once(
    accepted: dict[int, list[bytes]], again: int, kinds: dict[str, int]
) -> None:
    judge = made()
    judge.landed(accepted, KEPT, due=2, again=again)
    assert judge.judge.kinds == kinds


def test_what_left_with_another_signature_than_is_kept_was_signed_twice() -> None:
    judge = made()
    judge.left(replace(SENT, signature=b"x" * 32))
    judge.landed({1: [b"d1"], 2: [b"d2"]}, KEPT, due=2, again=0)
    assert judge.judge.kinds == {"signed_twice": 1}


def test_what_is_not_due_need_not_have_landed() -> None:
    judge = made()
    judge.landed({1: [b"d1"]}, KEPT, due=1, again=0)
    assert judge.judge.kinds == {}


def test_a_final_order_is_heard_once_the_site_listens() -> None:
    for listening_ms, states, wrong in (
        (500, {}, 1),
        (2000, {}, 0),
        (None, {}, 0),
        (500, {"a": "refused"}, 0),
    ):
        judge = made(listening_ms=listening_ms)
        final(judge, ORDER)
        judge.heard(states, {}, WALL_MS, before_ms=5000)
        assert judge.judge.kinds["order_lost"] == wrong
        judge.truth.replaced = True
        judge.heard(states, {}, WALL_MS, before_ms=5000)
        assert judge.judge.kinds["order_lost"] == wrong, "a chain that was replaced is not obeyed"


def test_a_final_stop_is_heard_too() -> None:
    for states, wrong in (({}, 1), ({"s": "done"}, 0)):
        judge = made(listening_ms=500)
        judge.stopped_for_good({"s"}, 1000)
        judge.heard(states, {}, WALL_MS, before_ms=5000)
        assert judge.judge.kinds["order_lost"] == wrong


def test_every_order_ends() -> None:
    for state, behind_ms, wrong in (
        ("running", 0, 1),
        ("admitted", 0, 1),
        ("done", 0, 0),
        ("refused", 0, 0),
        ("running", 7_000, 1),
        ("running", 3_600_000, 0),
    ):
        judge = made()
        judge.calendar(1000, WALL_MS - behind_ms, -behind_ms)
        judge.heard({"a": state}, {"a": WALL_MS - 60_000}, WALL_MS, before_ms=0)
        assert judge.judge.kinds["not_ended"] == wrong
