"""What an OPC UA server is and has, for people: before a login what it offers, and after it node by node.

For `gridseal scan opcua` and `gridseal raw`. It reads, in bounded pieces, and writes nothing; it refuses to
trust what it was shown: that a fingerprint is the device's own, only a person in front of it can say.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drivers.opcua import library
from drivers.opcua.codec import Heard
from drivers.opcua.library import Child, Offered
from drivers.opcua.node import STANDARD, Node, parse
from drivers.opcua.session import Session
from drivers.opcua.table import NODES_A_READ, Table
from drivers.opcua.url import OpcUaUrl
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError
from gateway.recognising import Match, Offer, Shown

OPEN_S, ANSWER_S = 10.0, 5.0
CHILDREN_MAX = 300
TEXT_MAX = 60  # characters of a value on a screen
OBJECTS = Node(STANDARD, "i", 85)  # where a server's devices lie
COLUMNS = ("node", "name", "is", "value", "status", "source time")


async def offers(where: OpcUaUrl, profiles: Mapping[str, Any], clock: Clock) -> Offer:
    """Who answers, the link to pin it, and which of the profiles have their nodes there."""
    session = Session(where, clock)
    try:
        found = library.offered(await session.endpoints(OPEN_S))
    finally:
        await session.close()
    matches, note = await _matches(replace(where, url=where.endpoint, mode="none"), profiles, clock)
    return Offer(_link(where, found), (*_told(found), *note), matches)


def _link(where: OpcUaUrl, found: Offered) -> str:
    mode = next((mode for mode in ("encrypt", "sign") if mode in found.secured), "")
    return where.endpoint + (f"?mode={mode}&server=sha256:{found.secured[mode]}" if mode else "")


def _told(found: Offered) -> list[str]:
    said = [f"calls itself {found.name or 'nothing'} ({found.uri or 'without a URI'})"]
    said += [
        f"offers {', '.join(found.modes) or 'no endpoint'}; lets in: {', '.join(found.logins) or 'nobody'}"
    ]
    if found.secured:
        print = next(iter(found.secured.values()))
        said.append(f"its certificate is sha256:{print}: compare that with the device's own display")
    else:
        said.append("it offers no Basic256Sha256: it can be read, and is given no setpoints")
    return said


async def _matches(
    where: OpcUaUrl, profiles: Mapping[str, Any], clock: Clock
) -> tuple[list[Match], tuple[str, ...]]:
    """By the nodes that are there; without a password, so of a server that lets everybody read."""
    if not profiles:
        return [], ()
    session, found = Session(where, clock), list[Match]()
    try:
        await session.open(OPEN_S)
        for name, profile in profiles.items():
            with suppress(LinkError):  # not its namespace
                if match := await _match(session, name, profile):
                    found.append(match)
    except LinkError as error:
        return [], (f"which profile fits is not known: {error}",)
    finally:
        await session.close()
    return found, ()


async def _match(session: Session, name: str, profile: Any) -> Match | None:
    """By more than half of its fast points, which have a value of their type: some may have none just now."""
    table: Table = profile.table()
    fields, texts = table.fast[:NODES_A_READ], list(table.identity.items())[:NODES_A_READ]
    if not session.knows([*(field.node for field in fields), *(node for _, node in texts)]):
        return None
    heard = await session.read([field.node for field in fields], ANSWER_S)
    signs = sum(said.type == field.type for field, said in zip(fields, heard, strict=True))
    said = await session.read([node for _, node in texts], ANSWER_S) if texts else []
    words = {
        key: str(h.value)[:TEXT_MAX] for (key, _), h in zip(texts, said, strict=True) if h.type == "String"
    }
    identity = {"vendor": table.vendor, "model": table.model} | words
    return Match(name, profile.role, signs, identity) if 2 * signs > len(fields) else None


async def look(where: OpcUaUrl, words: Sequence[str], clock: Clock) -> Shown:
    """One node with what lies below it; the server's objects if none is named."""
    if len(words) > 1:
        raise ConfigError("write one node: nsu=<URI>;s=Battery.SoC")
    try:
        node = parse(words[0]) if words else OBJECTS
    except ValueError as error:
        raise ConfigError(str(error)) from error
    session = Session(where, clock)
    try:
        await session.open(OPEN_S)
        below, whole = await session.children(node, CHILDREN_MAX, ANSWER_S)
        rows = await _rows(session, [Child(node, "", ""), *below])
    finally:
        await session.close()
    note = f"nodes without nsu= are of the namespace {node.namespace}"
    more = "" if whole else f"; there are more than {CHILDREN_MAX} below it, the rest is not shown"
    return Shown(COLUMNS, rows, note + more)


async def _rows(session: Session, nodes: Sequence[Child]) -> list[tuple[str, ...]]:
    """The first is the one that was asked for, whatever it is; of those below it variables have a value."""
    asked = [one for at, one in enumerate(nodes) if one.kind == "Variable" or at == 0]
    heard = dict[Node, Heard]()
    for at in range(0, len(asked), NODES_A_READ):
        part = [one.node for one in asked[at : at + NODES_A_READ]]
        heard |= dict(zip(part, await session.read(part, ANSWER_S), strict=True))
    home = f"{nodes[0].node.text.partition(';')[0]};"
    return [
        (one.node.text.removeprefix(home), one.name, *_shown(one.kind, heard.get(one.node))) for one in nodes
    ]


def _shown(kind: str, heard: Heard | None) -> tuple[str, ...]:
    if heard is None or (not kind and heard.type == ""):
        return kind, "", "", ""
    status = "" if heard.status == 0 else library.status_name(heard.status)
    return (
        heard.type or kind,
        str(heard.value)[:TEXT_MAX] if heard.type else "",
        status,
        _time(heard.source_ms),
    )


def _time(ms: int | None) -> str:
    try:
        return "" if ms is None else f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(ms)
