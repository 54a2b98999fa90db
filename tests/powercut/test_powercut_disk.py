"""The model of a disk: what a sync keeps, what a cut may take, and what it may not."""

from random import Random

from tests.powercut.disk import WAYS, Disk
from tests.powercut.trace import Call, Kind


def call(kind: Kind, inode: int = 0, a: int = 0, path: str = "", other: str = "", data: bytes = b"") -> Call:
    return Call(kind, inode, a, path, other, data)


def after(*calls: Call) -> Disk:
    disk, random = Disk(), Random(1)
    for one in calls:
        disk.apply(one, random)
    return disk


def images(disk: Disk, tries: int = 200) -> set[tuple[tuple[str, bytes], ...]]:
    return {tuple(disk.image(way, Random(n)).items()) for way in WAYS for n in range(tries)}


CREATE = call(Kind.CREATE, 1, path="a")
WRITE = call(Kind.WRITE, 1, 0, data=b"x" * 600)


def test_nothing_synced_may_be_gone_or_half_there() -> None:
    found = images(after(CREATE, WRITE))
    assert () in found
    assert (("a", b""),) in found
    assert (("a", b"x" * 600),) in found
    assert (("a", b"x" * 512),) in found, "torn at a sector"
    assert any(name and body not in (b"", b"x" * 600, b"x" * 512) for image in found for name, body in image)


def test_a_synced_file_stays_with_its_name() -> None:
    found = images(after(CREATE, WRITE, call(Kind.SYNC, 1)))
    assert found == {(("a", b"x" * 600),)}


def test_a_rename_may_be_lost_until_the_folder_is_synced() -> None:
    calls = (CREATE, WRITE, call(Kind.SYNC, 1), call(Kind.RENAME, path="a", other="b"))
    assert images(after(*calls)) == {(("a", b"x" * 600),), (("b", b"x" * 600),)}
    assert images(after(*calls, call(Kind.SYNC_FOLDER))) == {(("b", b"x" * 600),)}


def test_what_a_failed_sync_lost_a_later_one_does_not_bring_back() -> None:
    failed = call(Kind.FAILED, 1, int(Kind.SYNC))
    seen = set()
    for seed in range(20):
        disk, random = Disk(), Random(seed)
        for one in (CREATE, call(Kind.SYNC, 1), WRITE, failed, call(Kind.SYNC, 1)):
            disk.apply(one, random)
        seen |= images(disk, 3)
    assert seen == {(("a", b""),), (("a", b"x" * 600),)}


def test_an_image_is_a_disk_to_go_on_with() -> None:
    disk = Disk.of({"a": b"old"}, {"a": 5})
    disk.apply(call(Kind.WRITE, 5, 0, data=b"new"), Random(1))
    assert images(disk) >= {(("a", b"old"),), (("a", b"new"),)}
    copy = disk.copy()
    copy.apply(call(Kind.UNLINK, path="a"), Random(1))
    assert disk.names and not copy.names
