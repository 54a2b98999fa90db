"""Opening: what is ours is used, what is damaged or foreign is put away whole, nothing is ever deleted."""

import os
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.store import cursors, files, gaps, meta, records, samples, schema
from tests.gateway.stores import WALL_MS, bare, digest, opened, record, sample


async def fill(path: Path) -> None:
    """A database with ten samples and two records, closed in order."""
    async with opened(path) as (store, _):
        await store.call(samples.insert_many, [sample(n) for n in range(10)], store.boot)
        for sequence in (1, 2):
            await store.call(records.append, record(sequence, digest(sequence - 1)))


def by_hand(path: Path, *statements: str) -> None:
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        conn.execute(statement)
    conn.close()


async def test_a_new_database_is_private_and_complete(tmp_path: Path) -> None:
    async with opened(tmp_path / "g.db") as (store, report):
        assert report == files.OpenReport(boot=1, created=True)
        found = sorted(p.name for p in tmp_path.iterdir())
        assert found == ["g.db", "g.db-shm", "g.db-wal", "g.db.lock"]
        assert all(p.stat().st_mode & 0o777 == 0o600 for p in tmp_path.iterdir())
        modes = [
            await store.call(lambda conn, name=name: conn.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("journal_mode", "synchronous", "application_id", "user_version")
        ]
        assert modes == ["wal", 2, schema.APPLICATION_ID, schema.VERSION]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.db", "g.db.lock"]


async def test_starts_are_counted_and_the_id_stays(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    path.chmod(0o644)
    async with opened(path) as (store, report):
        first = store.id
        assert (report.boot, report.created) == (2, False)
    async with opened(path) as (store, report):
        assert (report.boot, store.boot, store.id) == (3, 3, first)
        assert await store.call(samples.last_seq) == 10
    assert path.stat().st_mode & 0o777 == 0o600


def damage_pages(path: Path) -> None:
    with path.open("r+b") as file:
        for offset in range(3 * files.PAGE_BYTES, path.stat().st_size, files.PAGE_BYTES):
            file.seek(offset)
            file.write(os.urandom(64))


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damage_pages, "it is damaged: "),
        (cut_in_half, "it is damaged: "),
        (lambda path: path.write_bytes(b""), "it is not a Gridseal database"),
        (lambda path: path.write_bytes(b"something else" * 500), "it is damaged: file is not a database"),
        (lambda path: by_hand(path, "PRAGMA application_id = 7"), "it is not a Gridseal database"),
        (lambda path: by_hand(path, "DROP TABLE nonce"), "its table nonce is missing"),
        (lambda path: by_hand(path, "ALTER TABLE gap DROP COLUMN cause"), "its table gap lacks cause"),
        (
            lambda path: by_hand(path, "UPDATE record SET digest = zeroblob(32) WHERE sequence = 1"),
            "its chain of records is broken: record 2 does not follow the one before it",
        ),
    ],
)
async def test_what_cannot_be_used_is_set_aside_whole(tmp_path: Path, spoil, says: str) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    spoil(path)
    before = path.read_bytes()
    async with opened(path) as (store, report):
        assert (report.created, report.boot) == (True, 1)
        assert report.reason.startswith(says)
        assert report.set_aside == tmp_path / "g.db.aside-1"
        assert report.set_aside.stat().st_size == len(before)
        assert await store.call(samples.last_seq) == 0
        (gap,) = await store.call(gaps.unattested)
        assert (gap.device, gap.to_ms, gap.cause) == (gaps.EVERYTHING, WALL_MS, gaps.SET_ASIDE)


async def test_the_last_link_is_read_from_what_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    by_hand(path, "DROP TABLE gap")
    for _ in range(2):  # and it is kept: a restart before anything was sealed must know it too
        async with opened(path) as (store, _):
            assert await store.call(records.before) == 2


async def test_of_one_that_gives_nothing_a_record_at_least_is_supposed(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    path.write_bytes(b"no database")
    async with opened(path) as (store, _):
        assert await store.call(records.before) == 1


async def test_a_second_one_gets_the_next_number_and_another_id(tmp_path: Path) -> None:
    path, ids = tmp_path / "g.db", set()
    for number in (1, 2, 3):
        await fill(path)
        async with opened(path) as (store, _):
            ids.add(store.id)
        path.write_bytes(b"")
        async with opened(path) as (_, report):
            assert report.set_aside == tmp_path / f"g.db.aside-{number}"
        path.unlink()
    assert len(ids) == 3


async def test_the_log_of_a_stop_out_of_order_goes_with_its_database(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    path.with_name("g.db-wal").write_bytes(b"a log that belongs to the old one")
    path.write_bytes(b"\0" * 5000)
    async with opened(path) as (store, report):
        assert report.set_aside is not None
        assert await store.call(cursors.get, "x") == 0
    # and a log whose database is gone is not replayed into the new one
    path.unlink()
    path.with_name("g.db-wal").write_bytes(b"an orphan")
    async with opened(path) as (_, report):
        assert report.reason == "its log was there without it"
        assert (tmp_path / "g.db.aside-2-wal").read_bytes() == b"an orphan"


async def test_leftovers_of_a_stop_during_creation_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "g.db.new").write_bytes(b"half a database")
    (tmp_path / "g.db.new-journal").write_bytes(b"and its journal")
    async with opened(tmp_path / "g.db") as (_, report):
        assert (report.created, report.set_aside) == (True, None)


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    by_hand(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"written by a newer Gridseal .*: install that version again"):
        async with opened(path):
            pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.db", "g.db.lock"]


async def test_two_daemons_do_not_share_a_database(tmp_path: Path) -> None:
    async with opened(tmp_path / "g.db"):
        with pytest.raises(StoreError, match="in use by another gridseal"):
            async with opened(tmp_path / "g.db"):
                pass
    async with opened(tmp_path / "g.db") as (_, report):
        assert report.boot == 2


async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no/such is not a directory: create it, or change store\.path"):
        async with opened(tmp_path / "no/such/g.db"):
            pass


async def test_a_mode_that_was_not_switched_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    conn = bare()  # a file system without shared memory answers like this
    with pytest.raises(StoreError, match="refuses journal_mode wal \\(it gives memory\\)"):
        files.make_durable(conn)


async def read_all(path: Path) -> None:
    async with opened(path) as (store, report):
        assert report.set_aside is None
        await store.call(samples.after, 0, 10_000)


@pytest.mark.parametrize("page", ["root", "leaf"])
async def test_damaged_samples_are_met_later_and_set_aside_then(tmp_path: Path, page: str) -> None:
    path = tmp_path / "g.db"
    async with opened(path) as (store, _):
        await store.call(samples.insert_many, [sample(n) for n in range(2000)], store.boot)
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'sample'"
        (root,) = await store.call(lambda conn: conn.execute(query).fetchone())
    number = root if page == "root" else path.stat().st_size // files.PAGE_BYTES // 2
    with path.open("r+b") as file:
        file.seek((number - 1) * files.PAGE_BYTES)
        file.write(b"\xff" * files.PAGE_BYTES)
    with pytest.raises(StoreError, match="malformed"):
        await read_all(path)  # closed in order: the samples are not checked, only met
    async with opened(path) as (_, report):  # not closed in order: everything is
        assert report.set_aside is not None


async def test_a_reader_sees_the_database_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with pytest.raises(StoreError, match="there is no database here"):
        files.connect_readonly(path)
    async with opened(path) as (store, _):
        await store.call(samples.insert_many, [sample(1)], store.boot)
        conn = files.connect_readonly(path)
        assert samples.last_seq(conn) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            conn.execute("DELETE FROM sample")
        conn.close()
    path.write_bytes(b"something else" * 500)
    with pytest.raises(StoreError, match="cannot be read: file is not a database"):
        files.connect_readonly(path)


async def test_a_folder_that_may_not_be_written_is_said_with_the_way_out(tmp_path: Path) -> None:
    """As root, modes refuse nothing: a link stands in the place of SQLite's index, a folder in the lock's."""
    path = tmp_path / "g.db"
    await fill(path)
    Path(f"{path}-shm").symlink_to(tmp_path / "none" / "x")
    with pytest.raises(StoreError, match="to a folder where you may write, and read it there"):
        files.connect_readonly(path)
    Path(f"{path}-shm").unlink()
    Path(f"{path}.lock").unlink()
    Path(f"{path}.lock").mkdir()
    with pytest.raises(StoreError, match=f"lock cannot be made: Is a directory; give {tmp_path} to the user"):
        async with opened(path):
            pass


def test_a_database_is_known_by_its_content_or_its_name(tmp_path: Path) -> None:
    site, other = tmp_path / "site.yaml", tmp_path / "readings"
    site.write_text("site: {}\n")
    by_hand(other, "CREATE TABLE t (x)")
    assert files.is_database(other)
    assert files.is_database(tmp_path / "none.db") and files.is_database(tmp_path / "x.sqlite.aside-1")
    assert not files.is_database(site) and not files.is_database(tmp_path / "none.yaml")


async def test_an_older_database_is_brought_up_to_date_by_the_writer_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "g.db"
    await fill(path)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(StoreError, match="of an older Gridseal: start this one once"):
        files.connect_readonly(path)


async def test_a_log_left_by_a_stop_out_of_order_is_written_anew_with_what_it_holds(tmp_path):
    """What a failed sync left in the cache alone must not be built on (found by tests/powercut)."""
    path = tmp_path / "store.db"
    async with opened(path) as (store, _):
        await store.call(lambda conn: conn.execute("INSERT INTO meta VALUES ('a', 'b')"))
        log = Path(f"{path}-wal")
        copies = {name: (tmp_path / name).read_bytes() for name in (path.name, log.name)}
    for name, content in copies.items():
        (tmp_path / name).write_bytes(content)
    left = log.stat().st_ino
    Path(f"{log}.new").write_bytes(b"of a start that was cut")
    async with opened(path) as (store, _):
        assert log.stat().st_ino != left
        assert log.stat().st_mode & 0o777 == 0o600
        assert not Path(f"{log}.new").exists()
        assert await store.call(meta.get, "a") == "b"


async def test_a_database_put_away_by_a_start_that_was_cut_is_told_of_by_the_next(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"no database at all")
    files.set_aside(path)
    for _ in range(2):  # without a new one yet, and with one that has never begun
        conn, found = files.find(path)
        conn.close()
        assert (found.created, found.set_aside) == (True, tmp_path / "store.db.aside-1")
        assert found.reason == "a start that put it away was cut short"
    async with opened(path) as (_, report):
        assert report.set_aside is not None
    async with opened(path) as (_, report):
        assert report.set_aside is None, "once"
