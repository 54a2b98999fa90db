"""No disk that a power cut can leave breaks a promise; each way to break the store on purpose is noticed."""

import errno
import shutil
from pathlib import Path

import pytest

from tests.powercut import harness, mutants, trace, workload
from tests.powercut.__main__ import memory, shared, tried
from tests.powercut.harness import WALL_MS
from tests.powercut.trace import Kind
from tests.tools import missing

STATES = 20_000
SEED = 7
EVERY = 20  # of the calls of a life, in the test of failing disks


@pytest.fixture(autouse=True)
def _gcc() -> None:
    if shutil.which("gcc") is None:
        missing("gcc")


@pytest.mark.timeout(300)
def test_no_cut_breaks_a_promise() -> None:
    found = shared(STATES, SEED)
    assert (found.violations, found.first) == (0, "")
    assert found.states >= STATES and found.faults > 0
    assert found.lives > 6, "recovery was cut as well"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", sorted(set(mutants.MUTANTS) - {""}))
def test_a_store_that_is_broken_on_purpose_is_found_out(mutant: str) -> None:
    found = tried(20_000, SEED, 0, 1, mutant, most=1)
    assert found.violations == 1
    assert f"MUTANT={mutant}" in found.first, "and it says how to see it again"


def test_the_same_seed_tries_the_same_disks() -> None:
    one, two = (tried(300, 3, 0, 1) for _ in range(2))
    assert (one.states, one.calls, one.ways, one.faults) == (two.states, two.calls, two.ways, two.faults)


SAID = ("is full: free some space", "look at the kernel's log", "cannot be written: ")
WRITES = ("create", "write", "truncate", "rename", "unlink", "link")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kinds", "error"),
    [(("write",), errno.ENOSPC), (("write",), errno.EIO), (WRITES, errno.EROFS), (("sync",), errno.EIO)],
)
def test_a_disk_that_fails_at_any_call_ends_acknowledgement(
    tmp_path: Path, kinds: tuple[str, ...], error: int
) -> None:
    """`after a failure` notes are violations, and so is any error that is no StoreError or ConfigError."""
    workload.small()
    at, failed, ended, every = 1, True, 0, 3 if kinds == ("sync",) else EVERY
    with harness.zygote(harness.build(tmp_path)) as child:
        while failed:
            notes, failed = _life(child, tmp_path, kinds, at, error)
            told = [note for note in notes if "bug" in note or "acknowledged after a failure" in note]
            assert told == []
            said = [note["failed"] for note in notes if "failed" in note]
            assert all(any(words in line for words in SAID) for line in said), said
            ended += bool(said)
            at += every
    assert ended > 3


def _life(child, folder: Path, kinds: tuple[str, ...], at: int, error: int):  # type: ignore[no-untyped-def]
    """One life on a new disk, whose `at`-th call fails and all after it; its notes, and whether one did."""
    base = Path(memory() or folder) / f"powercut-{folder.name}"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    try:
        world = workload.World(WALL_MS, 0, 0, 0)
        status = child.life(
            folder=str(base), trace=str(folder / "trace"), seed=1, seconds=8, mutant="",
            world={name: getattr(world, name) for name in world.__slots__},
            fault=[list(kinds), at, error, 1],
        )  # fmt: skip
        assert status == 0
        calls = trace.read(folder / "trace")
    finally:
        shutil.rmtree(base)
    notes = [call.note for call in calls if call.kind is Kind.NOTE]
    return notes, any(call.kind is Kind.FAILED for call in calls)
