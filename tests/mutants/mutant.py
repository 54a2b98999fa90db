"""What a mutant is: the smallest change that removes one guard, and the tests that must notice."""

from dataclasses import dataclass

SETPOINT = "gateway/setpoint.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands exactly once in `file`. `tests` are in tests/gateway, or in the folder they name."""

    invariant: int
    guard: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
