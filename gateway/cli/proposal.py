"""What a scan proposes: lines for site.yaml, addressed by what does not move as far as that can be known.

Pure but for what it looks up on this machine: the names under /dev/serial/by-id, and whose MAC address the
kernel has seen at an IP address. It refuses to invent: what fits no profile is told, not proposed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.narrate import plain
from gateway.recognising import Match

BY_ID = Path("/dev/serial/by-id")
ARP = Path("/proc/net/arp")
NO_MAC = "00:00:00:00:00:00"
NAMES = {"battery": "bms"}  # role -> what the device is called; else the role itself
ROLES = ("inverter", "meter", "battery", "relay")  # of several that fit alike


@dataclass(frozen=True, slots=True)
class Find:
    """One device that answered or was heard. `matches`: best first; none: not recognised."""

    link: str
    unit: int = 1
    matches: Sequence[Match] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    answers: bool = True

    @property
    def best(self) -> Match | None:
        return self.matches[0] if self.matches else None


def ranked(matches: Sequence[Match]) -> list[Match]:
    """By how much speaks for it, then by role."""
    return sorted(matches, key=lambda m: (-m.signs, ROLES.index(m.role) if m.role in ROLES else 9, m.profile))


def told(find: Find) -> Iterator[str]:
    """What it is, in a line, and what else is to be known."""
    where = f"{find.link} unit {find.unit}" if find.link.startswith(("tcp", "rtu")) else find.link
    if not find.answers:
        yield f"{find.link}: takes connections, and does not answer in Modbus"
    elif find.best is None:
        yield f"{where}: answers, and fits no profile"
    else:
        said = find.best.identity
        words = [said.get(key, "") for key in ("vendor", "model")]
        serial = f", serial number {said['serial']}" if said.get("serial") else ""
        who = " ".join(plain(w) for w in words if w)
        yield f"{where}: {who}{plain(serial)}: {find.best.profile}"
        if others := [m.profile for m in find.matches[1:]]:
            yield f"  it also fits {', '.join(others)}"
    yield from (f"  {plain(note)}" for note in find.notes)


def yaml(finds: Sequence[Find]) -> str:
    """Ready to paste: the `devices:` of what was recognised; empty if nothing was."""
    lines, taken = [], dict[str, int]()
    for find in finds:
        if find.best is None:
            continue
        name = NAMES.get(find.best.role, find.best.role)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name}{taken[name]}"
        words = [f"profile: {find.best.profile}", f"link: {json.dumps(find.link)}"]
        if find.link.startswith(("tcp", "rtu")):
            words.append(f"unit: {find.unit}")
        if serial := find.best.identity.get("serial"):
            words.append(f"serial: {json.dumps(serial)}")
        lines.append(f"  {name}: {{{', '.join(words)}}}")
    return "\n".join(["devices:", *lines]) if lines else ""


def by_id(path: str, folder: Path = BY_ID) -> str:
    """The name of a serial adapter that stays with it; `path` itself where there is none."""
    if not folder.is_dir():
        return path
    meant = Path(path).resolve()
    return next((str(p) for p in sorted(folder.iterdir()) if p.resolve() == meant), path)


def mac_of(link: str, table: Path = ARP) -> str:
    """The MAC address that the kernel has seen at a link's host; empty where it saw none (or a router)."""
    host = urlsplit(link).hostname
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return ""
    return next((r[3] for r in rows if len(r) > 3 and r[0] == host and r[3] != NO_MAC), "")


def address_notes(link: str, identity: Mapping[str, str], mac: str) -> Iterator[str]:
    """How its address is kept, where that is not sure."""
    if not link.startswith("tcp"):
        return
    if mac:
        yield f"keep its address: a DHCP reservation for {mac}"
    if not identity.get("serial"):
        yield "it says no serial number: another device at its address would not be noticed"
