"""Recorded BMS replies by family, and how the tests put them through assembler and decoder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from drivers.bms.families import FAMILIES
from drivers.bms.family import Family, Frame, Request, Values
from gateway.errors import FrameError

RECORDED = Path(__file__).parent.parent / "recorded"


@dataclass(frozen=True)
class Reply:
    """One recorded reply and the request that it answers."""

    family: Family
    address: int
    request: Request
    raw: bytes

    def __str__(self) -> str:
        return f"{self.family.name}, {self.request.name}, {self.raw.hex()[:24]}"


@dataclass(frozen=True)
class Case:
    name: str
    family: Family
    replies: tuple[Reply, ...]
    told: Values
    texts: dict[str, str]


def cases() -> Iterator[Case]:
    for name, family in FAMILIES.items():
        for case in yaml.safe_load((RECORDED / f"bms_{name}.yaml").read_text()):
            address = case.get("address", family.addresses[0])
            known = {r.name: r for r in (*family.introduction(address), *family.requests(address))}
            replies = tuple(
                Reply(family, address, known[asked], bytes.fromhex(raw))
                for asked, raw in case["replies"].items()
            )
            yield Case(case["name"], family, replies, case["told"], case.get("texts", {}))


def readings(reply: Reply, chunks: Iterable[bytes]) -> list[Values]:
    """What a link that asked for `reply` would believe of these bytes."""
    return [values for frame in frames(reply, chunks) if (values := reading(reply, frame)) is not None]


def frames(reply: Reply, chunks: Iterable[bytes]) -> list[Frame]:
    assembler = reply.family.assembler()
    return [frame for chunk in chunks for frame in assembler.feed(chunk)]


def reading(reply: Reply, frame: Frame) -> Values | None:
    if frame.refused or not reply.request.answered_by(frame, reply.address):
        return None
    try:
        return reply.family.decode(reply.request.kind, frame.data)
    except FrameError:
        return None
