"""The Flink job at one million policies beside DuckDB computing the same tables from the same files.

Both figures are whole runs: Flink's with the start of its JVM and the publication, DuckDB's with reading the files. The
tables of both are compared row for row.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from pathlib import Path

from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.publish import read_results
from tests.bench.report import Row, report
from tests.flink.command import run_job
from tests.flink.independent import compute

SEED = 7
AS_OF = dt.date(2026, 11, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=1_000_000)
    policies = parser.parse_args().policies
    with tempfile.TemporaryDirectory(prefix="sluice-flink-bench-") as folder:
        rows = measure(Path(folder), policies)
    report("flink", rows)


def measure(folder: Path, policies: int) -> list[Row]:
    """Each side once, on the same generated portfolio."""
    source = folder / "source"
    begun = time.perf_counter()
    write_portfolio(generate_portfolio(policies, SEED, AS_OF), source)
    generated = time.perf_counter() - begun

    begun = time.perf_counter()
    run = run_job(source, f"sqlite:///{folder / 'risk.db'}", folder / "work").report()
    flink = time.perf_counter() - begun

    begun = time.perf_counter()
    expected = compute(source, None, dt.datetime.combine(AS_OF, dt.time(), dt.UTC))
    duck = time.perf_counter() - begun

    found = read_results(folder / "work" / "results")
    wrong = sum(sorted(found[name]) != rows for name, rows in expected.items())
    size = f"{policies // 1_000_000}m" if policies >= 1_000_000 else f"{policies // 1000}k"
    published = sum(run["row_counts"].values())
    return [
        Row(f"flink/{size}", flink, "s", "DuckDB, the same tables from the same files", flink / duck),
        Row(f"flink/{size}-duckdb", duck, "s"),
        Row(f"flink/{size}-tables-wrong", wrong, "tables", f"DuckDB, {len(expected)} tables row for row", goal="0"),
        Row(f"flink/{size}-publish", run["seconds"]["publish"], "s", f"{published:,} rows"),
        Row(f"flink/{size}-generate", generated, "s"),
        Row(f"flink/{size}-load", os.getloadavg()[0], "processes wanting a core at the end"),
    ]


if __name__ == "__main__":
    main()
