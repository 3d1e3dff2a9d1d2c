"""DuckDB computing the result tables from the same files, as a process of its own, so that its memory can be seen."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process_tree import ProcessTree
from tests.flink.independent import compute

MEMORY = "3GB"
"""What the Flink command may take as well; beyond it DuckDB spills to disk."""


@dataclass(frozen=True)
class Computed:
    """The tables, and what they took: the whole process, reading the files included."""

    tables: dict[str, list[tuple[object, ...]]]
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def computed_by_duckdb(source: Path, watermark: dt.datetime, scratch: Path) -> Computed:
    """Run DuckDB on `source`; what it spills goes to `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    answer = scratch / "tables.pickle"
    command = [sys.executable, "-m", "tests.bench.flink_duckdb", source, watermark.isoformat(), scratch, answer]
    with ProcessTree() as tree:
        subprocess.run(list(map(str, command)), check=True)
    # The time is the process's own: handing the tables over is no part of the work.
    tables, seconds, cpu_seconds = pickle.loads(answer.read_bytes())
    return Computed(tables, seconds, cpu_seconds, tree.peak_bytes)


def _main(source: str, watermark: str, scratch: str, answer: str) -> None:
    begun = time.perf_counter()
    settings = {"memory_limit": MEMORY, "temp_directory": scratch, "preserve_insertion_order": "false"}
    tables = compute(Path(source), None, dt.datetime.fromisoformat(watermark), settings)
    took = time.perf_counter() - begun
    Path(answer).write_bytes(pickle.dumps((tables, took, time.process_time())))


if __name__ == "__main__":
    _main(*sys.argv[1:])
