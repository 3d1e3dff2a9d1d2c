"""The `sluice-flink` command as a process of its own: Flink's JVM then ends with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """Run the command to its end."""
    command = [sys.executable, "-c", "from sluice_flink.cli import app; app()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout_seconds)
    return Finished(done.returncode, done.stdout, done.stderr)


def run_job(
    input_dir: Path | str, store_url: str, work: Path, *more: str | Path, timeout_seconds: float = 300
) -> Finished:
    """`sluice-flink run` with a JSON report."""
    return sluice_flink(
        "run",
        "--input",
        input_dir,
        "--store",
        store_url,
        "--work",
        work,
        "--json",
        *more,
        timeout_seconds=timeout_seconds,
    )
