"""Where orders come in: judged, durable before anything can come of them, then open. Never twice.

Invariants kept here: 11 (an id is durable before it is carried out, and only answered when it comes again),
12 (each source has a rate). A stop takes effect before it is stored, and has no rate: a site that is stopped
stores some more and only answers the rest. It refuses to carry anything out.
"""

from collections.abc import Callable, Sequence

from gateway import admission, sense, services
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.islanding import Islands
from gateway.journal import Journal, Store
from gateway.latch import Latch
from gateway.loads import Loads
from gateway.member import Member
from gateway.model import Command, CommandState, Limits, ServiceKind, Source, Stamp, Verdict
from gateway.orders import OPEN_MAX, Orders, reach
from gateway.rates import Rates
from gateway.services import reach_var
from gateway.site import Site
from gateway.store import commands
from gateway.support import Support

ISLANDERS = (Source.OPERATOR, Source.CHAIN, Source.REMOTE)  # each of them a person, or signed


class Intake:
    """`kick` asks for a cycle at once; `closing`: nothing is accepted any more but stops."""

    def __init__(
        self, site: Site, clock: Clock, store: Store, journal: Journal, latch: Latch, orders: Orders,
        members: Sequence[Member], loads: Loads, support: Support, islands: Islands,
        kick: Callable[[], None],
    ) -> None:  # fmt: skip
        self._site = site
        self._clock = clock
        self._store = store
        self._journal = journal
        self._latch = latch
        self._orders = orders
        self._members = members
        self._loads = loads
        self._support = support
        self._islands = islands
        self._kick = kick
        self._rates = Rates(site.limits.commands_per_minute)
        self.closing = False

    async def submit(self, command: Command) -> Verdict:
        """As Control.submit."""
        now = self._clock.now()
        if command.kind is ServiceKind.STOP and self._latch.full:
            return Verdict(True, "the site is stopped already")
        if command.kind is ServiceKind.STOP:
            self._stop(command, now)
        elif not self._rates.take(command.source, now.mono_ms):
            # 12: not stored: a flood must not wear the card.
            return self._judge(command, now, recent=self._site.limits.commands_per_minute)
        if self._journal.failed:
            raise StoreError(f"nothing is accepted: {self._journal.failed}")
        try:
            return await self._enter(command, now)
        except StoreError as error:
            self._journal.fail(str(error))
            self._kick()
            raise

    async def _enter(self, command: Command, now: Stamp) -> Verdict:
        """11: durable, then open; an id that is stored already is only answered."""
        known = await self._store.call(commands.get, command.id)
        if known is not None:
            return self._known(known)
        verdict = self._judge(command, now)
        if not await self._store.call(commands.insert, command, verdict, now.wall_ms):
            return self._known(await self._store.call(commands.get, command.id))
        if verdict.admitted and command.kind is ServiceKind.STOP:
            self._latch.stored(command, now)
        elif verdict.admitted:
            self._orders.add(command, admission.term(command, now), reach(command, self.static()))
        return verdict

    def _known(self, order: commands.Order) -> Verdict:
        """11: an id that was seen before is answered, never carried out again."""
        if order.command.kind is ServiceKind.STOP and order.state not in self._latch.OPEN:
            self._latch.forget(order.command.id)  # a replay of a stop that was ended long ago
        return Verdict(order.state is not CommandState.REFUSED, order.reason)

    def _stop(self, command: Command, now: Stamp) -> None:
        if self._judge(command, now).admitted:
            self._latch.stop(command)
            self._kick()

    def _judge(self, command: Command, now: Stamp, *, recent: int = 0) -> Verdict:
        reason = services.problem(command) or self._no_room(command)
        static, known = self.static(), command.id in self._orders
        reason = (
            reason
            or self._no_loads(command)
            or self._no_island(command)
            or admission.too_much_var(reach_var(command), static)
        )
        if reason:
            return Verdict(False, reason)
        promised = self._orders.promised(command, admission.term(command, now))
        return admission.admit(
            command, reach(command, static), static, now, known=known, recent=recent, promised=promised
        )

    def _no_room(self, command: Command) -> str:
        if command.kind is ServiceKind.STOP:
            return ""
        if self.closing:
            return "the gateway is stopping"
        return f"{OPEN_MAX} orders are open already" if len(self._orders) >= OPEN_MAX else ""

    def _no_loads(self, command: Command) -> str:
        wanted_w, able_w = command.parameters.get("shed_w", 0), self._loads.able_w
        return (
            f"{wanted_w} W to shed is more than the {able_w} W of this site's loads"
            if wanted_w > able_w
            else ""
        )

    def _no_island(self, command: Command) -> str:
        if command.kind not in (ServiceKind.ISLAND, ServiceKind.RECONNECT):
            return ""
        if command.source not in ISLANDERS:
            return f"a {command.source.name.lower()} does not decide about the grid connection"
        return self._islands.problem()

    def static(self) -> admission.Static:
        """The nameplate of all that were reached: what the site can do at all."""
        plates = [p for p in (sense.nameplate(m.hold.spec) for m in self._members) if p is not None]
        charge_w, discharge_w = sum(p.charge_w for p in plates), sum(p.discharge_w for p in plates)
        return admission.Static(
            self._site.limits,
            Limits(charge_w, discharge_w) if plates else None,
            self._support.able_var,
            self._support.complete,
        )
