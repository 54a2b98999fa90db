"""Which SunSpec profiles a model chain fits: by what a role needs, and by the maker in its common model.

A profile without `recognise` is never taken for anything. Nothing is written.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from drivers.sunspec.binding import for_role, understood
from drivers.sunspec.driver import IDENTITY
from drivers.sunspec.scan import COMMON_MODEL, Found, scan
from drivers.sunspec.values import text
from gateway.driver import RegisterLink
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.recognising import Match, Profiles

ANSWER_S = 1.0


def units(profiles: Profiles) -> Sequence[int]:
    asked = [p.recognise.units for p in profiles.values() if p.recognise]
    ranked = sorted((rank, unit) for those in asked for rank, unit in enumerate(those))
    return tuple(dict.fromkeys(unit for _, unit in ranked))


async def recognise(link: RegisterLink, unit: int, profiles: Profiles) -> list[Match]:
    """Those whose role the chain can play. LinkError when nobody answers."""
    read = partial(_read, link, unit)
    try:
        found = await scan(read)
        identity = await _identity(read, found)
    except (FrameError, DeviceRefused):
        return []  # somebody answers, and it is no SunSpec device
    matches = []
    for name, profile in profiles.items():
        block = profile.recognise
        if block and unit in block.units and block.vendor in identity.get("vendor", ""):
            try:
                for_role(found, profile.role)
            except LinkError:
                continue
            matches.append(Match(name, profile.role, 1 + 2 * bool(block.vendor), identity))
    return matches


async def _read(link: RegisterLink, unit: int, address: int, count: int) -> bytes:
    return await link.read(unit, "holding", address, count, timeout_s=ANSWER_S)


async def _identity(
    read: Callable[[int, int], Awaitable[bytes]], found: Sequence[Found]
) -> Mapping[str, str]:
    common = understood(found[:1], (COMMON_MODEL,)).get(COMMON_MODEL)
    if common is None:
        return {}
    raw = common.layout.unpack(await read(common.found.address, common.found.length + 2))
    said = {key: text(raw.get(name, b"")) for key, name in IDENTITY.items()}
    return {key: value for key, value in said.items() if value}
