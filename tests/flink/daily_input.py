"""An input in daily partitions as it grows and is corrected: deliveries that reach few partitions of the results."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.sql_files import source_tables
from tests.flink.difficult_input import (
    BAD_CLAIMS,
    BAD_DEVICES,
    BAD_POLICIES,
    GOOD_CLAIMS,
    GOOD_POLICIES,
    ORDERS,
    PARTS,
    WATERMARK,
)

Line = dict[str, str]
FIRST_WATERMARK = WATERMARK
"""2026-06-15, half past noon."""
_KEYS = {"policies": "policy_id", "claims": "claim_id", "devices": "device_id"}
_DAY_OF = {"policies": "sold_at", "claims": "reported_at"}


class DailyInput:
    """Source tables under `folder`/source: policies by day of sale, claims by day of report, the others in one file."""

    def __init__(self, folder: Path, policies: int, seed: int = 11) -> None:
        self.source = folder / "source"
        self.orders = folder / "orders"
        plain = folder / "plain"
        write_portfolio(generate_portfolio(policies, seed), plain)
        self._rows = {name: _read(plain / name) for name in source_tables() if (plain / name).is_dir()}
        for table, rows in (
            ("policies", [*GOOD_POLICIES, *BAD_POLICIES]), ("claims", [*GOOD_CLAIMS, *BAD_CLAIMS]),
            ("devices", BAD_DEVICES), ("parts", PARTS),
        ):  # fmt: skip
            self._rows[table] += [{**dict.fromkeys(source_tables()[table].column_names, ""), **row} for row in rows]

    def deliver(self, until: str) -> None:
        """Write all partitions of the days before `until` (YYYY-MM-DD), the rest as files."""
        for table, rows in self._rows.items():
            column = _DAY_OF.get(table)
            days: dict[str, list[Line]] = {}
            for row in rows:
                days.setdefault(f"dt={row[column][:7]}" if column else "", []).append(row)
            for day, lines in days.items():
                kept = [line for line in lines if column is None or line[column][:10] < until]
                if kept:
                    _write(self.source / table / day / "part-0.csv", table, kept)

    def change(self, table: str, key: str, **values: str) -> None:
        """Change the row with this key from the next delivery on."""
        row = next(row for row in self._rows[table] if row[source_tables()[table].column_names[0]] == key)
        row.update(values)

    def add(self, table: str, row: Mapping[str, str]) -> None:
        self._rows[table].append({**dict.fromkeys(source_tables()[table].column_names, ""), **row})

    def remove(self, table: str, key: str) -> None:
        name = source_tables()[table].column_names[0]
        self._rows[table] = [row for row in self._rows[table] if row[name] != key]

    def find(self, table: str, wanted: Callable[[Line], bool]) -> Line:
        """The first row for which this holds."""
        return next(row for row in self._rows[table] if wanted(row))

    def write_orders(self, day: str, lines: Iterable[Mapping[str, object]] | None = None) -> None:
        """Write the orders' partition of `day`; without `lines` the one of the difficult input."""
        folder = self.orders / day
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{json.dumps(line)}\n" for line in (ORDERS[day] if lines is None else lines))
        (folder / "export-1.jsonl").write_text(text)


def _read(folder: Path) -> list[Line]:
    rows: list[Line] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            rows += csv.DictReader(file)
    return rows


def _write(path: Path, table: str, rows: Iterable[Line]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, source_tables()[table].column_names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
