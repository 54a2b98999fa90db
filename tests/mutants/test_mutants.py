"""The mutants fit the sources of today, and docs/safety.md lists them. Killing them is `make mutants`."""

from pathlib import Path

import pytest

from tests.mutants import run
from tests.mutants.table import MUTANTS, Mutant

SAFETY = (run.ROOT / "docs/safety.md").read_text()


def name(mutant: Mutant) -> str:
    return f"{mutant.invariant}-{mutant.guard}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=name)
def test_a_mutants_guard_stands_exactly_once(mutant: Mutant) -> None:
    assert (run.ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new
    for file in mutant.tests:
        assert (run.ROOT / run.place(file)).is_file()


def test_every_invariant_has_one() -> None:
    assert {mutant.invariant for mutant in MUTANTS} == set(range(1, 16))


def test_the_safety_page_lists_them() -> None:
    assert run.markdown() in SAFETY, "put in what `python -m tests.mutants.run --markdown` prints"


def test_a_guard_is_taken_away_and_put_back(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("a = 1\n")
    mutant = Mutant(1, "a", "file.py", "a = 1", "a = 2", ())
    with run.changed(tmp_path, mutant):
        assert (tmp_path / "file.py").read_text() == "a = 2\n"
    assert (tmp_path / "file.py").read_text() == "a = 1\n"
    with pytest.raises(ValueError, match=r"file\.py has 0 times"), run.changed(tmp_path, replaced(mutant)):
        pass


def replaced(mutant: Mutant) -> Mutant:
    return Mutant(mutant.invariant, mutant.guard, mutant.file, "b = 1", mutant.new, ())


@pytest.mark.parametrize(("code", "said"), [(0, "SURVIVED"), (1, "killed"), (2, "NO VERDICT")])
def test_only_tests_that_fail_kill(
    code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.py").write_text("a = 1\n")
    monkeypatch.setattr(run, "tests", lambda folder, names: code)
    assert run.judge(tmp_path, Mutant(1, "a", "file.py", "a = 1", "a = 2", ())).startswith(said)
