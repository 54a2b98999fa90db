"""Looking for devices, politely: few connections at once, pauses, bounds, and nothing is written to anybody.

Owns how a network, a serial line and a CAN bus are gone through; what is found there, the plugins say. An
answer is asked for once: what several profiles want to read is read once, and a unit that was silent is not
asked again.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.addresses import spread
from gateway.cli.proposal import Find, address_notes, mac_of, ranked
from gateway.clock import Clock
from gateway.driver import FrameLink, Plugin
from gateway.errors import ConfigError, DeviceRefused, LinkError
from gateway.recognising import Hearing, Match, Nearby, Offering, Profiles, Recognising
from gateway.site import Device

AT_ONCE = 8  # connections; embedded stacks and cheap routers take no more kindly
CONNECT_S = 1.0
PAUSE_S = 0.02  # between two connections of one worker
ADDRESSES_MAX = 1024
ANSWER_S = 0.5  # on a serial line, where most of what is asked is not there
SILENT_MAX = 4  # units in a row on a connection: nobody there speaks Modbus
LISTEN_S = 5.0  # every battery sends each second
TRIAL_MS = 500  # for an answer of a BMS
TRIAL_S = 6.0  # for all that it is asked
BAUDS = (9600, 19200, 115200, 38400)

Step = Callable[[int, int, str], None]  # done, of how many, what now


def addresses(text: str) -> list[str]:
    """192.168.1.40, a host name, 192.168.1.0/24 or 192.168.1.10-50. ConfigError for anything else."""
    if "://" in text or (text.count(":") == 1 and "/" not in text):
        raise ConfigError(f"{text}: write the address alone, and a port that is not 502 as --port")
    try:
        return spread(text, ADDRESSES_MAX) or [text]
    except ValueError as error:
        raise ConfigError(f"{text}: no address, network or range to scan: {error}") from None


async def open_hosts(hosts: Sequence[str], port: int, step: Step) -> Mapping[str, str]:
    """Why each takes no connection at this port; empty where one was made, and closed at once."""
    found: dict[str, str] = {}
    waiting, done = list(reversed(hosts)), 0

    async def work() -> None:
        nonlocal done
        while waiting:
            host = waiting.pop()
            found[host] = await _refusal(host, port)
            done += 1
            step(done, len(hosts), host)
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(hosts))):
            group.create_task(work())
    return found


async def _refusal(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"port {port} was not opened within {CONNECT_S:g} s"
    except socket.gaierror as error:
        return f"{error.strerror}"
    except OSError as error:  # asyncio's own words hold the address again
        return f"port {port}: {os.strerror(error.errno) if error.errno else error}"
    except UnicodeError as error:
        return f"no name of a host: {error}"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ""


@dataclass(slots=True)
class Asker:
    """A RegisterLink that remembers: each thing is asked once, and who was silent never again. A connection
    on which somebody was silent is made anew, for it may be half dead."""

    make: Callable[[], Any]
    answer_s: float | None = None
    silent: set[int] = field(default_factory=set)
    answers: int = 0
    trouble: str = ""  # the last
    _link: Any = None
    _known: dict[tuple[int, str, int, int], bytes | DeviceRefused] = field(default_factory=dict)

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        key = unit, table, address, count
        if unit in self.silent:
            raise LinkError(f"unit {unit} was silent")
        if key not in self._known:
            self._known[key] = await self._ask(key, self.answer_s or timeout_s)
        found = self._known[key]
        if isinstance(found, DeviceRefused):
            raise found
        return found

    async def _ask(self, key: tuple[int, str, int, int], timeout_s: float) -> bytes | DeviceRefused:
        if self._link is None:
            self._link = self.make()
        try:
            found: bytes | DeviceRefused = await self._link.read(*key, timeout_s=timeout_s)
        except DeviceRefused as no:
            found = no
        except LinkError as error:
            self.silent.add(key[0])
            self.trouble = str(error)
            self.answers += hasattr(error, "code")  # a gateway says that nobody is behind it
            await self.close()
            raise
        self.answers += 1
        return found

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


Families = Mapping[str, Profiles]  # the profiles of each plugin, by its kind


@dataclass(slots=True)
class Scanner:
    """Everything a scan needs of the installation."""

    plugins: Mapping[str, Plugin]
    families: Families
    clock: Clock
    step: Step
    others: int = 0  # who was heard and fits nothing
    trouble: str = ""  # why nothing answers

    def opener(self, url: str) -> Plugin:
        """Who opens this link. ConfigError where nobody does."""
        scheme = url.partition("://")[0]
        found = next((p for p in self.plugins.values() if scheme in p.link_schemes), None)
        if found is None:
            raise ConfigError(f"{url!r} is no link that an installed driver opens")
        return found

    async def registers(
        self, url: str, units: Sequence[int] = (), answer_s: float | None = None
    ) -> list[Find]:
        """What answers on a Modbus link: unit by unit, recognised or not."""
        asker = Asker(lambda: self.opener(url).open_link(url, self.clock), answer_s)
        asked = list(dict.fromkeys([*units, *self._units(url)]))
        patience = len(units) + (SILENT_MAX if url.startswith("tcp") else len(asked))
        finds = []
        try:
            for done, unit in enumerate(asked, 1):
                self.step(done, len(asked), f"{url} unit {unit}")
                if not asker.answers and len(asker.silent) >= patience:
                    break
                before = asker.answers
                matches = await self._matches(url, asker, unit)
                if matches or (asker.answers > before and unit not in asker.silent and unit in units):
                    finds.append(self._find(url, unit, matches))
        finally:
            await asker.close()
        self.trouble = self.trouble or asker.trouble
        if not finds and asker.answers:
            finds.append(Find(url, asked[0]))
        return finds

    def _plugins(self, url: str) -> Iterable[tuple[Recognising, Profiles]]:
        scheme = url.partition("://")[0]
        for kind, profiles in self.families.items():
            plugin = self.plugins[kind]
            if isinstance(plugin, Recognising) and scheme in plugin.schemes:
                yield plugin, profiles

    def _units(self, url: str) -> list[int]:
        return [unit for plugin, profiles in self._plugins(url) for unit in plugin.units(profiles)]

    async def _matches(self, url: str, asker: Asker, unit: int) -> list[Match]:
        found: list[Match] = []
        for plugin, profiles in self._plugins(url):
            with suppress(LinkError):
                found += await plugin.recognise(asker, unit, profiles)
        return ranked(found)

    def _find(self, url: str, unit: int, matches: list[Match]) -> Find:
        identity = matches[0].identity if matches else {}
        return Find(url, unit, matches, tuple(address_notes(url, identity, mac_of(url))))

    async def trials(self, path: str) -> list[Find]:
        """Batteries on a serial line that are asked in frames of their own: the first whose requests bring
        answers whose checksums are right."""
        tried = [(k, n, p) for k, ps in self.families.items() for n, p in ps.items() if self._tries(k)]
        url = f"serial://{path}"
        for done, (kind, name, profile) in enumerate(tried, 1):
            self.step(done, len(tried), f"{url} as {name}")
            if (identity := await self._trial(self.plugins[kind], url, name, profile)) is not None:
                return [Find(url, matches=[Match(name, profile.role, 1, identity)])]
        return []

    def _tries(self, kind: str) -> bool:
        return "serial" in self.plugins[kind].schemes

    async def _trial(self, plugin: Plugin, url: str, name: str, profile: Any) -> Mapping[str, str] | None:
        device = Device(
            "scan", name, plugin.kind, profile.role, url, profile.table(), timeout_ms=TRIAL_MS, control=False
        )
        link = plugin.open_link(url, self.clock)
        try:
            async with asyncio.timeout(TRIAL_S):
                return await plugin.driver(device, device.profile, link, self.clock).connect()
        except (LinkError, TimeoutError) as error:
            self.trouble = str(error) or f"{url} did not answer within {TRIAL_S:g} s"
            return None
        finally:
            await link.close()

    async def sightings(self, adapter: str, seconds: float) -> list[Find]:
        """Who advertises by radio and fits a profile; of the others their number, for there are many."""
        finds: list[Find] = []
        for kind, profiles in self.families.items():
            plugin = self.plugins[kind]
            if isinstance(plugin, Nearby):
                for one in await plugin.nearby(adapter, seconds, profiles):
                    self.others += not one.matches
                    note = f"calls itself {one.name or 'nothing'}, {one.rssi} dBm"
                    finds += (
                        [Find(one.link, matches=ranked(one.matches), notes=(note,))] if one.matches else []
                    )
        return finds

    async def offers(self, url: str) -> list[Find]:
        """What a server says of itself."""
        plugin = self.opener(url)
        if not isinstance(plugin, Offering):
            raise ConfigError(f"{url} is no address of a server that says what it is")
        try:
            offer = await plugin.offers(url, self.families.get(plugin.kind, {}), self.clock)
        except LinkError as error:
            self.trouble = str(error)
            return []
        return [Find(offer.link, matches=ranked(offer.matches), notes=tuple(offer.notes))]

    async def frames(self, url: str, seconds: float) -> tuple[list[Find], Mapping[tuple[int, bool], int]]:
        """What is heard on a CAN bus, and how often each id."""
        counted: dict[tuple[int, bool], int] = {}
        link: Any = self.opener(url).open_link(url, self.clock)
        try:
            if not hasattr(link, "listen"):
                raise ConfigError(
                    f"no frames are heard at {url!r}: write can0, or slcan:///dev/serial/by-id/…"
                )
            async for frame in heard(link, seconds):
                key = frame.id, frame.extended
                counted[key] = counted.get(key, 0) + 1
        finally:
            await link.close()
        matches: list[Match] = []
        for kind, profiles in self.families.items():
            family = self.plugins[kind]
            if isinstance(family, Hearing):
                matches += family.heard(frozenset(counted), profiles)
        return ([Find(url, matches=ranked(matches))] if counted else []), counted


async def heard(link: FrameLink, seconds: float) -> AsyncIterator[Any]:
    """Every frame for so long."""
    listener = link.listen(EVERYTHING)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for frame in listener:
                yield frame


EVERYTHING: frozenset[int] = frozenset()  # to a FrameLink: all there is
