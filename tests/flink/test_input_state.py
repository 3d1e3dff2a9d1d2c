"""What is remembered between incremental runs, and when it is not believed."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from sluice_flink.input_state import StateInUse, load, locked, programme_digest, save
from sluice_flink.inputs import StagedInput, stage
from tests.flink.difficult_input import append_rows, write_difficult_input

WATERMARK = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)


def saved(folder: Path, version: int = 1) -> StagedInput:
    """A small input, staged and saved as that of `version` under `folder`/state."""
    if not (folder / "source").is_dir():
        write_difficult_input(folder, policies=50)
    staged = stage(folder / "source", None, folder / f"work-{version}")
    (folder / "state").mkdir(exist_ok=True)
    save(folder / "state", staged.folder, staged.entries, version, WATERMARK, staged.fingerprint)
    return staged


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    staged = saved(tmp_path)
    state = load(tmp_path / "state")
    assert state is not None
    assert state.files == staged.entries
    assert (state.data_version, state.watermark, state.fingerprint) == (1, WATERMARK, staged.fingerprint)
    assert state.programme == programme_digest()
    assert {file.table for file in state.files} == {
        "policies", "claims", "devices", "channels", "repair_shops", "parts"
    }  # fmt: skip
    assert all(state.path(file).is_file() for file in state.files)


def test_the_next_version_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    for version in (1, 2):
        saved(tmp_path, version)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["manifest.json", "staged-2"]


@pytest.mark.parametrize("damage", ["no manifest", "half a manifest", "another layout", "a lost file"])
def test_a_damaged_state_is_none(tmp_path: Path, damage: str) -> None:
    saved(tmp_path)
    manifest = tmp_path / "state" / "manifest.json"
    text = manifest.read_text()
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "half a manifest":
        manifest.write_text(text[: len(text) // 2])
    elif damage == "another layout":
        manifest.write_text(json.dumps({"files": []}))
    else:
        (tmp_path / "state" / "staged-1" / "claims" / "part-0000.csv").unlink()
    assert load(tmp_path / "state") is None


def test_a_file_that_is_known_is_neither_read_nor_written_again(tmp_path: Path) -> None:
    saved(tmp_path)
    state = load(tmp_path / "state")
    assert state is not None
    append_rows(tmp_path / "source", "parts", [{"part_code": "new", "part_name": "New"}])
    again = stage(tmp_path / "source", None, tmp_path / "work-2", state)
    kept = {file.digest: state.path(file) for file in state.files}
    linked = {file.table for file in again.entries if file.digest in kept}
    assert linked == {"policies", "claims", "devices", "channels", "repair_shops", "parts"}
    for file in again.entries:
        if file.digest in kept:
            assert (again.folder / file.name).stat().st_ino == kept[file.digest].stat().st_ino
    assert [file.source for file in again.entries if file.digest not in kept] == ["parts/part-9999.csv"]
    fresh = stage(tmp_path / "source", None, tmp_path / "work-3")
    assert (again.rows, again.newest, again.fingerprint) == (fresh.rows, fresh.newest, fresh.fingerprint)


def test_a_state_is_for_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "state"), pytest.raises(StateInUse), locked(tmp_path / "state"):
        raise AssertionError("two runs have the same state")
    with locked(tmp_path / "state"):
        assert (tmp_path / "state" / "lock").is_file()
