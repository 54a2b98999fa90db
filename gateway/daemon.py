"""The composition root: makes every part of a site, wires them, runs them, and ends them in order.

It decides nothing of its own. Two rules of order are kept here: whatever can be found wrong without a
device is found before anything is written to one, and the battery's fallback is written while the
devices are still served, however the rest ended.
"""

import asyncio
import os
import random as randomness
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway import narrate, report, stopping
from gateway.capture import Captures
from gateway.certificates import Certificates
from gateway.clock import Clock, SystemClock
from gateway.control import Control
from gateway.desk import Desk
from gateway.device import DeviceTask
from gateway.driver import Plugin, find_plugins
from gateway.errors import ConfigError, GridsealError, StoreError
from gateway.islanding import Islands
from gateway.loads import Loads
from gateway.notify import Notifier
from gateway.points import Points
from gateway.refind import Refind
from gateway.site import Site
from gateway.state import SiteState
from gateway.store import Store
from gateway.store.recorder import Recorder
from gateway.store.records import RecordState
from gateway.store.retention import Policy, Retention
from gateway.store.summary import summary
from gateway.store.wear import Meter
from gateway.supervisor import Supervisor
from gateway.support import Support
from gateway.timetable import Timetable
from gateway.uplink.local import LocalServer
from gateway.wiring import Wiring

if TYPE_CHECKING:  # what a site without key, chain and broker must not load
    from gateway.attest import Attestor
    from gateway.chain.assembly import Chain
    from gateway.chain.platforms import Platform
    from gateway.days import Days
    from gateway.evidence.signer import Signer
    from gateway.evidence.typed import Domain
    from gateway.keyring import Keys
    from gateway.uplink.mqtt import MqttUplink
    from gateway.web import Web

NARRATE_S = 1.0
NOT_TAKEN = f"{narrate.ERROR}the battery did not take its fallback; its own timer is behind it"
FALLBACK_S = 10.0  # of the 30 s that systemd gives; the device's own timer is behind it
REACH_S = 60.0  # after a start the inverter may take so long; orders on chain wait, later they are refused


class Daemon:
    """One site. `run` returns after `stop` (or SIGTERM, SIGINT, SIGHUP) with everything closed."""

    def __init__(
        self,
        site: Site,
        *,
        clock: Clock | None = None,
        plugins: dict[str, Plugin] | None = None,
        random: Callable[[], float] = randomness.random,
        environ: Mapping[str, str] = os.environ,
        threaded: bool = True,
    ) -> None:
        self.site = site
        self.clock = clock or SystemClock(assume_synchronised=site.trust_host_clock)
        self.plugins = find_plugins() if plugins is None else plugins
        self.store = Store(site.store, self.clock, threaded=threaded)
        self.state = SiteState(site, self.clock)
        self.recorder = Recorder(self.store, site.store.commit_ms)
        self.wear = Meter(self.store, self.recorder, site.store, self.clock, self._say)
        self.supervisor = Supervisor(self.clock, random)
        self._random = random
        self._notifier = Notifier(environ)
        self._journal = "JOURNAL_STREAM" in environ  # stderr goes to journald
        self._stopping = asyncio.Event()
        self._reached = asyncio.Event()  # whatever can be commanded, once
        self.signer: Signer | None = None
        self.platform: Platform | None = None
        self._keys: Keys | None = None
        self.chain: Chain | None = None
        self.attestor: Attestor | None = None
        self.days: Days | None = None  # only what is sealed has figures
        self.uplink: MqttUplink | None = None
        self.web: Web | None = None
        self._began_ms = self.clock.mono_ms()

    def stop(self) -> None:
        """End in order: fallback, last samples, store."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped. StoreError or ConfigError, one line, when the site cannot be run."""
        self._open_evidence()
        try:
            async with AsyncExitStack() as stack:
                self._opened = await self.store.open()
                stack.enter_context(self._stopped_by_signals())
                stack.push_async_callback(self.store.close)
                self._say_opened()
                await self._choose_key()
                self.certificates = await Certificates.load(self.site, self.clock, self.store, self._say)
                await self.recorder.start()
                stack.push_async_callback(self.recorder.flush)  # what came while the fallback was written
                wiring = await stack.enter_async_context(Wiring(self.plugins, self.clock))
                self._make_parts(wiring)
                if self.chain:
                    stack.push_async_callback(self.chain.close)
                    await self.onchain.pricing.restore()
                    await self.onchain.check()
                await self._run_parts()
        except* GridsealError as failed:
            raise _first(failed) from None
        finally:
            self._notifier.close()

    def _open_evidence(self) -> None:
        """The key and the contract system, before anything else: both can be wrong in site.yaml."""
        if self.site.attest.key:
            from gateway.evidence.signer import open_signer  # a site without a key never pays for it

            self.signer = open_signer(self.site.attest.key)
        if self.site.chain:
            from gateway.chain import platforms

            self.platform = platforms.platform(self.site.chain)

    async def _choose_key(self) -> None:
        """One chain of records is one key's at a time: whose turn it is, the store knows."""
        if self.signer is None:
            return
        from gateway import keyring  # loaded with the signer

        self.signer = await keyring.holder(self.store, self.site.attest, self.signer)

    def _make_parts(self, wiring: Wiring) -> None:
        self.devices = {
            device.name: DeviceTask(
                device,
                wiring.driver(device),
                self.clock,
                self._random,
                on_identity=self.certificates.identified,
                on_points=self.state.declare,
                on_sample=self._take,
                tap=wiring.taps.get(device.name),
                standing=wiring.standings[device.name],
            )
            for device in self.site.devices
        }
        self.captures = Captures(self.clock, self.site.devices, wiring)
        self._hands = [task.hand for task in self.devices.values() if task.hand]
        relays = {name: task.relays for name, task in self.devices.items() if task.relays}
        self.control = Control(
            self.site,
            self.state,
            self.clock,
            self._hands,
            self.store,
            loads=Loads(self.site.loads, relays, self._random),
            support=Support({name: task.reactive for name, task in self.devices.items() if task.reactive}),
            islands=Islands(
                {name: task.connection for name, task in self.devices.items() if task.connection}
                if self.site.islanding
                else {}
            ),
            on_cycle=self._cycled,
        )
        self.refind = Refind(self.devices, wiring, self.clock, self._random, self.store, self.control)
        self.desk = Desk(self.site, self.clock, self.control, self._domain)
        zone = ZoneInfo(self.site.timezone)
        self.timetable = Timetable(self.site.id, self.site.schedule, zone, self.clock, self.control.submit)
        self.certificates.attach(self.state, self.control, self._hands, self.signer, self._domain)
        self.attestor = self._make_attestor()
        if self.site.chain and self.platform and self.signer and self.days:
            from gateway import onchain

            self.onchain = onchain.make(
                self.site, self.platform, self.store, self.clock, self.signer, self.state, self.devices,
                self.control, self.timetable, self.days,
            )  # fmt: skip
            self.chain = self.onchain.chain
        reached = None
        if self.signer:
            reached = RecordState.CONFIRMED if self.chain else RecordState.SIGNED
        followers: tuple[str, ...] = ()
        if self.site.mqtt:
            from gateway.uplink import mqtt

            orders = self.desk.signed if self.site.signers else None
            self.uplink = mqtt.MqttUplink(self.site.id, self.site.mqtt, self.store, self.recorder, orders)
            followers = (mqtt.CURSOR,)
        self.retention = Retention(self.store, self.site.store, self.clock, Policy(reached, followers))
        if self.site.http:
            from gateway import web

            self.web = web.Web(
                self.site.http,
                web.Parts(
                    self.site, self.clock, self.store, self.recorder, self.state, self.control, self.desk,
                    self.devices, wiring, self.uplink, self._status,
                ),
            )  # fmt: skip

    def _make_attestor(self) -> "Attestor | None":
        if self.signer is None:
            return None
        from gateway import days, keyring

        self.days = days.Days(self.store)
        self._keys = keyring.Keys(
            self.site, self.store, self.clock, self.signer, self._domain(), self.platform,
            keyring.Handover(lambda: self.control.status.command is not None, self.stop)
            if self._notifier.supervised else None,
        )  # fmt: skip
        return self._keys.attestor

    def _domain(self) -> "Domain":
        """Where records and remote orders count: the evidence contract, or nowhere."""
        from gateway.evidence.typed import NO_CHAIN, Domain

        if self.site.chain and self.platform:
            return Domain(self.site.chain.chain_id, self.platform.evidence_contract)
        return NO_CHAIN

    async def _run_parts(self) -> None:
        async with asyncio.TaskGroup() as hands:
            tasks = [hands.create_task(task.run(), name=name) for name, task in self.devices.items()]
            try:
                async with asyncio.TaskGroup() as rest:
                    running = self._start_rest(rest)
                    await self._until_stopped()
                    for task in running:
                        task.cancel()
            finally:
                self._notifier.stopping()
                taken = await self.control.fallback(FALLBACK_S)
                self._say(f"{narrate.INFO}the battery is in its fallback" if taken else NOT_TAKEN)
                for task in tasks:
                    task.cancel()

    def _start_rest(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        keep = self.supervisor.keep
        running = [
            group.create_task(self.recorder.run(), name="recorder"),
            group.create_task(self.retention.run(), name="retention"),
            group.create_task(self.wear.run(), name="wear"),
            group.create_task(self.control.run(), name="control"),
            group.create_task(self._narrate(), name="journal"),
        ]
        kept: dict[str, Callable[[], Any]] = dict(self.refind.parts)
        running.append(group.create_task(self.certificates.run(), name="commission"))
        if self._keys:
            kept |= {"evidence": self._attest, **self._keys.parts}
        if self.chain:
            kept |= self.onchain.parts
            orders = self.chain.parts["orders"]
            kept["orders"] = lambda: self._when_reached(orders)
        if self.uplink:
            kept["mqtt"] = self.uplink.run
        if self.web:
            kept["http"] = self.web.server.run
        running.append(group.create_task(self._when_reached(self.timetable.run), name="timetable"))
        kept["local"] = LocalServer(
            self.site.socket,
            {
                "status": self._status,
                "submit": self.desk.submit,
                "release": self.desk.release,
                "commission": self.certificates.answer,
                "points": Points(self.state, self.devices).answer,
                "capture": self.captures.answer,
                **(self._keys.requests if self._keys else {}),
            },
        ).run
        running += [group.create_task(keep(name, work), name=name) for name, work in kept.items()]
        return running

    def _stopped_by_signals(self) -> AbstractContextManager[None]:
        """Until everything is closed: a second Ctrl-C must not cut the fallback short. A terminal that is
        closed ends the daemon too, unless it was told to outlive it (nohup)."""
        hangup = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else []
        return stopping.by_signals(self.stop, (*stopping.ASKED, *hangup))

    async def _until_stopped(self) -> None:
        self._notifier.ready(f"{len(self.devices)} devices")
        self._say(
            f"{narrate.INFO}site {self.site.id}: {len(self.devices)} devices, start {self._opened.boot}"
        )
        await self._stopping.wait()

    async def _attest(self) -> None:
        """The contract may be ahead of the store (a new disk, a restored backup), and the key must not sign a
        number twice: nothing is sealed before the contract was asked once. Readings wait in the store."""
        assert self.attestor is not None
        if self.chain:
            if missing := await self.attestor.skip_past(await self.chain.last_sequence()):
                self._say(narrate.ERROR + missing)
            if await self.chain.replaces():
                await self.attestor.follow_another()
        await self.attestor.run()

    async def _when_reached(self, work: Callable[[], Awaitable[None]]) -> None:
        """An order refused because the inverter is not reached yet would be refused for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REACH_S):
                await self._reached.wait()
        await work()

    def _say_opened(self) -> None:
        if found := self._opened.set_aside:
            self._say(f"{narrate.ERROR}the database was set aside as {found}: {self._opened.reason}")

    def _say(self, line: str) -> None:
        """A line for the journal; on a terminal without systemd's level. One that is gone, or a log whose
        disk is full, is no reason to stop a battery."""
        with suppress(OSError):
            print(line if self._journal else line[3:], file=sys.stderr, flush=True)

    async def _narrate(self) -> None:
        before = narrate.Scene()
        while True:
            after = self._scene()
            for line in narrate.lines(before, after):
                self._say(line)
            before = after
            await asyncio.sleep(NARRATE_S)

    def _scene(self) -> narrate.Scene:
        status = self.control.status
        command = status.command
        health = {name: task.health for name, task in self.devices.items()}
        reached = {n: h for n, h in health.items() if h.online or h.last_error}
        return narrate.Scene(
            devices={n: "" if h.online else h.last_error for n, h in reached.items()},
            strangers=frozenset(n for n, h in health.items() if h.stranger),
            found={n: h.found_at for n, h in health.items()},
            troubles=report.troubles(self.supervisor.troubles),
            command=f"{command.kind} of {command.origin or command.source.name.lower()}" if command else "",
            fault=status.fault,
            stop=status.stop,
            doubts=status.doubts,
            grid=status.grid,
            shed=status.shed,
            clock=report.clock(self.clock.now().trust),
        )

    def _take(self, sample: Any) -> None:
        self.state.put(sample)
        self.recorder.put(sample)
        self.certificates.take(sample)
        self.control.measured()

    def _cycled(self, in_time: bool) -> None:
        if in_time:  # 15: nothing else feeds the watchdog
            self._notifier.alive()
        if all(hand.hold.spec for hand in self._hands):
            self._reached.set()

    # -- what the local socket asks ---------------------------------------------------------------

    async def _status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        now, found = self.clock.now(), await self.store.call(summary)
        refused = self.timetable.refused
        return {
            "site": self.site.id,
            "uptime_s": (now.mono_ms - self._began_ms) // 1000,
            "clock": report.clock(now.trust),
            "site_figures": report.figures(self.state.view()),
            "control": report.control(self.control.status, found.executed),
            "store": report.store(self.recorder, self.wear),
            "records": report.records(found, self.signer.address if self.signer else ""),
            "chain": report.chain(self.chain.status(), found) if self.chain else None,
            "devices": {name: report.device(task.health) for name, task in self.devices.items()},
            "commissioned": self.certificates.days(),
            "performance": await self.days.status() if self.days else None,
            "troubles": report.troubles(self.supervisor.troubles)
            | ({"schedule": refused} if refused else {}),
        }


def _first(group: BaseExceptionGroup[GridsealError]) -> GridsealError:
    """The failure that says most: the store's before a link's."""
    leaves: list[GridsealError] = []
    for error in group.exceptions:
        leaves += [_first(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((e for e in leaves if isinstance(e, StoreError | ConfigError)), leaves[0])
