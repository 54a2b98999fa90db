"""`gridseal figures`: how the battery did day by day, from what was kept of each sealed interval.

Opens the database read-only, beside a running daemon. What each figure means is in docs/analytics.md.
"""

import argparse
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from gateway.analytics import period
from gateway.analytics.alerts import WINDOW, alerts
from gateway.analytics.figures import Alert, Performance, Severity
from gateway.analytics.tally import Tally
from gateway.cli.export import store_path
from gateway.cli.screen import Screen
from gateway.errors import StoreError
from gateway.store import files, performance

HELP = """\
show how the battery did: energy, cycles, efficiency, capacity, health, cells, availability, alerts

One row a day (UTC), the last row all of them as one. A dash: the readings do not support the figure.
Figures are kept for years, longer than the readings. Exit code 1 when an alert is critical.

  gridseal figures site.yaml
  gridseal figures site.yaml --days 90
  gridseal figures site.yaml --json | jq .alerts"""

DAYS_MAX = 36_500
COLUMNS = (
    "day\n", "in\nkWh", "out\nkWh", "cycles\n", "trip\n%", "usable\nkWh", "±\n%", "SoH\n%", "cells\nmV",
    "battery\n°C", "there\n%", "faults\n",
)  # fmt: skip  # 80 columns of a terminal hold them
STYLES = {Severity.NOTICE: "yellow", Severity.WARNING: "bold yellow", Severity.CRITICAL: "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="a site.yaml, or a database file")
    parser.add_argument("--days", type=_days, default=14, metavar="N", help="the newest N days (14)")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= DAYS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to {DAYS_MAX}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    tallies = _read(store_path(args.site), max(args.days, WINDOW))
    known = period.each(tallies)
    measured = [day.capacity_wh for day in known[: -args.days] if day.capacity_wh]
    days = known[-args.days :]
    whole = period.whole(tallies[-args.days :], measured[-1] if measured else None)
    standing = alerts(known)
    if args.json:
        print(json.dumps(_object(days, whole, standing)))
    elif whole is None:
        print("nothing is sealed yet: figures are made with each interval of attest.every, and need a key")
    else:
        _show(days, whole, standing)
    return 1 if any(alert.severity is Severity.CRITICAL for alert in standing) else 0


def _read(path: Path, days: int) -> list[Tally]:
    """A tally a day, of the newest days."""
    conn = files.connect_readonly(path)
    try:
        newest_ms = performance.newest_ms(conn)
        start_ms = (newest_ms // period.DAY_MS - days) * period.DAY_MS
        return list(period.by_day(performance.between(conn, start_ms, newest_ms)))[-days:]
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be read: {error}") from error
    finally:
        conn.close()


def _object(
    days: Sequence[Performance], whole: Performance | None, standing: Sequence[Alert]
) -> dict[str, Any]:
    return {
        "days": [asdict(day) for day in days],
        "whole": asdict(whole) if whole else None,
        "alerts": [asdict(alert) for alert in standing],
    }


def _show(days: Sequence[Performance], whole: Performance, standing: Sequence[Alert]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 1), header_style="dim")
    for heading in COLUMNS:
        table.add_column(heading, justify="left" if heading == COLUMNS[0] else "right", no_wrap=True)
    for day in days:
        table.add_row(_date(day.start_ms), *_cells(day))
    if len(days) > 1:
        table.add_row(f"{len(days)} days", *_cells(whole), style="bold")
    screen = Screen()
    screen.print(table)
    for alert in standing:
        since = f"since {_date(alert.since_ms)}"
        screen.print(Text(f"{alert.severity}: {alert.text} ({since})", style=STYLES[alert.severity]))


def _cells(found: Performance) -> tuple[str, ...]:
    health = found.soh_bp if found.soh_bp is not None else found.soh_measured_bp
    return (
        _scaled(found.charged_wh, 1000, 1),
        _scaled(found.discharged_wh, 1000, 1),
        _scaled(found.cycles_milli, 1000, 2),
        _scaled(found.efficiency_bp, 100, 1),
        _scaled(found.capacity_wh, 1000, 2),
        _scaled(found.capacity_error_bp, 100, 1),
        _scaled(health, 100, 1),
        _scaled(found.imbalance_mv, 1, 0),
        _range(found.temperature_min_cc, found.temperature_max_cc),
        _scaled(found.availability_bp, 100, 1),
        str(found.faults),
    )


def _scaled(value: int | None, unit: int, places: int) -> str:
    return "-" if value is None else f"{value / unit:.{places}f}"


def _range(least_cc: int | None, most_cc: int | None) -> str:
    return "-" if least_cc is None or most_cc is None else f"{least_cc / 100:.0f}…{most_cc / 100:.0f}"


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
