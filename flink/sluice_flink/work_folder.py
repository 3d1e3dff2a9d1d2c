"""The scratch folder of a run: emptied at its start, so it must be one of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

MARKER = ".sluice-flink"


class ForeignFiles(ValueError):
    """The folder holds files that no run has put there; nothing was deleted."""


def claim(folder: Path) -> None:
    """Make `folder` an empty scratch folder. Raises `ForeignFiles` where it has content and lacks our marker."""
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise ForeignFiles(f"{folder} is a file; --work needs a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not marker.is_file():
        raise ForeignFiles(f"{folder} holds files that are not this command's; --work needs an empty or a new folder")
    if folder.is_dir():
        # The folder itself stays: it may be a mount point.
        for path in folder.iterdir():
            if path.name == MARKER:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text("Scratch folder of sluice-flink: its content is deleted by every run.\n", encoding="utf-8")
