"""What an incremental run remembers of the version before it: every input file as it was staged, and its digest.

The state is of use only while its data version is the active one. Whatever else has happened in between (a version of
another run, a rollback, a kill between publication and saving) makes the next run a full one, which is slower and never
wrong.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sluice_flink.sql_files import FOLDERS, sql_root
from sluice_flink.table_files import FileCheck

_MANIFEST = "manifest.json"
_STAGED = "staged-"


class StateInUse(RuntimeError):
    """Another run works with the same state; nothing was done."""


@dataclass(frozen=True)
class StagedFile:
    """One input file."""

    table: str
    source: str
    """Where it is in the input: `claims/dt=2026-10-31/part-0.csv`."""
    digest: str
    """SHA-256 of its content."""
    name: str
    """Where its rows lie in the staging folder: `claims/part-0007.csv`."""
    check: FileCheck


@dataclass(frozen=True)
class InputState:
    """The input of a published data version."""

    folder: Path
    """The staged files."""
    files: tuple[StagedFile, ...]
    data_version: int
    watermark: dt.datetime
    fingerprint: str
    programme: str
    """Digest of the SQL files that made the version: other SQL may make other rows of the same input."""

    def path(self, file: StagedFile) -> Path:
        """Where a staged file is."""
        return self.folder / file.name


def programme_digest() -> str:
    """Digest of the SQL files of this installation."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((sql_root() / folder).glob("*.sql")):
            digest.update(f"{folder}/{path.name}\n".encode() + path.read_bytes())
    return f"sha256:{digest.hexdigest()}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have the state for oneself. Raises `StateInUse`. A killed run's lock is gone with it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUse(f"another run works with the state in {folder}") from error
        yield


def load(folder: Path) -> InputState | None:
    """The state in `folder`; None where there is none, or not one that this release can read."""
    try:
        told = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        files = tuple(_staged_file(file) for file in told["files"])
        state = InputState(
            folder / told["staged"], files, told["data_version"], dt.datetime.fromisoformat(told["watermark"]),
            told["fingerprint"], told["programme"],
        )  # fmt: skip
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return state if all(state.path(file).is_file() for file in files) else None


def save(
    folder: Path,
    staged: Path,
    files: tuple[StagedFile, ...],
    data_version: int,
    watermark: dt.datetime,
    fingerprint: str,
) -> None:
    """Keep `staged` (it is moved) as the input of `data_version`, in place of what was kept before."""
    kept = folder / f"{_STAGED}{data_version}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.move(staged, kept)
    manifest = {
        "staged": kept.name,
        "data_version": data_version,
        "watermark": watermark.isoformat(),
        "fingerprint": fingerprint,
        "programme": programme_digest(),
        "files": [asdict(file) for file in files],
    }
    written = folder / f"{_MANIFEST}.new"
    written.write_text(json.dumps(manifest), encoding="utf-8")
    written.replace(folder / _MANIFEST)
    for old in folder.glob(f"{_STAGED}*"):
        if old != kept:
            shutil.rmtree(old)


def _staged_file(told: dict[str, object]) -> StagedFile:
    check = told.pop("check")
    assert isinstance(check, dict)
    unreadable = tuple((line, problem) for line, problem in check["unreadable"])
    return StagedFile(**told, check=FileCheck(check["rows"], check["newest"], unreadable))  # type: ignore[arg-type] # JSON's types are as they were written
