"""The scratch folder: emptied if it is ours, refused with its content untouched if it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice_flink.work_folder import ForeignFiles, claim
from tests.flink.command import run_job


def test_a_new_or_empty_folder_is_taken_and_emptied_again_by_the_next_run(tmp_path: Path) -> None:
    for folder in (tmp_path / "new" / "deep", tmp_path):
        claim(folder)
        (folder / "results").mkdir()
        (folder / "results" / "part-0").write_text("old")
        (folder / "link").symlink_to(folder / "results", target_is_directory=True)
        claim(folder)
        assert [path.name for path in folder.iterdir()] == [".sluice-flink"]
        (folder / ".sluice-flink").unlink()
        folder.rmdir() if folder != tmp_path else None
        (tmp_path / "new").rmdir() if folder != tmp_path else None


def test_a_folder_with_other_files_is_refused_and_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ForeignFiles, match="an empty or a new folder"):
        claim(tmp_path)
    finished = run_job(tmp_path / "source", f"sqlite:///{tmp_path / 'risk.db'}", tmp_path)
    assert finished.exit_code == 1
    assert "holds files that are not this command's" in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file")
    with pytest.raises(ForeignFiles, match="is a file"):
        claim(tmp_path / "work")
