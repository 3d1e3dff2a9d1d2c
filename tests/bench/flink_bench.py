"""The Flink job beside DuckDB computing the same tables from the same files: one million policies, with --long ten too.

Both figures are whole runs: Flink's with the start of its JVM and the publication, DuckDB's with reading the files. The
tables of both are compared row for row. Processor seconds are those of all processes; on a busy machine they say more
than wall time. Generated portfolios stay in build/bench-data for the next time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.result_files import read_results
from sluice_flink.sql_files import source_tables
from tests.bench.flink_duckdb import Computed, computed_by_duckdb
from tests.bench.process_tree import ProcessTree
from tests.bench.report import Row, report
from tests.bench.torn_reads import torn_reads
from tests.flink.command import run_alone

SEED = 7
AS_OF = dt.date(2026, 11, 1)
LIMIT_SECONDS = 7200.0
LATE_CLAIMS = 100
DATA = Path(__file__).parents[2] / "build" / "bench-data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=1_000_000)
    parser.add_argument("--long", action="store_true", help="ten million too, with two slots and with one")
    parser.add_argument("--slots", type=int, nargs="+", default=None, help="instead of 2, and with --long of 2 and 1")
    arguments = parser.parse_args()
    rows = torn_reads()
    for policies, slots in [(arguments.policies, [2]), *([(10_000_000, [2, 1])] if arguments.long else [])]:
        rows += measure(policies, arguments.slots or slots)
    report("flink", rows, part=True)


def measure(policies: int, slots: list[int]) -> list[Row]:
    """Each side once, on the same generated portfolio; Flink once for each number of slots, then incrementally."""
    size = f"{policies // 1_000_000}m" if policies >= 1_000_000 else f"{policies // 1000}k"
    source, generated = portfolio(policies, size)
    with TemporaryDirectory(prefix="sluice-flink-bench-") as name:
        folder = Path(name)
        duck = computed_by_duckdb(source, dt.datetime.combine(AS_OF, dt.time(), dt.UTC), folder / "duckdb")
        rows: list[Row] = []
        for count in slots:
            case = f"flink/{size}" if count == max(slots) else f"flink/{size}-{count}-slot"
            rows += run_flink(case, source, folder, count, policies, duck)
        rows += run_incrementally(f"flink/{size}", source, folder, max(slots), rows[0].value)
    return [
        *rows,
        Row(f"flink/{size}-duckdb", duck.seconds, "s"),
        Row(f"flink/{size}-duckdb-cpu", duck.cpu_seconds, "CPU s"),
        Row(f"flink/{size}-duckdb-memory", duck.peak_bytes / 1e6, "MB"),
        *([Row(f"flink/{size}-generate", generated, "s")] if generated else []),
        Row(f"flink/{size}-load", os.getloadavg()[0], "processes wanting a core at the end"),
    ]


def portfolio(policies: int, size: str) -> tuple[Path, float]:
    """The generated source tables, and the seconds that it took where they were not there yet."""
    source = DATA / f"{size}-{SEED}-{AS_OF}"
    if source.is_dir() and not set(source_tables()) - {"orders", "submissions"} - {p.name for p in source.iterdir()}:
        return source, 0.0
    begun = time.perf_counter()
    written = source.with_suffix(".new")
    shutil.rmtree(written, ignore_errors=True)
    shutil.rmtree(source, ignore_errors=True)
    write_portfolio(generate_portfolio(policies, SEED, AS_OF), written)
    written.rename(source)
    return source, time.perf_counter() - begun


def run_flink(case: str, source: Path, folder: Path, slots: int, policies: int, duck: Computed) -> list[Row]:
    run, seconds, tree = timed_run(source, folder, slots)
    found = read_results(folder / "work" / "results")
    wrong = sum(sorted(found[name], key=repr) != sorted(rows, key=repr) for name, rows in duck.tables.items())
    published = sum(run["row_counts"].values())
    return [
        Row(case, seconds, "s", "DuckDB, the same tables from the same files", seconds / duck.seconds),
        Row(f"{case}-cpu", tree.cpu_seconds, "CPU s", "DuckDB", tree.cpu_seconds / duck.cpu_seconds),
        Row(
            f"{case}-memory", tree.peak_bytes / 1e6, "MB", "DuckDB", tree.peak_bytes / duck.peak_bytes,
            goal="at most 3,000",
        ),
        Row(f"{case}-cpu-a-policy", tree.cpu_seconds / policies * 1e6, "µs", goal="flat or falling"),
        Row(f"{case}-tables-wrong", wrong, "tables", f"DuckDB, {len(duck.tables)} tables row for row", goal="0"),
        Row(f"{case}-publish", run["seconds"]["publish"], "s", f"{published:,} rows"),
    ]  # fmt: skip


def run_incrementally(case: str, source: Path, folder: Path, slots: int, full: float) -> list[Row]:
    """A further day with late claims, upon the version that the first run made."""
    linked = folder / "with-late-claims"
    shutil.copytree(source, linked, copy_function=os.link)
    day = linked / "claims" / "dt=2026-10-31"
    day.mkdir()
    lines = (source / "claims" / "part-0000.csv").read_text().splitlines()
    late = [f"L{line[1:]}" for line in lines[1 : LATE_CLAIMS + 1]]
    (day / "late.csv").write_text("\n".join([lines[0], *late, ""]))
    run, seconds, tree = timed_run(linked, folder, slots)
    assert run["incremental"] is not None
    opened = len(run["incremental"]["reopened"]["store_month"])
    taken = sum(run["incremental"]["rows_taken_over"].values())
    return [
        Row(f"{case}-incremental", seconds, "s", f"everything; {opened} months, {taken:,} rows kept", seconds / full),
        Row(f"{case}-incremental-cpu", tree.cpu_seconds, "CPU s"),
    ]  # fmt: skip


def timed_run(source: Path, folder: Path, slots: int) -> tuple[dict[str, Any], float, ProcessTree]:
    """The report of a run, its seconds, and what its processes took. Each number of slots has its own store."""
    store = f"sqlite:///{folder / f'risk-{slots}.db'}"
    more: list[str | Path] = ["--parallelism", str(slots), "--incremental", "--state", folder / f"state-{slots}"]
    begun = time.perf_counter()
    with ProcessTree() as tree:
        run = run_alone(source, store, folder / "work", *more, timeout_seconds=LIMIT_SECONDS).report()
    return run, time.perf_counter() - begun, tree


if __name__ == "__main__":
    main()
