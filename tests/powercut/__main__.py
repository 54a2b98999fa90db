"""`make powercut STATES=n SEED=s`: cut the power n times; the last line says what came of it."""

import argparse
import concurrent.futures
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.powercut import harness, workload
from tests.powercut.harness import History, Tally

A_HISTORY = 2000  # states at most: then other lives are more worth
VIOLATIONS_MAX = 10  # enough to know


def tried(
    states: int,
    seed: int,
    first: int,
    step: int,
    mutant: str = "",
    keep: Path | None = None,
    most: int = VIOLATIONS_MAX,
) -> Tally:
    """Histories first, first + step ... until `states` were tried, or `most` violations were found."""
    workload.small()
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=memory()) as name:
        folder = Path(name)
        with harness.zygote(harness.build(folder)) as child:
            number = first
            while tally.states < states:
                history = History(child, folder, seed, number, tally, mutant)
                history.keep = keep
                history.run(min(A_HISTORY, states - tally.states))
                if keep is not None or tally.violations >= most:
                    break
                number += step
    return tally


def shared(states: int, seed: int, mutant: str = "", processes: int = 2) -> Tally:
    """The same by several processes, which take turns with the histories."""
    share = -(-states // processes)
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        parts = [pool.submit(tried, share, seed, n, processes, mutant) for n in range(processes)]
        return added([part.result() for part in parts])


def memory() -> str | None:
    """Where files cost nothing, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def added(tallies: list[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        for name in ("states", "violations", "lives", "calls", "faults", "ways", "kinds"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        total.first = total.first or tally.first
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--history", type=int, help="only this one, keeping the disk of its violation")
    parser.add_argument("--mutant", default="")
    args = parser.parse_args()
    began = time.monotonic()
    if args.history is not None:
        keep = Path(tempfile.mkdtemp(prefix="powercut-"))
        total = tried(harness.LIVES * A_HISTORY, args.seed, args.history, 1, args.mutant, keep)
        print(f"disk: {keep}")
    else:
        total = shared(args.states, args.seed, args.mutant, args.processes)
    took_s = time.monotonic() - began
    print(
        f"{total.lives} lives, {total.calls} calls, {total.states / took_s:.0f} states/s;", dict(total.ways)
    )
    for kind, times in total.kinds.most_common():
        print(f"{times:6} {kind}")
    if total.first:
        print(total.first)
    print(f"states {total.states} violations {total.violations} seed {args.seed}")
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
