"""Reading a CSV or Parquet table by the names of its columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.columns import (
    MISSING,
    Codes,
    Column,
    Floats,
    Mask,
    NumberColumn,
    TextColumn,
)

_NOTHING = ["", "NA", "N/A", "NULL", "null", "NaN", "nan"]
_LEARN = {"learn", "train", "training", "true", "1", "1.0", "yes"}
_HELD_OUT = {"test", "holdout", "hold_out", "hold-out", "held_out", "validation", "valid", "false", "0", "0.0", "no"}


class TableFile:
    """The columns of a file. Wrong ones are collected: `check` names all of them at once."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidInput for a file that is no table."""
        self._table = _read(path)
        self._violations: list[Violation] = []

    @property
    def rows(self) -> int:
        return int(self._table.num_rows)

    @property
    def names(self) -> list[str]:
        return list(self._table.column_names)

    def missing(self, names: Iterable[str]) -> list[Violation]:
        """What is to be said of those names that are no column; empty names are not wanted."""
        known = ", ".join(self.names)
        absent = [name for name in dict.fromkeys(names) if name and name not in self.names]
        return [Violation(name, f"no such column; there are: {known}") for name in absent]

    def need(self, names: Iterable[str]) -> None:
        """Raises InvalidInput naming every column that is not there."""
        if missing := self.missing(names):
            raise InvalidInput(missing)

    def check(self) -> None:
        """Raises InvalidInput with everything that was wrong so far."""
        if self._violations:
            raise InvalidInput(self._violations)

    def numbers(self, name: str, *, empty: float | None = None) -> Floats:
        """A column of numbers; ``empty`` stands for empty values, which are wrong without it."""
        column = self._column(name)
        import pyarrow as pa
        import pyarrow.compute as compute

        try:
            values = compute.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            self._violations.append(Violation(name, f"must be numbers; the column is {_kind(column)}"))
            return np.zeros(self.rows)
        values = np.array(values, dtype=np.float64)
        absent = ~np.isfinite(values)
        if absent.any() and empty is None:
            first = int(np.argmax(absent)) + 1
            self._violations.append(Violation(name, f"no number in {int(absent.sum())} rows, first in row {first}"))
            return np.zeros(self.rows)
        values[absent] = 0.0 if empty is None else empty
        return values

    def factor(self, name: str) -> Column:
        """Numbers where the column is numeric, else levels."""
        if self.is_number(name):
            return NumberColumn(self.numbers(name, empty=np.nan))
        return self.levels(name)

    def is_number(self, name: str) -> bool:
        """True for a column of numbers."""
        import pyarrow.types as types

        kind = self._column(name).type
        return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))

    def levels(self, name: str) -> TextColumn:
        """Any column as levels; an empty value is a level of its own."""
        import pyarrow as pa
        import pyarrow.compute as compute

        column = self._column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        text = compute.fill_null(compute.cast(column, pa.string()), MISSING)
        coded = text.dictionary_encode()
        levels = coded.dictionary.to_pylist()
        order = np.argsort(np.array(levels, dtype=object)) if levels else np.zeros(0, dtype=np.int64)
        place = np.empty(len(levels), dtype=np.int64)
        place[order] = np.arange(len(levels))
        codes = place[coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
        return TextColumn(tuple(levels[i] for i in order), codes)

    def codes(self, name: str) -> Codes:
        """Equal numbers for equal values."""
        return self.levels(name).codes

    def days(self, name: str) -> Floats:
        """Moments in days since 1970 (dates, timestamps, ISO 8601 text), or plain numbers as they are."""
        import pyarrow as pa
        import pyarrow.types as types

        column = self._column(name)
        if self.is_number(name):
            return self.numbers(name)
        if types.is_date(column.type) or types.is_timestamp(column.type):
            if column.null_count:
                self._violations.append(Violation(name, f"no time in {column.null_count} rows"))
                return np.zeros(self.rows)
            micros = column.cast(pa.timestamp("us")) if types.is_date(column.type) else column
            plain = micros.cast(pa.timestamp("us", tz=getattr(micros.type, "tz", None))).cast(pa.int64())
            return np.asarray(plain.to_numpy(zero_copy_only=False) / 86_400e6, dtype=np.float64)
        values = self.levels(name)
        moments = [day_of(level) for level in values.levels]
        wrong = [level for level, moment in zip(values.levels, moments, strict=True) if moment is None]
        if wrong:
            text = f"{wrong[0]!r} is no date, time or month such as 2026-03-01, 2026-03-01T00:00:00Z, 2026-03"
            self._violations.append(Violation(name, text))
            return np.zeros(self.rows)
        return np.array(moments, dtype=np.float64)[values.codes]

    def learn_mask(self, name: str) -> Mask:
        """True where the row is to be learned from: true, 1, learn, train; false, 0, test, holdout … for the others."""
        values = self.levels(name)
        sides = [level.lower() in _LEARN for level in values.levels]
        wrong = [level for level in values.levels if level.lower() not in _LEARN | _HELD_OUT]
        if wrong:
            text = f"{wrong[0]!r} is no side of a split; write learn or test, true or false, 1 or 0"
            self._violations.append(Violation(name, text))
        return np.array(sides, dtype=bool)[values.codes]

    def _column(self, name: str) -> Any:
        return self._table[name].combine_chunks()


def day_of(text: str) -> float | None:
    """Days since 1970 of a date, time or month in ISO 8601; None for anything else."""
    try:
        if len(text) == 7:
            moment = datetime.combine(date.fromisoformat(f"{text}-01"), time(), UTC)
        elif len(text) == 10:
            moment = datetime.combine(date.fromisoformat(text), time(), UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() / 86_400


def _kind(column: Any) -> str:
    return str(column.type)


def _read(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.csv as csv
        import pyarrow.parquet as parquet
    except ImportError as missing:
        raise InvalidInput(
            [Violation("file", "reading tables needs the extra `models` (pip install 'sluice[models]')")]
        ) from missing
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            table = parquet.read_table(path)
        else:
            options = csv.ConvertOptions(null_values=_NOTHING, strings_can_be_null=True)
            table = csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as unreadable:
        raise InvalidInput([Violation(str(path), f"is no readable CSV or Parquet table: {unreadable}")]) from unreadable
    if table.num_rows == 0:
        raise InvalidInput([Violation(str(path), "has no rows")])
    doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if doubled:
        raise InvalidInput([Violation(name, "is the name of two columns") for name in doubled])
    return table
