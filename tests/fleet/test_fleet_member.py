"""One site of a fleet: what may go, and what changes as it goes, lands, or is refused."""

from dataclasses import replace

from gateway.fleet.member import DAY_MS, PAUSE_MOST_MS, SNUB_MOST_MS, SNUB_MS, Member
from gateway.fleet.page import Piece
from gateway.fleet.plan import Share
from tests.fleet.scene import Signing

SITE = Signing(1).settings


def pieces(*sequences: int) -> tuple[Piece, ...]:
    return tuple(Piece(n, bytes([n]) * 32, (bytes(32),) * 7) for n in sequences)


def standing(last: int = 0, a_day: int = 10) -> Member:
    member = Member(SITE, a_day)
    member.stands(last)
    return member


def test_its_key_is_written_as_a_signature_s_address_is():
    assert Member(replace(SITE, gateway=SITE.gateway.lower()), 10).key == SITE.gateway


def test_what_is_found_waits_since_it_was_first_seen():
    member = standing()
    member.found(pieces(1), 100)
    member.found(pieces(1, 2), 200)
    queue = member.queue(300)
    assert (queue.site, queue.contract, queue.since_ms, len(queue.pieces)) == (
        SITE.name,
        SITE.contract,
        100,
        2,
    )


def test_it_has_one_call_on_its_way():
    member = standing()
    member.found(pieces(1, 2, 3), 0)
    member.fly("relay/1", Share(SITE.name, pieces(1, 2)))
    member.found(pieces(3), 0)
    assert member.queue(0).pieces == ()
    member.landed()
    assert (member.last, member.brought, member.flying, member.due_ms) == (2, 2, "", 0)
    assert member.queue(0).pieces == pieces(3)


def test_a_day_s_records_are_bounded_and_the_day_ends():
    member = standing(a_day=3)
    member.found(pieces(1, 2), 1)
    assert len(member.queue(1).pieces) == 2
    member.fly("relay/1", Share(SITE.name, pieces(1, 2)))
    member.landed()
    member.found(pieces(3, 4), 2)
    assert member.queue(2).pieces == pieces(3)
    assert member.queue(1 + DAY_MS).pieces == pieces(3, 4)


def test_a_record_that_does_not_hold_is_counted_once():
    member = standing()
    for wrong in ("record 3: not signed", "record 3: not signed", "", "record 4: not signed"):
        member.distrust(wrong)
    assert (member.refused, member.wrong) == (2, "record 4: not signed")


def test_a_first_refusal_only_asks_anew_and_others_wait_longer_each_time():
    member = standing(5)
    held = []
    for _ in range(10):
        member.stands(5)
        member.found(pieces(6), 0)
        member.snubbed("the contract does not take record 6", 0)
        assert (member.last, member.pieces) == (None, ())
        held.append(member.held_ms)
    assert held[:4] == [0, SNUB_MS, 2 * SNUB_MS, 4 * SNUB_MS]
    assert held[-1] == SNUB_MOST_MS
    member.stands(5)
    member.found(pieces(6), 0)
    assert member.queue(SNUB_MOST_MS - 1).pieces == ()
    assert member.queue(SNUB_MOST_MS).pieces == pieces(6)
    assert member.trouble == "the contract does not take record 6"
    member.stands(6)
    assert (member.trouble, member.snubs) == ("", 0), "somebody brought it"


def test_a_site_that_is_not_heard_is_asked_later_each_time_with_jitter():
    member = standing()
    pauses = []
    for _ in range(8):
        member.failed("away", 1000, 60_000, 0.0)
        pauses.append(member.due_ms - 1000)
    assert pauses[:4] == [30_000, 60_000, 120_000, 240_000]
    assert pauses[-1] == PAUSE_MOST_MS // 2
    member.failed("away", 1000, 60_000, 0.999)
    assert PAUSE_MOST_MS * 0.99 < member.due_ms - 1000 <= PAUSE_MOST_MS
    member.heard("")
    assert (member.failures, member.trouble) == (0, "")


def test_doubt_forgets_what_was_known_and_asks_at_once():
    member = standing(4)
    member.due_ms = 10**9
    member.fly("relay/1", Share(SITE.name, pieces(5)))
    member.doubt()
    assert (member.last, member.flying, member.share, member.due_ms) == (None, "", (), 0)
