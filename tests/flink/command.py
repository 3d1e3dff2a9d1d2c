"""The `sluice-flink` command: as a process of its own, or one after another in a worker that keeps Flink's JVM."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """What is left of an ended command."""

    exit_code: int
    stdout: str
    stderr: str

    def report(self) -> dict[str, Any]:
        """The JSON report of a run that must have succeeded."""
        assert self.exit_code == 0, self.stderr
        report: dict[str, Any] = json.loads(self.stdout)
        return report


def sluice_flink(*arguments: str | Path, timeout_seconds: float = 300) -> Finished:
    """Run the command to its end in a process of its own; Flink's JVM ends with it."""
    command = [sys.executable, "-c", "from sluice_flink.cli import app; app()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout_seconds)
    return Finished(done.returncode, done.stdout, done.stderr)


def run_arguments(input_dir: Path | str, store_url: str, work: Path, *more: str | Path) -> list[str]:
    """`run` with a JSON report."""
    return ["run", "--input", str(input_dir), "--store", store_url, "--work", str(work), "--json", *map(str, more)]


def run_alone(input_dir: Path | str, store_url: str, work: Path, *more: str | Path, timeout_seconds: float) -> Finished:
    """`sluice-flink run` with a JSON report, in a process of its own."""
    return sluice_flink(*run_arguments(input_dir, store_url, work, *more), timeout_seconds=timeout_seconds)


def run_job(input_dir: Path | str, store_url: str, work: Path, *more: str | Path) -> Finished:
    """`sluice-flink run` with a JSON report, in this test session's worker."""
    return _worker().run(run_arguments(input_dir, store_url, work, *more))


class _Worker:
    """The process of `tests.flink.job_worker`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flink.job_worker"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        atexit.register(self._end)

    def run(self, arguments: list[str]) -> Finished:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(arguments) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the worker has died; its traceback is above"
        return Finished(**json.loads(line))

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@functools.cache
def _worker() -> _Worker:
    return _Worker()
