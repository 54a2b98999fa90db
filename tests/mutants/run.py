"""Take each guard away once and see the tests fail: `make mutants`.

    python -m tests.mutants.run [--only 5] [--markdown]

Works on copies of the tree in a temporary folder, two side by side. A mutant that survives, or that makes
the tests break off instead of fail, fails the run; so does a test file that fails without any mutant.
`--markdown` prints the table of docs/safety.md.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("gateway", "drivers", "tests", "hardware-in-loop/rig", "config", "docs", "pyproject.toml")
PROCESSES = 2
TESTS_S_MAX = 300
PASSED, FAILED = 0, 1  # pytest's exit codes; any other is no verdict


def copy(folder: Path) -> None:
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def place(name: str) -> str:
    return f"tests/{name}" if "/" in name else f"tests/gateway/{name}"


def tests(folder: Path, names: Sequence[str]) -> int:
    """Run these test files there, to their first failure; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    command += ["--hypothesis-profile=unshrunk"]
    done = subprocess.run(
        [*command, *(place(name) for name in names)],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=TESTS_S_MAX,
        check=False,
    )
    return done.returncode


@contextmanager
def changed(folder: Path, mutant: Mutant) -> Iterator[None]:
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} has {text.count(mutant.old)} times: {mutant.old!r}")
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        yield
    finally:
        path.write_text(text)


def judge(folder: Path, mutant: Mutant) -> str:
    with changed(folder, mutant):
        code = tests(folder, mutant.tests)
    return {PASSED: "SURVIVED", FAILED: "killed"}.get(code, f"NO VERDICT (pytest ended with {code})")


def run(mutants: Sequence[Mutant], folder: Path) -> dict[str, int]:
    """All of them, told one a line; how many ended how."""
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(PROCESSES):
        copy(folder / str(number))
        copies.put(folder / str(number))

    def one(mutant: Mutant) -> str:
        free = copies.get()
        try:
            return judge(free, mutant)
        except (ValueError, subprocess.TimeoutExpired) as error:
            return f"NO VERDICT ({error})"
        finally:
            copies.put(free)

    counts = {"mutants": len(mutants), "killed": 0}
    with ThreadPoolExecutor(PROCESSES) as pool:
        for mutant, found in zip(mutants, pool.map(one, mutants), strict=True):
            counts["killed"] += found == "killed"
            print(f"{mutant.invariant:2}  {mutant.guard:55}  {mutant.file:23}  {found}", flush=True)
    return counts


def sound(mutants: Sequence[Mutant], folder: Path) -> bool:
    """Whether the tests pass where nothing was taken away."""
    copy(folder / "sound")
    return tests(folder / "sound", sorted({name for mutant in mutants for name in mutant.tests})) == PASSED


def markdown() -> str:
    """The table of docs/safety.md."""
    rows = (f"| {m.invariant} | {m.guard} | `{m.file}` |" for m in MUTANTS)
    return "\n".join(("| | guard that is taken away | in |", "|---|---|---|", *rows))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=int, help="of this invariant")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    if asked.markdown:
        print(markdown())
        return 0
    chosen = [m for m in MUTANTS if asked.only in (None, m.invariant)]
    with tempfile.TemporaryDirectory(prefix="gridseal-mutants-") as name:
        if not sound(chosen, Path(name)):
            print("the tests fail without any mutant: mend them first")
            return 1
        counts = run(chosen, Path(name))
    print(json.dumps({**counts, "survived": counts["mutants"] - counts["killed"]}))
    return 0 if counts["killed"] == counts["mutants"] else 1


if __name__ == "__main__":
    sys.exit(main())
