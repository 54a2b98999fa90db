"""However short of room a store is, retention deletes readings only, and the right ones.

A state machine over the retention's own code and a database in which every table has rows, those of tables to
come included. What may go is reckoned here anew, from what was put in.
"""

import sqlite3
from dataclasses import dataclass
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.analytics.tally import Tally
from gateway.store import cursors, gaps, performance, records, retention, samples, schema
from gateway.store.records import RecordState
from gateway.store.retention import Policy, Sweep
from gateway.store.table import Table
from tests.gateway.stores import WALL_MS, digest, memory, record, sample

READINGS = frozenset({"sample", "gap"})  # a gap is written for what goes
OURS = READINGS | {"record", "performance", "cursor", "point_set"}  # filled by the machine itself
ROWS = 7
KEEP = 20
SLICE = 9
PLENTY = 10**12
NEVER = 0
DAY_MS = 86_400_000


def fill(conn: sqlite3.Connection, table: Table) -> None:
    """Rows that mean nothing, in any table there is."""
    marks = ", ".join("?" * len(table.columns))
    for n in range(1, ROWS + 1):
        kinds = {int: n, str: f"{table.name} {n}", bytes: bytes((n,))}
        row = [kinds[kind] for kind in table.columns.values()]
        conn.execute(f"INSERT INTO {table.name} VALUES ({marks})", row)


def contents(conn: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Everything but readings and gaps."""
    names = [t.name for t in schema.TABLES if t.name not in READINGS]
    return {name: conn.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in names}


@dataclass
class Sealed:
    first: int
    last: int
    state: RecordState = RecordState.PENDING


class Kept(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.few = mock.patch.object(retention, "KEEP_ROWS", KEEP)
        self.few.start()
        self.conn = memory()
        for table in schema.TABLES:
            if table.name not in OURS:
                fill(self.conn, table)
        self.at_ms = 0
        self.there: dict[int, int] = {}  # seq -> when
        self.sealed: list[Sealed] = []
        self.mqtt = self.lost = 0
        self.policy = Policy(RecordState.CONFIRMED, ("mqtt",))
        self.put(KEEP)

    # -- what goes on at a site ------------------------------------------------------------------------

    @rule(count=st.integers(1, 60))
    def put(self, count: int) -> None:
        some = [sample(self.at_ms + 1000 * n) for n in range(1, count + 1)]
        last = samples.insert_many(self.conn, some, 1)
        self.there |= {last - count + n: self.at_ms + 1000 * n for n in range(1, count + 1)}
        self.at_ms += 1000 * count

    @rule(
        count=st.integers(1, 60),
        state=st.sampled_from((RecordState.PENDING, RecordState.SIGNED, RecordState.CONFIRMED)),
    )
    def seal(self, count: int, state: RecordState) -> None:
        """A period: readings, and an interval over all that are new, with its tally."""
        self.put(count)
        number, first, last = len(self.sealed) + 1, self.through() + 1, max(self.there)
        before = digest(number - 1) if number > 1 else bytes(32)
        records.append(self.conn, record(number, before), first, last)
        performance.put(self.conn, Tally(WALL_MS + self.at_ms - 900, WALL_MS + self.at_ms))
        self.sealed.append(Sealed(first, last))
        if state is not RecordState.PENDING:
            self.reach(number, state)

    @precondition(lambda self: self.sealed)
    @rule(data=st.data(), state=st.sampled_from((RecordState.CONFIRMED, RecordState.SIGNED)))
    def comes_as_far_as(self, data: st.DataObject, state: RecordState) -> None:
        """A record, and every one before it; a reorg may take one back."""
        through = data.draw(st.integers(1, len(self.sealed)))
        for number in range(1, through + 1):
            if number == through or self.sealed[number - 1].state is RecordState.PENDING:
                self.reach(number, state)

    def reach(self, number: int, state: RecordState) -> None:
        one = self.sealed[number - 1]
        if one.state is RecordState.PENDING:
            records.sign(self.conn, number, bytes(65))
        records.set_state(self.conn, number, state)
        one.state = state

    @rule(share=st.floats(0, 1) | st.just(1.0))
    def is_followed(self, share: float) -> None:
        self.mqtt = max(self.mqtt, int(max(self.there) * share))
        cursors.put(self.conn, "mqtt", self.mqtt)

    # -- and what is swept -----------------------------------------------------------------------------

    @rule(share=st.floats(0, 1))
    def is_aged(self, share: float) -> None:
        """Room enough: what is older than so much goes, if it is settled, and nothing else."""
        oldest_ms, settled = int(self.at_ms * share), self.settled()
        newest = self.deletable()
        wanted = {n for n, at in self.there.items() if at < oldest_ms and n <= min(settled, newest)}
        assert self.swept(PLENTY, PLENTY, WALL_MS + oldest_ms) == (wanted, 0)

    @rule(share=st.floats(0, 1.2))
    def is_full(self, share: float) -> None:
        """It holds more than it may, and no more than that goes."""
        bound = int(retention.used_bytes(self.conn) * share)
        self.too_full(bound, PLENTY, bound)

    @rule(short=st.integers(-200_000, 0))
    def disk_is_full(self, short: int) -> None:
        """Others have filled the disk."""
        self.too_full(PLENTY, short, retention.file_bytes(self.conn) + short)

    def too_full(self, bound: int, room: int, most: int) -> None:
        settled, newest = self.settled(), self.deletable()
        full = retention.used_bytes(self.conn) > most
        gone, unsettled = self.swept(bound, room, NEVER)
        assert gone == {n for n in (*self.there, *gone) if n <= max(gone, default=0)}, "oldest first"
        assert max(gone, default=0) <= newest
        if not full:
            assert not gone
        elif gone != {n for n in (*self.there, *gone) if n <= newest}:  # else there is no more to give
            assert retention.used_bytes(self.conn) <= most
        assert unsettled == sum(n > settled for n in gone)

    def swept(self, bound: int, room: int, oldest_ms: int) -> tuple[set[int], int]:
        """Slices until nothing more goes; what went, and how many of it were not settled."""
        before, unsettled = contents(self.conn), 0
        for _ in range(10_000):
            settled = self.settled()
            if not (found := self.sliced(bound, room, oldest_ms, settled)).deleted:
                break
            unsettled += found.unsettled
        assert contents(self.conn) == before, "readings only"
        left = {n for (n,) in self.conn.execute("SELECT seq FROM sample")}
        gone = set(self.there) - left
        self.there = {n: at for n, at in self.there.items() if n in left}
        self.lost += 2 * unsettled  # two points a sample
        return gone, unsettled

    def sliced(self, bound: int, room: int, oldest_ms: int, settled: int) -> Sweep:
        (before,) = self.conn.execute("SELECT count(*) FROM sample WHERE seq <= ?", (settled,)).fetchone()
        found = retention.sweep_slice(self.conn, self.policy, bound, room, oldest_ms, SLICE)
        assert found.deleted <= SLICE
        assert not (found.unsettled and before), "settled ones first, and one kind a slice"
        return found

    # -- reckoned anew ---------------------------------------------------------------------------------

    def settled(self) -> int:
        """Up to where every sample is in a confirmed interval, and with every follower."""
        waiting = [one.first - 1 for one in self.sealed if one.state is not RecordState.CONFIRMED]
        return min(self.through(), self.mqtt, *waiting)

    def through(self) -> int:
        return self.sealed[-1].last if self.sealed else 0

    def deletable(self) -> int:
        ordered = sorted(self.there, reverse=True)
        return ordered[KEEP] if len(ordered) > KEEP else 0

    @invariant()
    def the_newest_stay(self) -> None:
        assert len(self.there) >= KEEP

    @invariant()
    def what_was_lost_is_owed(self) -> None:
        assert sum(gap.lost for gap in gaps.unattested(self.conn)) == self.lost

    def teardown(self) -> None:
        self.few.stop()
        self.conn.close()


def test_every_table_is_filled() -> None:
    machine = Kept()
    machine.seal(3, RecordState.SIGNED)
    machine.is_followed(1)
    assert [name for name, rows in contents(machine.conn).items() if not rows] == []
    machine.teardown()


TestKept = Kept.TestCase
TestKept.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
