"""The journal in virtual time: order, answers, a bounded queue, and the end at the first failure."""

import asyncio

import pytest

from gateway.errors import StoreError
from gateway.journal import ROOM, Journal
from tests.sim import loop

SLOW_S = 0.5


class Disk:
    """A store that keeps what it was told, each entry after `delay_s`; `failure` makes it fail."""

    def __init__(self):
        self.written, self.delay_s, self.failure = [], 0.0, ""

    async def call(self, fn, *args, **kwargs):
        await asyncio.sleep(self.delay_s)
        if self.failure:
            raise StoreError(self.failure)
        self.written.append(args)
        return fn(*args, **kwargs)


def same(value):
    return value


def play(script):
    """`script(journal, disk)` while the journal runs, in virtual time."""

    async def main(_):
        disk = Disk()
        journal = Journal(disk)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(journal.run())
            await script(journal, disk)
            task.cancel()

    loop.run(main)


def test_entries_are_written_in_their_order_each_with_its_answer():
    async def script(journal, disk):
        disk.delay_s, answers = SLOW_S, []
        for number in range(5):
            journal.put(same, number, done=answers.append)
            journal.put(same, -number)
        assert answers == []  # it returned at once
        await asyncio.sleep(10 * SLOW_S + 0.1)
        assert answers == [0, 1, 2, 3, 4]
        assert disk.written == [(n,) for number in range(5) for n in (number, -number)]

    play(script)


def test_what_comes_while_it_writes_and_after_it_slept_is_written_too():
    async def script(journal, disk):
        disk.delay_s = SLOW_S
        journal.put(same, 1)
        await asyncio.sleep(SLOW_S / 2)
        journal.put(same, 2)
        await asyncio.sleep(100)
        journal.put(same, 3, done=lambda _: journal.put(same, 4))  # an answer may order more
        await asyncio.sleep(100)
        assert disk.written == [(1,), (2,), (3,), (4,)]

    play(script)


def test_after_a_failure_nothing_more_is_written_or_taken():
    async def script(journal, disk):
        answers = []
        disk.failure = "the disk is gone"
        journal.put(same, 1, done=answers.append)
        journal.put(same, 2, done=answers.append)
        await asyncio.sleep(1)
        assert journal.failed == "the disk is gone"
        disk.failure = ""  # it came back: a second try would prove nothing
        journal.put(same, 3, done=answers.append)
        await asyncio.sleep(1)
        assert (answers, disk.written) == ([], [])
        assert not await journal.drain(1)
        journal.fail("something later")
        assert journal.failed == "the disk is gone"

    play(script)


@pytest.mark.parametrize("busy", [True, False])
def test_run_ends_when_the_store_has_failed_whoever_saw_it(busy):
    async def main(clock):
        journal = Journal(Disk())
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.run())
            if busy:
                journal.put(same, 1)
            await asyncio.sleep(3)
            journal.fail("seen elsewhere")
        assert clock.mono_ms() == 3000

    loop.run(main)


def test_a_full_queue_is_a_failure():
    async def script(journal, disk):
        disk.delay_s = 3600
        for number in range(ROOM):
            journal.put(same, number)
        assert journal.failed == ""
        journal.put(same, ROOM)
        assert "does not keep up" in journal.failed

    play(script)


def test_drain_writes_what_is_left_when_run_has_ended():
    async def main(_):
        disk = Disk()
        journal, answers = Journal(disk), []
        disk.delay_s = SLOW_S
        for number in range(3):
            journal.put(same, number, done=answers.append)
        assert await journal.drain(10)
        assert answers == [0, 1, 2]
        assert await journal.drain(0.1)  # nothing left

    loop.run(main)


def test_drain_gives_up_in_time_and_says_so():
    async def main(clock):
        disk = Disk()
        journal = Journal(disk)
        disk.delay_s = 3600
        journal.put(same, 1)
        assert not await journal.drain(2)
        assert clock.mono_ms() == 2000
        assert disk.written == []

    loop.run(main)


def test_drain_beside_run_keeps_the_order_and_waits_for_what_is_being_written():
    async def script(journal, disk):
        journal.put(same, 0)
        disk.delay_s = 5.0  # the first is slow, those behind it are not
        await asyncio.sleep(0.1)
        disk.delay_s = 0.1
        for number in range(1, 4):
            journal.put(same, number)
        assert await journal.drain(10)
        assert disk.written == [(0,), (1,), (2,), (3,)]

    play(script)


def test_only_a_stores_failure_is_expected():
    def bug():
        raise ZeroDivisionError

    async def main(_):
        journal = Journal(Disk())
        journal.put(bug)
        with pytest.raises(ZeroDivisionError):
            await journal.run()
        assert journal.failed == ""

    loop.run(main)
