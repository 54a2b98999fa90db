"""What site.yaml says of where devices are, checked across devices: whose wire it is, and who can be found.

It refuses one wire under two names, which would be opened twice, and consents that could not be used: without
a serial number nothing tells a device from another, and what hangs on a wire of its own does not move.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from gateway.driver import Moving, Plugin
from gateway.errors import ConfigError, Problem
from gateway.sitefile import DeviceModel, SiteFile
from gateway.yamlfile import Document


def wired(
    document: Document,
    entries: Mapping[str, DeviceModel],
    plugins: Mapping[str, Plugin],
    problems: list[Problem],
) -> set[str]:
    """The devices whose link means a wire. One wire is one URL: the same place with other settings, or
    spoken to in another protocol, is a problem."""
    usable: set[str] = set()
    seen: dict[str, tuple[str, str]] = {}
    for name, entry in entries.items():
        opener = _opener(entry, plugins)
        if opener is None:
            continue  # said with the device
        try:
            place = opener.place(entry.link)
        except ConfigError as error:
            problems.append(document.problem(("devices", name, "link"), str(error)))
            continue
        usable.add(name)
        other, url = seen.setdefault(place, (name, entry.link))
        if url != entry.link:
            problems.append(document.problem(("devices", name, "link"), _twice(entry.link, url, other)))
    return usable


def _twice(link: str, url: str, other: str) -> str:
    if link.partition(":")[0].lower() != url.partition(":")[0].lower():
        return f"{link!r} and {url!r} of {other!r} are one port, on which one protocol is spoken"
    return f"{link!r} and {url!r} of {other!r} are one wire: write both the same"


def unfindable(document: Document, parsed: SiteFile, plugins: Mapping[str, Plugin]) -> Iterator[Problem]:
    """Devices that are to be looked for and cannot be found."""
    for name, entry in parsed.devices.items():
        if entry.find is not None and (text := _why_not(entry, plugins)):
            yield document.problem(("devices", name, "find"), text)


def _why_not(entry: DeviceModel, plugins: Mapping[str, Plugin]) -> str:
    if not entry.serial.strip():
        return "say its serial number too (serial: …): nothing else tells it from another device"
    opener: Plugin | Moving | None = _opener(entry, plugins)
    if isinstance(opener, Moving):
        with suppress(ConfigError):  # it leads to no host, or is none, which is said with the link
            opener.target(entry.link)
            return ""
    return f"only a device at a Modbus host (tcp, rtutcp) can be looked for, not {entry.link!r}"


def _opener(entry: DeviceModel, plugins: Mapping[str, Plugin]) -> Plugin | None:
    scheme = entry.link.partition(":")[0].lower()
    return next((plugin for plugin in plugins.values() if scheme in plugin.link_schemes), None)
