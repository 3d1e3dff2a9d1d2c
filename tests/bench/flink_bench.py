"""The Flink job beside DuckDB computing the same tables from the same files: one million policies, with --long ten too.

Both figures are whole runs: Flink's with the start of its JVM and the publication, DuckDB's with reading the files. The
tables of both are compared row for row. Processor seconds are those of the command and its JVM; on a busy machine they
say more than wall time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.result_files import read_results
from tests.bench.report import Row, report
from tests.flink.command import run_alone
from tests.flink.independent import compute

SEED = 7
AS_OF = dt.date(2026, 11, 1)
LONG_SECONDS = 7200.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK_SECONDS = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=1_000_000)
    parser.add_argument("--long", action="store_true", help="ten million too, with two slots and with one")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for policies, slots in [(arguments.policies, (2,)), *([(10_000_000, (2, 1))] if arguments.long else [])]:
        with tempfile.TemporaryDirectory(prefix="sluice-flink-bench-") as folder:
            rows += measure(Path(folder), policies, slots)
    report("flink", rows)


@dataclass
class ProcessTree:
    """Processor time and peak memory of this process's descendants while the block runs."""

    peak_bytes: int = 0
    _ticks: dict[int, int] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> ProcessTree:
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()

    @property
    def cpu_seconds(self) -> float:
        return sum(self._ticks.values()) / _TICKS

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            resident = 0
            for pid in _descendants(os.getpid()):
                try:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                self._ticks[pid] = int(fields[11]) + int(fields[12])
                resident += int(fields[21]) * _PAGE
            self.peak_bytes = max(self.peak_bytes, resident)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(child) for child in children.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *_descendants(child)]
    return found


def measure(folder: Path, policies: int, slots: tuple[int, ...]) -> list[Row]:
    """Each side once, on the same generated portfolio; Flink once for each number of slots."""
    size = f"{policies // 1_000_000}m" if policies >= 1_000_000 else f"{policies // 1000}k"
    source = folder / "source"
    begun = time.perf_counter()
    write_portfolio(generate_portfolio(policies, SEED, AS_OF), source)
    generated = time.perf_counter() - begun

    begun, used = time.perf_counter(), time.process_time()
    expected = compute(source, None, dt.datetime.combine(AS_OF, dt.time(), dt.UTC))
    duck, duck_cpu = time.perf_counter() - begun, time.process_time() - used

    rows: list[Row] = []
    for count in slots:
        case = f"flink/{size}" if count == max(slots) else f"flink/{size}-{count}-slot"
        begun = time.perf_counter()
        with ProcessTree() as tree:
            store = f"sqlite:///{folder / f'risk-{count}.db'}"
            more = ("--parallelism", str(count))
            run = run_alone(source, store, folder / "work", *more, timeout_seconds=LONG_SECONDS).report()
        flink = time.perf_counter() - begun
        found = read_results(folder / "work" / "results")
        wrong = sum(sorted(found[name], key=repr) != sorted(wanted, key=repr) for name, wanted in expected.items())
        published = sum(run["row_counts"].values())
        rows += [
            Row(case, flink, "s", "DuckDB, the same tables from the same files", flink / duck),
            Row(f"{case}-cpu", tree.cpu_seconds, "CPU s", "DuckDB", tree.cpu_seconds / duck_cpu),
            Row(f"{case}-memory", tree.peak_bytes / 1e6, "MB", goal="at most 3,000"),
            Row(f"{case}-cpu-a-policy", tree.cpu_seconds / policies * 1e6, "µs", goal="flat or falling"),
            Row(f"{case}-tables-wrong", wrong, "tables", f"DuckDB, {len(expected)} tables row for row", goal="0"),
            Row(f"{case}-publish", run["seconds"]["publish"], "s", f"{published:,} rows"),
        ]
    return [
        *rows,
        Row(f"flink/{size}-duckdb", duck, "s"),
        Row(f"flink/{size}-generate", generated, "s"),
        Row(f"flink/{size}-load", os.getloadavg()[0], "processes wanting a core at the end"),
    ]


if __name__ == "__main__":
    main()
