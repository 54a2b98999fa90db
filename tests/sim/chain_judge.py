"""Who judges the chain's part of a seeded run: what left signed, what was mined, what the store holds of it.

It learns from the honest chain (`chain_market.Truth`), from every transaction that was handed to an endpoint
and from the database; nothing from what the daemon says, and nothing from what an endpoint answered. It
refuses to forgive, as `judge.py` does, and complains there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway import services
from gateway.model import ServiceKind, Source
from tests.sim.chain_market import Ordered, Truth
from tests.sim.judge import Judge, Order, order

# A calendar this wrong is far from the chain's head, and nothing is heard by it (head_off_max and what a
# stalled head adds); an order heard by one that is less wrong is carried out by it.
CALENDAR_OFF_MS = (-260_000, 140_000)
END_SLACK_MS = 10_000
KINDS: Mapping[str, ServiceKind] = {
    "load-shifting": ServiceKind.FIXED_POWER,
    "frequency": ServiceKind.FREQUENCY,
    "peak-shaving": ServiceKind.PEAK_SHAVING,
    "backup": ServiceKind.RESERVE,
}
INT64 = range(-(2**63), 2**63)
OPEN = ("admitted", "running")
COMMANDS = "SELECT id, source, kind, not_before_ms, not_after_ms, parameters, state FROM command"


@dataclass(frozen=True, slots=True)
class Left:
    """A transaction of the site's key, as it left the gateway. `sequence` 0: it carries no record."""

    nonce: int
    to: str
    data: bytes
    sequence: int = 0
    content: bytes = b""  # all that is signed in the record
    signature: bytes = b""  # r of it


@dataclass
class ChainJudge:
    judge: Judge
    truth: Truth
    limit_w: int
    kinds: Mapping[int, str]  # service -> what it is in the contract
    given: frozenset[str]  # ids that the script's people gave by hand in the chain's name
    invented: set[str] = field(default_factory=set)
    seen: dict[int, Left] = field(default_factory=dict)  # by nonce
    signed: dict[int, Left] = field(default_factory=dict)  # by sequence
    since_ms: dict[str, int] = field(default_factory=dict)  # order -> when it became final
    behind_ms: int = 0  # how far behind the site's calendar was at worst: by it an order ends so much later
    listening_ms: int | None = None  # since when the site has a place in the chain to go on from
    _told: set[str] = field(default_factory=set)

    # -- orders ---------------------------------------------------------------------------------------

    def became_final(self, orders: Iterable[Ordered], now_ms: int, wall_ms: int) -> None:
        for found in orders:
            self.since_ms[found.id] = now_ms
            self._open(found, now_ms, wall_ms)

    def stopped_for_good(self, stops: Iterable[str], now_ms: int) -> None:
        """Stops that became final: there is no way past them any more."""
        for name in stops:
            self.since_ms.setdefault(name, now_ms)

    def calendar(self, now_ms: int, wall_ms: int, off_ms: int) -> None:
        """The site's calendar is wrong by `off_ms` from now on: by that it hears what it has not heard."""
        self.behind_ms = max(self.behind_ms, -off_ms)
        least_ms, most_ms = CALENDAR_OFF_MS
        if least_ms <= off_ms <= most_ms:
            for found in self.truth.final.values():
                self._open(found, now_ms, wall_ms)

    def began(self, now_ms: int, wall_ms: int, states: Mapping[str, str]) -> None:
        """A life begins: what the last one had not heard this one may."""
        for found in self.truth.final.values():
            if found.id not in states:
                if found.id in self.judge.executed:
                    self._complain("order_lost", f"{found.id[:8]} was carried out and is not known any more")
                self._open(found, now_ms, wall_ms)

    def _open(self, found: Ordered, now_ms: int, wall_ms: int) -> None:
        if (asked := self.as_order(found)) is not None:
            self.judge.may_act(asked, now_ms, wall_ms)

    def as_order(self, found: Ordered) -> Order | None:
        """What it means; None for one that nobody may carry out."""
        kind = KINDS[self.kinds[found.service]]
        parameters = services.named(kind, found.values)
        if parameters is None or any(v not in INT64 for v in found.values):
            return None
        if abs(parameters.get("power_w", 0)) > self.limit_w:
            return None
        return order(found.id, kind, parameters, (found.begin_ms, found.end_ms), self.limit_w, shared=True)

    # -- what the store holds -------------------------------------------------------------------------

    def stored(self, rows: Sequence[tuple[str, int, str, int, int, str, str]], now_ms: int) -> None:
        """All commands of the database, as COMMANDS gives them, now or between lives."""
        for name, source, kind, begin_ms, end_ms, parameters, state in rows:
            if state == "refused" and name in self.truth.final:
                self.judge.may_not(name)
            if source == Source.CHAIN and kind == ServiceKind.STOP and state in OPEN:
                self.judge.stopped(now_ms)
            if source != Source.CHAIN or name in self.given or name in self._told:
                continue
            if kind == ServiceKind.STOP:
                self._stop(name)
            else:
                self._order(name, (begin_ms, end_ms), tuple(json.loads(parameters).values()))

    def _stop(self, name: str) -> None:
        if name not in self.truth.stops:
            self._once(name, "lied", f"stop {name[:8]} was never in a block")

    def _order(self, name: str, window: tuple[int, int], values: tuple[int, ...]) -> None:
        versions = [found for found in self.truth.versions if found.id == name]
        if not versions:
            kind = "lied" if name in self.invented else "unfinalised"
            self._once(name, kind, f"order {name[:8]} is obeyed and was never final")
        elif not any(
            window == (found.begin_ms, found.end_ms) and values[: len(found.values)] == found.values
            for found in versions
        ):
            self._once(name, "lied", f"order {name[:8]} is {values} in {window}, and was {versions}")

    def _once(self, name: str, kind: str, text: str) -> None:
        self._told.add(name)
        self._complain(kind, text)

    # -- what left ------------------------------------------------------------------------------------

    def left(self, sent: Left) -> None:
        """One transaction handed to an endpoint; the same one may be, many times."""
        before = self.seen.setdefault(sent.nonce, sent)
        if (before.to, before.data) != (sent.to, sent.data):
            self._complain("nonce_twice", f"nonce {sent.nonce} was given to two calls")
        if sent.sequence:
            first = self.signed.setdefault(sent.sequence, sent)
            if (first.content, first.signature) != (sent.content, sent.signature):
                self._complain("signed_twice", f"record {sent.sequence} was signed with two contents")

    # -- the end: the chain has been well for a while -------------------------------------------------

    def landed(
        self,
        accepted: Mapping[int, Sequence[bytes]],
        records: Mapping[int, tuple[bytes, bytes]],
        due: int,
        again: int,
    ) -> None:
        """Sequence -> digests that the contract took; the store's digests and signatures; the last record
        that must have landed; successful calls that were mined more than once."""
        for sequence, digests in accepted.items():
            kept, signature = records.get(sequence, (b"", b""))
            if len(digests) > 1:
                self._complain("mined_twice", f"record {sequence} was accepted {len(digests)} times")
            if digests[0] != kept:
                self._complain("signed_twice", f"record {sequence} is another one on chain than in the store")
            if sequence in self.signed and self.signed[sequence].signature != signature[:32]:
                self._complain("signed_twice", f"record {sequence} left with another signature")
        if again:
            self._complain("mined_twice", f"{again} calls were mined twice with success")
        for sequence in sorted(records):
            if sequence <= due and sequence not in accepted:
                self._complain("unlanded", f"record {sequence} of {due} is not on chain")
                return

    def heard(self, states: Mapping[str, str], ended: Mapping[str, int], now_ms: int, before_ms: int) -> None:
        """Every order and stop that was final before `before_ms` is known, and what had its end is at it:
        `ended` -> that in Unix ms (not of stops, which a person ends), `now_ms` the calendar now."""
        for name, end_ms in ended.items():
            if states[name] in OPEN and end_ms + END_SLACK_MS + self.behind_ms < now_ms:
                self._complain("not_ended", f"{name[:8]} is {states[name]} after its end")
        if self.truth.replaced or self.listening_ms is None:
            return  # of a chain that was replaced nothing is obeyed: a person has to look
        for name, since_ms in self.since_ms.items():
            found = self.truth.final.get(name)
            usable = found is None or self.as_order(found) is not None
            if usable and self.listening_ms < since_ms < before_ms and name not in states:
                self._complain("order_lost", f"{name[:8]} is final since {since_ms} and was never heard")

    def _complain(self, kind: str, text: str) -> None:
        self.judge._complain(kind, text)
