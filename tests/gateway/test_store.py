"""The writer: transactions whole or not at all, SIGKILL loses nothing acknowledged, a full disk ends it."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway import store as store_module
from gateway.errors import StoreError
from gateway.site import StoreSettings
from gateway.store import Store, cursors, records, samples
from tests.gateway.stores import HandClock, opened

ROOT = Path(__file__).parents[2]
KILLS = 12


async def test_a_call_is_one_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path / "g.db") as (store, _):
        assert await store.call(cursors.put, "a", 1) is None
        assert await store.call(cursors.get, "a") == 1
        assert await store.call(cursors.get, name="a", default=7) == 1

        def refused(conn: sqlite3.Connection) -> None:
            cursors.put(conn, "a", 2)
            raise StoreError("no")

        def bug(conn: sqlite3.Connection) -> None:
            cursors.put(conn, "a", 3)
            raise ZeroDivisionError

        with pytest.raises(StoreError, match=r"^no$"):
            await store.call(refused)
        with pytest.raises(ZeroDivisionError):
            await store.call(bug)
        assert await store.call(cursors.get, "a") == 1  # undone, and the store goes on


async def test_after_an_error_of_the_database_every_call_fails(tmp_path: Path) -> None:
    async with opened(tmp_path / "g.db") as (store, _):
        with pytest.raises(StoreError, match="no such table: nowhere"):
            await store.call(lambda conn: conn.execute("SELECT * FROM nowhere"))
        with pytest.raises(StoreError, match="no such table: nowhere"):
            await store.call(cursors.get, "a")
    async with opened(tmp_path / "g.db") as (store, _):
        assert await store.call(cursors.get, "a") == 0


async def test_calls_run_in_their_order_on_one_thread(tmp_path: Path) -> None:
    threads = set()

    def note(conn: sqlite3.Connection, number: int) -> int:
        threads.add(threading.get_ident())
        seen = cursors.get(conn, "n")
        cursors.put(conn, "n", number)
        return seen

    async with opened(tmp_path / "g.db") as (store, _):
        assert await asyncio.gather(*(store.call(note, n + 1) for n in range(50))) == list(range(50))
    assert len(threads) == 1 and threading.get_ident() not in threads


async def test_inline_mode_starts_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    store = Store(StoreSettings(tmp_path / "g.db"), HandClock(), threaded=False, entropy=lambda n: b"\7" * n)
    report = await store.open()
    await store.call(cursors.put, "a", 1)
    assert threading.active_count() <= before  # an earlier test's thread may just have ended
    assert (report.boot, store.id) == (1, "07070707")
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="the store is not open"):
        await store.call(cursors.get, "a")


async def test_opening_twice_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "g.db") as (store, _):
        with pytest.raises(StoreError, match="open already"):
            await store.open()
        assert await store.call(cursors.get, "a") == 0


async def test_a_cancelled_caller_leaves_when_the_transaction_has_ended(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        began.set()
        assert go_on.wait(10)
        cursors.put(conn, "a", 5)

    async with opened(tmp_path / "g.db") as (store, _), asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(store.call(slow))
        await asyncio.to_thread(began.wait, 10)
        calling.cancel()
        await asyncio.sleep(0.01)
        assert not calling.done()
        go_on.set()
        with contextlib.suppress(asyncio.CancelledError):
            await calling
        assert await store.call(cursors.get, "a") == 5


async def test_a_disk_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CALL_S_MAX", 0.05)
    go_on = threading.Event()
    async with opened(tmp_path / "g.db") as (store, _):
        with pytest.raises(StoreError, match="has not answered for"):
            await store.call(lambda conn: go_on.wait(10))
        with pytest.raises(StoreError, match="has not answered for"):
            await store.call(cursors.get, "a")
        go_on.set()


# -- a process that dies ------------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.store import samples, records
from tests.gateway.stores import digest, opened, record, sample

async def main():
    async with opened(Path(sys.argv[1])) as (store, _):
        number = await store.call(samples.last_seq)
        last = await store.call(records.last)
        sequence = last.sequence if last else 0
        while True:
            group = [sample(number + n) for n in range(1, 8)]
            number = await store.call(samples.insert_many, group, store.boot)
            sequence += 1
            await store.call(records.append, record(sequence, digest(sequence - 1)))
            print(number, sequence, flush=True)

asyncio.run(main())
"""


def write_until_killed(path: Path, lines: int) -> tuple[int, int]:
    """Run the writer, kill it after it acknowledged `lines` rounds; the last (sample, record) it spoke of."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        spoken = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        spoken += child.stdout.readlines()
    number, sequence = next(line for line in reversed(spoken) if line.endswith("\n")).split()
    return int(number), int(sequence)


async def test_sigkill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path, boots = tmp_path / "g.db", 0
    for turn in range(KILLS):
        number, sequence = write_until_killed(path, lines=1 + 3 * turn)
        async with opened(path) as (store, report):
            assert report.set_aside is None
            boots += 2  # the writer's start and this one
            assert report.boot == boots
            found = await store.call(samples.after, 0, 10**6)
            last = await store.call(records.last)
        assert [seq for seq, _ in found] == [s.stamp.mono_ms for _, s in found]
        assert len(found) >= number
        assert last is not None and last.sequence >= sequence


FILLER = """
import asyncio, resource, signal, sys
from pathlib import Path
from gateway.errors import StoreError
from gateway.store import cursors, samples
from tests.gateway.stores import opened, sample

async def main():
    async with opened(Path(sys.argv[1])) as (store, _):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        number = 0
        try:
            while number < 100_000:
                group = [sample(number + n) for n in range(1, 101)]
                number = await store.call(samples.insert_many, group, store.boot)
        except StoreError as error:
            print(number, error, sep="|")
        for _ in range(3):
            try:
                await store.call(cursors.put, "a", 1)
            except StoreError as error:
                print("again", error, sep="|")

asyncio.run(main())
"""


async def test_a_full_disk_ends_acknowledgement_and_loses_nothing(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for the full disk: the write that does not fit fails."""
    path = tmp_path / "g.db"
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(path), str(400_000)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    first, *again = done.stdout.splitlines()
    number, message = first.split("|")
    assert int(number) > 0
    assert message.startswith("the d") and str(path) in message
    assert again == [f"again|{message}"] * 3
    async with opened(path) as (store, report):  # with room again
        assert report.set_aside is None
        assert len(await store.call(samples.after, 0, 10**6)) == int(number)
        await store.call(cursors.put, "a", 1)


async def test_full_disk_is_said_in_words_that_help(tmp_path: Path) -> None:
    def full(conn: sqlite3.Connection) -> None:
        conn.execute("PRAGMA max_page_count = 1")
        for number in range(1000):
            cursors.put(conn, f"n{number}", number)

    async with opened(tmp_path / "g.db") as (store, _):
        with pytest.raises(StoreError, match=r"is full: free some space, or lower store\.size"):
            await store.call(full)
