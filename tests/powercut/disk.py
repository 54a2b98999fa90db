"""A disk that may lose power: what is surely on it, what may be, and the images a cut can leave.

Content: what was written since a file's last sync may be there, missing, torn at a sector, or (a sector
that was being written) junk. Names: creations, renames and removals since the folder's last sync may be
lost; two that touch the same name or file keep their order, others need not. As on ext4, syncing a file
also keeps the name it was created under. After a failed sync the kernel calls the pages clean: each write
is on the disk or not, for ever, and a later sync that succeeds changes nothing.

Not modelled: a device that says it has flushed and has not, and one that spoils what it stored long ago.
"""

import copy
from dataclasses import dataclass, field
from random import Random

from tests.powercut.trace import Call, Kind

SECTOR = 512
WAYS = ("nothing", "everything", "prefix", "subset", "torn", "junk")
Image = dict[str, bytes]


@dataclass(slots=True)
class File:
    """`now` is what a process sees, `synced` what the disk holds for certain; `pending` (number, offset,
    data) or (number, length, None) for a truncation."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, int, bytes | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Naming:
    """One change of the folder: the names it sets to an inode, or (None) takes away."""

    names: tuple[tuple[str, int | None], ...]
    inodes: frozenset[int]


class Disk:
    def __init__(self) -> None:
        self.files: dict[int, File] = {}
        self.names: dict[str, int] = {}  # as a process sees them
        self._synced_names: dict[str, int] = {}
        self._namings: list[Naming] = []
        self._number = 0

    @classmethod
    def of(cls, image: Image, inodes: dict[str, int]) -> "Disk":
        """A disk after a cut: what is there is there. `inodes` as the files of this image got them."""
        disk = cls()
        for name, content in image.items():
            disk.files[inodes[name]] = File(bytearray(content), bytearray(content))
            disk.names[name] = disk._synced_names[name] = inodes[name]
        return disk

    def copy(self) -> "Disk":
        return copy.deepcopy(self)

    def apply(self, call: Call, random: Random) -> None:
        self._number += 1
        match call.kind:
            case Kind.CREATE:
                self.files[call.inode] = File()
                self._name((call.path, call.inode))
            case Kind.LINK:
                self._name((call.path, call.inode))
            case Kind.RENAME:
                inode = self.names[call.path]
                self._name((call.path, None), (call.other, inode))
            case Kind.UNLINK:
                self._name((call.path, None))
            case Kind.WRITE:
                self._change(call.inode, call.a, call.data)
            case Kind.TRUNCATE:
                self._change(call.inode, call.a, None)
            case Kind.SYNC:
                self._sync(call.inode)
            case Kind.SYNC_FOLDER:
                self._synced_names, self._namings = dict(self.names), []
            case Kind.FAILED if call.a == Kind.SYNC:
                self._sync_failed(call.inode, random)

    def _name(self, *changes: tuple[str, int | None]) -> None:
        touched = {i for _, i in changes if i is not None}
        touched |= {self.names[n] for n, _ in changes if n in self.names}
        self._namings.append(Naming(changes, frozenset(touched)))
        _set(self.names, changes)

    def _change(self, inode: int, at: int, data: bytes | None) -> None:
        file = self.files[inode]
        file.pending.append((self._number, at, data))
        _write(file.now, at, data)

    def _sync(self, inode: int) -> None:
        file = self.files[inode]
        for _, at, data in file.pending:
            _write(file.synced, at, data)
        file.pending.clear()
        own = next((n for n in self._namings if n.names[0][1] == inode and len(n.names) == 1), None)
        if own is not None:
            before = self._namings.index(own)
            blockers = [n for n in self._namings[:before] if _meet(n, own)]
            for naming in (*blockers, own):  # what it follows on the same name goes with it
                _set(self._synced_names, naming.names)
                self._namings.remove(naming)

    def _sync_failed(self, inode: int, random: Random) -> None:
        file = self.files[inode]
        for _, at, data in file.pending:
            if random.random() < 0.5:
                _write(file.synced, at, data)
        file.pending.clear()

    # -- what a cut can leave ---------------------------------------------------------------------

    def image(self, way: str, random: Random) -> Image:
        """One disk that a cut now can leave."""
        numbers = sorted(n for f in self.files.values() for n, _, _ in f.pending)
        through = random.choice(numbers) if way in ("prefix", "torn") and numbers else -1
        contents: dict[int, bytes] = {}
        names = self._names(way, random)
        for inode in sorted(set(names.values())):
            contents[inode] = self._content(self.files[inode], way, through, random)
        return {name: contents[inode] for name, inode in sorted(names.items())}

    def _names(self, way: str, random: Random) -> dict[str, int]:
        names, lost = dict(self._synced_names), list[Naming]()
        if way == "nothing":
            return names
        share = 1.0 if way == "everything" else random.choice((0.0, 0.5, 1.0))
        for naming in self._namings:
            if any(_meet(naming, gone) for gone in lost) or random.random() >= share:
                lost.append(naming)
            else:
                _set(names, naming.names)
        return names

    def _content(self, file: File, way: str, through: int, random: Random) -> bytes:
        if way == "nothing" or not file.pending:
            return bytes(file.synced)
        if way == "everything":
            return _all(file)
        content = bytearray(file.synced)
        for number, at, data in file.pending:
            if way == "prefix" and number <= through:
                _write(content, at, data)
            elif way == "torn" and number <= through:
                _write(content, at, data if number < through else _torn(at, data, random))
            elif way in ("subset", "junk") and random.random() < 0.5:
                _write(content, at, data)
            elif way == "junk" and data and random.random() < 0.5:
                _junk(content, at, data, random)
        return bytes(content)


def _all(file: File) -> bytes:
    content = bytearray(file.synced)  # not `now`: a failed sync may have lost what a process still sees
    for _, at, data in file.pending:
        _write(content, at, data)
    return bytes(content)


def _meet(one: Naming, other: Naming) -> bool:
    return bool(one.inodes & other.inodes) or bool({n for n, _ in one.names} & {n for n, _ in other.names})


def _set(names: dict[str, int], changes: tuple[tuple[str, int | None], ...]) -> None:
    for name, inode in changes:
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def _write(content: bytearray, at: int, data: bytes | None) -> None:
    """A write, or (without data) a truncation to `at`."""
    end = at if data is None else at + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[at:]
    else:
        content[at:end] = data


def _torn(at: int, data: bytes | None, random: Random) -> bytes | None:
    """The part of a write up to a boundary of sectors."""
    if data is None:
        return None
    edges = [e for e in range(at // SECTOR * SECTOR, at + len(data), SECTOR) if e > at]
    return data[: random.choice(edges) - at] if edges else b""


def _junk(content: bytearray, at: int, data: bytes, random: Random) -> None:
    """A sector under way when the power went: neither the old content nor the new."""
    first, last = at // SECTOR, (at + len(data) - 1) // SECTOR
    sector = random.randint(first, last)
    low, high = max(at, sector * SECTOR), min(at + len(data), (sector + 1) * SECTOR)
    _write(content, low, random.randbytes(high - low))
