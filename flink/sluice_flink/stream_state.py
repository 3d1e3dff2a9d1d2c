"""Where a streaming job goes on from: the newest complete checkpoint or savepoint under its work folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WorkFolderInUse(RuntimeError):
    """Another runner works with the folder; two jobs that go on from one state would both write."""


def checkpoints(work: Path) -> Path:
    """The folder of checkpoints."""
    return work / "checkpoints"


def savepoints(work: Path) -> Path:
    """The folder of savepoints."""
    return work / "savepoints"


def newest_state(work: Path) -> Path | None:
    """The state to restore, None where there is none. Flink writes `_metadata` last: what lacks it is incomplete."""
    found = [*checkpoints(work).glob("*/chk-*/_metadata"), *savepoints(work).glob("savepoint-*/_metadata")]
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None


@contextmanager
def exclusive(work: Path) -> Iterator[None]:
    """Hold the work folder for this process alone. Raises `WorkFolderInUse`."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkFolderInUse(f"another sluice-flink stream works in {work}") from error
        yield
