"""What stays until an operator ends it: a stop, and a fault. Each is a STOP in the store as well, so that
neither a crash nor a restart ends it.

It refuses to end anything by itself: not by time, not by the trouble going away.
"""

import hashlib
from collections import deque
from collections.abc import Collection

from gateway.journal import Journal
from gateway.model import Command, CommandState, ServiceKind, Source, Stamp, Verdict
from gateway.store import commands

CLEARED_MAX = 256  # ids of stops that were ended: a late repeat of one must not stop the site again
STOPS_MAX = 32  # that are durable at once: one more changes nothing, and a flood would wear the card
TEXT_MAX = 200


class Latch:
    OPEN = frozenset({CommandState.ADMITTED, CommandState.RUNNING})

    def __init__(self, site: str, devices: Collection[str], journal: Journal) -> None:
        self._site = site
        self._devices = frozenset(devices)  # those that can be commanded
        self._journal = journal
        self._stops: dict[str, str] = {}  # id -> why
        self._trips: dict[str, tuple[str, str]] = {}  # id -> device, what is wrong with it
        self._durable: set[str] = set()  # of those, the ones that the store knows
        self._cleared: deque[str] = deque(maxlen=CLEARED_MAX)

    @property
    def fault(self) -> str:
        """The first latched fault, for a person; empty if none."""
        return next((text for _, text in self._trips.values()), "")

    @property
    def site_fault(self) -> bool:
        """Whether a fault is latched that belongs to none of the devices there are now."""
        return any(device not in self._devices for device, _ in self._trips.values())

    def faulted(self, device: str) -> bool:
        return any(tripped == device for tripped, _ in self._trips.values())

    @property
    def stopped(self) -> str:
        """Who or what stopped the site; empty if it is not stopped."""
        return next(iter(self._stops.values()), "")

    @property
    def full(self) -> bool:
        """The site is stopped, durably and many times over: until it is released, more stops do nothing."""
        return len(self._durable & self._stops.keys()) >= STOPS_MAX

    @property
    def text(self) -> str:
        return self.fault or self.stopped

    def stop(self, command: Command) -> None:
        """At once, before it is stored."""
        if command.id not in self._cleared and len(self._stops) < CLEARED_MAX:
            self._stops[command.id] = _why(command)

    def stored(self, command: Command, now: Stamp) -> None:
        """Its order is durable; it may have been cleared meanwhile."""
        self._durable.add(command.id)
        self._journal.put(commands.set_state, command.id, CommandState.RUNNING, now)
        if command.id in self._cleared:
            self._finish(command.id, now)

    def forget(self, command_id: str) -> None:
        """It was a repeat of a stop that had been ended."""
        self._stops.pop(command_id, None)

    def press(self, device: str, now: Stamp) -> None:
        """An emergency contact at the site was opened: a stop by the operator, durable as soon as can be."""
        command = self._made(Source.OPERATOR, device, f"emergency contact at {device}", now)
        self.stop(command)
        self._store(command, now)

    def trip(self, device: str, text: str, now: Stamp) -> None:
        """Latch a device's fault, once; its next one only after this is cleared."""
        if self.faulted(device):
            return
        text = text[:TEXT_MAX]
        command = self._made(Source.TRIP, device, f"{device}: {text}", now)
        self._trips[command.id] = (device, text)
        self._store(command, now)

    def _made(self, source: Source, device: str, origin: str, now: Stamp) -> Command:
        """A stop that the site orders from itself, with an id of its own."""
        seed = f"{self._site}\n{device}\n{now.wall_ms}\n{now.mono_ms}\n{origin}"
        name = hashlib.sha256(seed.encode()).hexdigest()
        return Command(name, source, ServiceKind.STOP, now.wall_ms, now.wall_ms, origin=origin)

    def _store(self, command: Command, now: Stamp) -> None:
        self._journal.put(commands.insert, command, Verdict(True), now.wall_ms)
        self.stored(command, now)

    def restore(self, order: commands.Order, now: Stamp) -> None:
        """A stop or fault of before the restart still holds."""
        command = order.command
        if command.source is Source.TRIP:
            device, _, text = command.origin.partition(": ")
            self._trips[command.id] = (device, text)
        else:
            self._stops[command.id] = _why(command)
        self._durable.add(command.id)
        if order.state is CommandState.ADMITTED:
            self._journal.put(commands.set_state, command.id, CommandState.RUNNING, now)

    def clear(self, now: Stamp) -> str:
        """End all; says what it was, empty if there was nothing."""
        ended = self.text
        for command_id in (*self._stops, *self._trips):
            self._cleared.append(command_id)
            if command_id in self._durable:
                self._finish(command_id, now)
        self._stops.clear()
        self._trips.clear()
        return ended

    def _finish(self, command_id: str, now: Stamp) -> None:
        self._durable.discard(command_id)
        self._journal.put(commands.set_state, command_id, CommandState.DONE, now, "cleared")


def _why(command: Command) -> str:
    return command.origin or f"stop by {command.source.name.lower()}"
