"""Many seeds in processes side by side, and the counts of all of them in one last line.

    python -m tests.sim.seeds --seeds 20 --first 1 --hours 1        (make sim SEEDS=20 SEED=1 HOURS=1)
    python -m tests.sim.seeds --seeds 20 --site goodwe_et               (make sim SITE=goodwe_et)

Seeds that go wrong are told in full, with the line that runs them again. The digest is of all traces, so the
same command prints the same last line.
"""

import argparse
import hashlib
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "hardware-in-loop")]

from tests.sim.seeded import Run, play, told  # noqa: E402
from tests.sim.sites import SITES  # noqa: E402

PROCESSES = 2
PROMISES = (
    "outside",
    "overrun",
    "executed_twice",
    "while_stopped",
    "sum",
    "failed",
    "grid",
    "var",
    "island",
    "lost",
    "unfinalised",
    "lied",
    "signed_twice",
    "nonce_twice",
    "mined_twice",
    "unlanded",
    "order_lost",
    "not_ended",
)  # said also when there is none of them


def play_all(seeds: Sequence[int], hours: float, processes: int = PROCESSES, site: str = "") -> Iterable[Run]:
    """Each seed's run, in the order of the seeds. `site`: all of them there."""
    if processes < 2 or len(seeds) < 2:
        yield from (play(seed, hours, site) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(min(processes, len(seeds)), maxtasksperchild=20) as pool:
        yield from pool.imap(partial(play, hours=hours, site=site), seeds)


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """The counts of all runs."""
    counts, faults, depths, wrong = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    digest = hashlib.sha256()
    for run in runs:
        counts.update(run.counts)
        faults.update(run.faults)
        depths.update(run.depths)
        wrong.update(run.kinds)
        digest.update(run.digest.encode())
    device_s = counts.pop("device_s", 0)
    del counts["outside"]
    return {
        "seeds": len(runs),
        "device_hours": round(device_s / 3600, 2),
        **dict(sorted(counts.items())),
        "faults": sum(faults.values()),
        "faults_by_kind": dict(sorted(faults.items())),
        "reorgs_by_depth": dict(sorted(depths.items())),
        **{kind: wrong[kind] for kind in PROMISES},
        "wrong": sum(wrong.values()),
        "digest": digest.hexdigest(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--site", default="", choices=["", *SITES], help="one for all, not each seed's own")
    asked = parser.parse_args()
    runs = []
    for run in play_all(
        range(asked.first, asked.first + asked.seeds), asked.hours, asked.processes, asked.site
    ):
        runs.append(run)
        if run.wrong:
            print(told(run), flush=True)
    found = summary(runs)
    print(json.dumps(found))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
