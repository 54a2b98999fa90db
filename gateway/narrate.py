"""What the daemon says in the journal: changes, in plain lines, and nothing twice.

Pure: two scenes in, lines out. Levels are systemd's (`<3>` error, `<4>` warning, `<6>` information), so that
`journalctl -p warning` shows what a technician must see. It refuses to repeat a state that lasts, so a
device that is away for a week is two lines, and to pass on control characters: what a broker or an RPC says
could else write lines of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ERROR, WARNING, INFO = "<3>", "<4>", "<6>"
GRID = {
    "lost": f"{WARNING}the grid is gone: services for it wait, the battery is its inverter's",
    "island": f"{INFO}the house is an island, as ordered: services for the grid wait",
    "returning": f"{INFO}the grid is back: services go on when it has been stable for a while",
    "": f"{INFO}the grid is stable: services go on",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is worth a line when it changes. `devices`: name -> error, empty while online."""

    devices: Mapping[str, str] = field(default_factory=dict)
    strangers: frozenset[str] = frozenset()  # devices in whose place another answers: the error says which
    found: Mapping[str, str] = field(default_factory=dict)  # name -> the link, where it is another
    troubles: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    fault: str = ""
    stop: str = ""
    doubts: tuple[str, ...] = ()  # what is measured and not believed
    grid: str = ""  # lost | island | returning
    shed: tuple[str, ...] = ()  # loads that are off by order
    clock: str = ""


def lines(before: Scene, after: Scene) -> Iterator[str]:
    """One line for each change from `before` to `after`."""
    return map(plain, _changes(before, after))


def plain(said: str) -> str:
    """What somebody else said, as text that draws and starts no line."""
    return "".join(c if c.isprintable() else " " for c in said)


def _changes(before: Scene, after: Scene) -> Iterator[str]:
    for name, error in after.devices.items():
        was = before.devices.get(name)
        if error and not was:
            yield f"{WARNING}{name}: offline: {error}"
        elif not error and was != "":
            yield f"{INFO}{name}: online"
        elif error and name in after.strangers - before.strangers:
            yield f"{WARNING}{name}: {error}"
    for name in {**before.found, **after.found}:
        link = after.found.get(name)
        if link and link != before.found.get(name):
            yield f"{WARNING}{name}: found at {link}: write that into site.yaml, or keep its address by DHCP"
        elif not link and before.found.get(name):
            yield f"{INFO}{name}: found where site.yaml says"
    for name in after.troubles.keys() - before.troubles.keys():
        yield f"{WARNING}{name}: waits: {after.troubles[name]}"
    for name in before.troubles.keys() - after.troubles.keys():
        yield f"{INFO}{name}: works again"
    if after.fault != before.fault:
        yield f"{ERROR}fault latched: {after.fault}" if after.fault else f"{INFO}fault cleared"
    if after.stop != before.stop:
        yield f"{WARNING}stopped: {after.stop}" if after.stop else f"{INFO}stop released"
    if after.grid != before.grid:
        yield GRID[after.grid]
    for load in after.shed:
        if load not in before.shed:
            yield f"{WARNING}{load} is switched off by order"
    for load in before.shed:
        if load not in after.shed:
            yield f"{INFO}{load} may run again"
    for doubt in after.doubts:
        if doubt not in before.doubts:
            yield f"{WARNING}not believed: {doubt}"
    if before.doubts and not after.doubts:
        yield f"{INFO}everything measured is believed again"
    if after.command != before.command:
        yield f"{INFO}carrying out {after.command}" if after.command else f"{INFO}order ended"
    if after.clock != before.clock:
        level = INFO if after.clock == "TRUSTED" else WARNING
        yield f"{level}clock {after.clock.lower()}"
