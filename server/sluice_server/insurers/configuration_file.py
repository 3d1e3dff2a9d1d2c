"""The adapters' file as text and mapping, and the error that names everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.located_yaml import Mistake, Mistakes, Section, read_section

_LARGEST_FILE_BYTES = 1 << 20


class InvalidConfigurationFile(InvalidInput):
    """The file cannot be used. The message has one line for each mistake: ``file:line: path: what is wrong``."""

    def __init__(self, file: Path, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        # What concerns the whole file stands in its first line, so that editors find it.
        places = [f"{file}:{m.line or 1}" for m in mistakes]
        super().__init__(
            [Violation(m.path, f"{place}: {m.message}") for place, m in zip(places, mistakes, strict=True)],
            "\n".join(
                f"{place}: {m.path}: {m.message}" if m.path else f"{place}: {m.message}"
                for place, m in zip(places, mistakes, strict=True)
            ),
        )


def read_file(path: Path) -> Section:
    """The file's top mapping. Raises InvalidConfigurationFile when it cannot be read as one."""
    mistakes = Mistakes()
    top = None
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE_BYTES:
            mistakes.error(0, "", f"the file has {size} bytes; at most {_LARGEST_FILE_BYTES} are read")
        else:
            top = read_section(path.read_text(encoding="utf-8"), mistakes)
    except OSError as error:
        mistakes.error(0, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        mistakes.error(0, "", f"is not UTF-8 at byte {error.start}")
    if top is None:
        raise InvalidConfigurationFile(path, mistakes.errors())
    return top
