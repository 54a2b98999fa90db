"""What site.yaml says of where devices are, checked across devices: whom a search can find at all.

It refuses consents that could not be used: without a serial number nothing tells a device from another, and
what hangs on a wire of its own does not move.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from gateway.driver import Moving, Plugin
from gateway.errors import ConfigError, Problem
from gateway.sitefile import DeviceModel, SiteFile
from gateway.yamlfile import Document


def problems(document: Document, parsed: SiteFile, plugins: Mapping[str, Plugin]) -> Iterator[Problem]:
    for name, entry in parsed.devices.items():
        if entry.find is not None and (text := _unfindable(entry, plugins)):
            yield document.problem(("devices", name, "find"), text)


def _unfindable(entry: DeviceModel, plugins: Mapping[str, Plugin]) -> str:
    if not entry.serial.strip():
        return "say its serial number too (serial: …): nothing else tells it from another device"
    scheme = entry.link.partition(":")[0].lower()
    for opener in plugins.values():
        if scheme in opener.link_schemes and isinstance(opener, Moving):
            with suppress(ConfigError):  # it leads to no host, or is none, which is said with the link
                opener.target(entry.link)
                return ""
    return f"only a device at a Modbus host (tcp, rtutcp) can be looked for, not {entry.link!r}"
