"""Recorded BMS replies by family, and how the tests put them through assembler and decoder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from drivers.bms.ascii import _length_check, checksum
from drivers.bms.families import FAMILIES
from drivers.bms.family import Assembler, Family, Frame, Request, Values
from gateway.errors import FrameError

RECORDED = Path(__file__).parent.parent / "recorded"


@dataclass(frozen=True)
class Reply:
    """One recorded reply and the request that it answers."""

    family: Family
    address: int
    request: Request
    raw: bytes
    introduced: bytes  # what the device had said before, in the same session

    def session(self) -> Assembler:
        """An assembler that has heard the introduction."""
        assembler = self.family.assembler()
        if self.request not in self.family.introduction(self.address):
            assembler.feed(self.introduced)
        return assembler

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
            introduction = family.introduction(address)
            known = {r.name: r for r in (*introduction, *family.requests(address))}
            raws = {asked: wire(raw) for asked, raw in case["replies"].items()}
            introduced = b"".join(raws.get(request.name, b"") for request in introduction)
            replies = tuple(
                Reply(family, address, known[asked], raw, introduced) for asked, raw in raws.items()
            )
            yield Case(case["name"], family, replies, case["told"], case.get("texts", {}))


def wire(raw: str) -> bytes:
    """Hex, or an ASCII frame without its CR; blanks where the file breaks a line."""
    raw = raw.replace(" ", "")
    return f"{raw}\r".encode() if raw.startswith("~") else bytes.fromhex(raw)


def readings(reply: Reply, chunks: Iterable[bytes]) -> list[Values]:
    """What a link that asked for `reply` would believe of these bytes."""
    return [values for frame in frames(reply, chunks) if (values := reading(reply, frame)) is not None]


def frames(reply: Reply, chunks: Iterable[bytes]) -> list[Frame]:
    assembler = reply.session()
    return [frame for chunk in chunks for frame in assembler.feed(chunk)]


def reading(reply: Reply, frame: Frame) -> Values | None:
    if frame.refused or not reply.request.answered_by(frame, reply.address):
        return None
    try:
        return reply.family.decode(reply.request.kind, frame.data)
    except FrameError:
        return None


def ascii_reply(data: bytes, *, code=0, address=2, version=0x20, kind=0x46) -> bytes:
    """A reply in the ASCII frames of Pylontech and Seplos."""
    digits = 2 * len(data)
    body = f"{version:02X}{address:02X}{kind:02X}{code:02X}{_length_check(digits) << 12 | digits:04X}"
    body = (body + data.hex().upper()).encode()
    return b"~" + body + checksum(body) + b"\r"
