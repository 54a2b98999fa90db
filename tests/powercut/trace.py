"""The recorder's trace, read: a list of calls and notes in their order. A torn entry is an error."""

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

HEAD = struct.Struct("<7Q")


class Kind(IntEnum):
    """As in recorder.c."""

    NOTE = 1
    CREATE = 2
    WRITE = 3
    TRUNCATE = 4
    SYNC = 5
    SYNC_FOLDER = 6
    RENAME = 7
    UNLINK = 8
    LINK = 9
    MKDIR = 10
    FAILED = 11


@dataclass(frozen=True, slots=True)
class Call:
    """`a` is a write's offset, a truncation's length, a failed call's kind."""

    kind: Kind
    inode: int
    a: int
    path: str
    other: str
    data: bytes

    @property
    def note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found


def read(path: Path) -> list[Call]:
    raw, at, calls = path.read_bytes(), 0, []
    while at < len(raw):
        kind, inode, a, _, *lengths = HEAD.unpack_from(raw, at)
        at += HEAD.size
        parts = []
        for length in lengths:
            parts.append(raw[at : at + length])
            at += length
        calls.append(Call(Kind(kind), inode, a, parts[0].decode(), parts[1].decode(), parts[2]))
    if at != len(raw):
        raise ValueError(f"{path} ends within an entry")
    return calls
