"""Measured series, replayed: household load and grid frequency by the second of a simulated day.

Owns reading the CSV files in `data/` (see its README for their sources) and looking values up, with
wrap-around at the end. It refuses to invent: between rows a value is held or interpolated, never noised.
"""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
HOUSEHOLD = "household_2007-02-01.csv"  # Hebrail and Berard, UCI, CC BY 4.0
FREQUENCY = "grid_frequency_2017-12-01.csv"  # RTE open data by way of power-grid-frequency
ROWS_MAX = 100_000  # a day of seconds; more is the wrong file


@dataclass(frozen=True, slots=True)
class Series:
    """Evenly spaced integers, `step_s` apart, repeated for ever."""

    step_s: int
    values: tuple[int, ...]
    start_s: int = 0  # the second of the first row

    def held(self, at_s: float) -> int:
        """The value of the row that `at_s` falls into."""
        return self.values[int((at_s - self.start_s) // self.step_s) % len(self.values)]

    def between(self, at_s: float) -> float:
        """Linear between the two rows around `at_s`; the last row leads back to the first."""
        row, within = divmod(at_s - self.start_s, self.step_s)
        first = self.values[int(row) % len(self.values)]
        second = self.values[(int(row) + 1) % len(self.values)]
        return first + (second - first) * within / self.step_s


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the site cannot change: its household and its grid."""

    load_w: Series
    load_var: Series
    voltage_mv: Series
    frequency_uhz: Series  # deviation from 50 Hz


def read_columns(path: Path) -> dict[str, tuple[int, ...]]:
    """All columns of an integer CSV file by their heading. ValueError names the row that is not."""
    with path.open(newline="", encoding="ascii") as file:
        rows = csv.reader(file)
        heading = next(rows)
        columns: dict[str, list[int]] = {name: [] for name in heading}
        for number, row in enumerate(rows, start=2):
            if len(row) != len(heading) or number > ROWS_MAX:
                raise ValueError(
                    f"{path.name}:{number}: expected {len(heading)} fields, at most {ROWS_MAX} rows"
                )
            for name, text in zip(heading, row, strict=True):
                columns[name].append(int(text))
    return {name: tuple(values) for name, values in columns.items()}


def spacing(values: Sequence[int]) -> int:
    """The one distance between neighbours of an index column; ValueError when rows are missing."""
    steps = {b - a for a, b in itertools.pairwise(values)}
    if len(steps) != 1:
        raise ValueError(f"rows are not evenly spaced: {sorted(steps)[:5]}")
    return steps.pop()


@cache
def surroundings(folder: Path = DATA) -> Surroundings:
    """The household and the grid of the rig's data folder."""
    house = read_columns(folder / HOUSEHOLD)
    grid = read_columns(folder / FREQUENCY)
    step_s, start_s = 60 * spacing(house["minute"]), 60 * house["minute"][0]
    return Surroundings(
        load_w=Series(step_s, house["active_w"], start_s),
        load_var=Series(step_s, house["reactive_var"], start_s),
        voltage_mv=Series(step_s, house["voltage_mv"], start_s),
        frequency_uhz=Series(spacing(grid["second"]), grid["deviation_uhz"], grid["second"][0]),
    )
