"""From what has changed in the input to the partitions of the result tables that it reaches.

Rows are compared and not only files: a day that is delivered again with one refund in it reaches the months of that one
policy. Everything errs on the side of too many partitions, never of too few.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sluice_flink.input_state import InputState, StagedFile
from sluice_flink.inputs import ORDERS, StagedInput
from sluice_flink.result_partitions import Key, Reopened
from sluice_flink.sql_files import source_tables
from sluice_flink.table_files import empty_rows, read_staged

_KEYS = {
    "policies": "policy_id", "claims": "claim_id", "devices": "device_id", "channels": "store_id", "parts": "part_code",
    ORDERS: "application_id",
}  # fmt: skip
_POLICY_COLUMNS = (
    "policy_id", "application_id", "device_id", "store_id", "start_date", "end_date", "cancelled_on", "exposure_years",
)  # fmt: skip
_CLAIM_COLUMNS = ("claim_id", "policy_id", "part_code", "occurred_on", "reported_at")
_ORDER_COLUMNS = ("application_id", "channel_id", "store_id", "decided_at")


@dataclass(frozen=True)
class FileChanges:
    """Files that are not in both inputs, by table."""

    new: Mapping[str, Sequence[StagedFile]]
    old: Mapping[str, Sequence[StagedFile]]

    @property
    def rows(self) -> int:
        """Rows that have to be compared."""
        changed = (*self.new.values(), *self.old.values())
        return sum(file.check.rows for files in changed for file in files)

    def __bool__(self) -> bool:
        return any(self.new.values()) or any(self.old.values())

    def describe(self) -> dict[str, list[str]]:
        """Changed, new and vanished files by table."""
        return {
            table: sorted({file.source for file in (*self.new.get(table, ()), *self.old.get(table, ()))})
            for table in sorted({*self.new, *self.old})
        }


def compare_files(before: InputState, now: StagedInput) -> FileChanges:
    """Files are the same where table and content are, wherever they lie."""
    found: list[dict[str, list[StagedFile]]] = []
    for files, others in ((now.entries, before.files), (before.files, now.entries)):
        left = Counter((file.table, file.digest) for file in others)
        changed: dict[str, list[StagedFile]] = {}
        for file in files:
            if left[file.table, file.digest] > 0:
                left[file.table, file.digest] -= 1
            else:
                changed.setdefault(file.table, []).append(file)
        found.append(changed)
    return FileChanges(*found)


def reopened_by(changes: FileChanges, before: InputState, now: StagedInput, watermark: dt.datetime) -> Reopened:
    """The partitions that these changes and the watermark's moving on reach."""
    return _Search(changes, before, now, watermark).run()


class _Search:
    def __init__(self, changes: FileChanges, before: InputState, now: StagedInput, watermark: dt.datetime) -> None:
        self._now = now
        self._from, self._to = before.watermark.date(), watermark.date()
        self._moved = watermark > before.watermark
        self._changed = {table: _changed_rows(table, changes, before.folder, now.folder) for table in _KEYS}
        self._months: set[dt.date] = set()
        self._development: set[dt.date] = set()
        self._parts: set[str] = _texts(self._keys("parts"))
        self._days: set[dt.date] = set()
        self._funnel: set[dt.date] = set()

    def run(self) -> Reopened:
        if self._to > self._from:
            self._months |= set(_months_between(self._from, self._to - dt.timedelta(days=1)))
        policies, applications = self._policies()
        claimed = self._claims(policies)
        self._orders(applications | self._applications_of(claimed))
        months: frozenset[Key] = frozenset(self._months)
        return Reopened(
            {
                **dict.fromkeys(("channel_month", "device_model_month", "store_month", "product_month"), months),
                "rating_cell": frozenset(month.year for month in self._months),
                "claim_development": frozenset(self._development),
                "repair_shop_month": frozenset(self._parts),
                "repair_shop_fault": frozenset(self._development),
                "insurer_product_day": frozenset(self._days),
                "customer_funnel": frozenset(self._funnel),
            }
        )

    def _policies(self) -> tuple[pa.Array, set[str]]:
        """Ids and applications of the policies that changed, or whose device or store did, or whose past the watermark
        changes: a cancellation has taken effect, exposure that the source states is spread over more days."""
        keys, devices, stores = self._keys("policies"), self._keys("devices"), self._keys("channels")
        ids, applications = [], set()
        for rows in self._rows("policies", _POLICY_COLUMNS):
            reached = _any(
                pc.is_in(rows["policy_id"], keys), pc.is_in(rows["device_id"], devices),
                pc.is_in(rows["store_id"], stores),
            )  # fmt: skip
            if self._moved:
                after = pa.scalar(self._from, pa.date32())
                reached = _any(
                    reached,
                    pc.and_(pc.greater(rows["cancelled_on"], after), pc.less_equal(rows["cancelled_on"], self._to)),
                    pc.and_(pc.is_valid(rows["exposure_years"]), pc.greater(rows["end_date"], after)),
                )
            rows = rows.filter(reached)
            self._open_cover(rows)
            ids.append(rows["policy_id"])
            applications |= _texts(rows["application_id"])
        return _joined(ids), applications

    def _open_cover(self, policies: pa.Table) -> None:
        spans = policies.filter(pc.less(policies["start_date"], self._to)).select(["start_date", "end_date"])
        for start, end in {(row["start_date"], row["end_date"]) for row in spans.to_pylist()}:
            if end is not None and end >= start:
                self._months |= set(_months_between(start, min(end, self._to)))

    def _claims(self, policies: pa.Array) -> pa.Array:
        """The policies of the claims that changed, that are on a changed policy, or that count now because the
        watermark has moved on. Parts of all their claims are reached: which one repeats another may have changed."""
        keys, touched = self._keys("claims"), []
        day = self._from.isoformat()
        for rows in self._rows("claims", _CLAIM_COLUMNS):
            reached = _any(pc.is_in(rows["claim_id"], keys), pc.is_in(rows["policy_id"], policies))
            if self._moved:
                reported = pc.utf8_slice_codeunits(rows["reported_at"], 0, 10)
                occurred = pc.greater_equal(rows["occurred_on"], pa.scalar(self._from, pa.date32()))
                reached = _any(reached, pc.greater_equal(reported, day), occurred)
            rows = rows.filter(reached)
            months = {value.replace(day=1) for value in pc.unique(rows["occurred_on"]).to_pylist() if value is not None}
            self._months |= months
            self._development |= months
            self._parts |= _texts(rows["part_code"])
            touched.append(rows["policy_id"])
        of = _joined(touched)
        if len(of):
            for rows in self._rows("claims", _CLAIM_COLUMNS):
                self._parts |= _texts(rows.filter(pc.is_in(rows["policy_id"], of))["part_code"])
        return of

    def _applications_of(self, policies: pa.Array) -> set[str]:
        if not len(policies) or not any(file.table == ORDERS for file in self._now.entries):
            return set()
        return {
            application
            for rows in self._rows("policies", _POLICY_COLUMNS)
            for application in _texts(rows.filter(pc.is_in(rows["policy_id"], policies))["application_id"])
        }

    def _orders(self, claimed: set[str]) -> None:
        """Days of the orders that changed; months of these, of orders whose policy was claimed on, and of those that
        have their channel from a store that changed."""
        keys, stores = self._keys(ORDERS), self._keys("channels")
        of = pa.array(sorted(claimed), pa.string())
        for rows in self._rows(ORDERS, _ORDER_COLUMNS):
            changed = pc.is_in(rows["application_id"], keys)
            self._days |= _days(rows.filter(changed)["decided_at"])
            by_store = pc.and_(pc.is_null(rows["channel_id"]), pc.is_in(rows["store_id"], stores))
            reached = _any(changed, pc.is_in(rows["application_id"], of), by_store)
            self._funnel |= {day.replace(day=1) for day in _days(rows.filter(reached)["decided_at"])}

    def _keys(self, table: str) -> pa.Array:
        """Keys of the changed rows, old and new."""
        return _joined([rows[_KEYS[table]] for rows in self._changed[table]])

    def _rows(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The changed rows as they were, and all rows as they are."""
        yield from (rows.select(columns) for rows in self._changed[table][1:])
        declared = source_tables()[table]
        for file in self._now.entries:
            if file.table == table:
                yield from read_staged(self._now.folder / file.name, declared, columns)


def _changed_rows(table: str, changes: FileChanges, before: Path, now: Path) -> tuple[pa.Table, pa.Table]:
    """Rows that are new, and rows that are no more or not as they were."""
    new, old = _all_rows(table, changes.new, now), _all_rows(table, changes.old, before)
    new_texts, old_texts = _row_texts(new), _row_texts(old)
    # A row that is there twice is another thing than once: it is rejected.
    repeated = _repeated(new_texts) ^ _repeated(old_texts)
    doubtful = pa.array(sorted({text for text, _ in repeated}), pa.string())
    changed = new.filter(_any(pc.invert(pc.is_in(new_texts, old_texts)), pc.is_in(new_texts, doubtful)))
    gone = old.filter(_any(pc.invert(pc.is_in(old_texts, new_texts)), pc.is_in(old_texts, doubtful)))
    return changed, gone


def _all_rows(table: str, files: Mapping[str, Sequence[StagedFile]], folder: Path) -> pa.Table:
    declared = source_tables()[table]
    read = [rows for file in files.get(table, ()) for rows in read_staged(folder / file.name, declared)]
    return pa.concat_tables([empty_rows(declared), *read]).combine_chunks()


def _row_texts(rows: pa.Table) -> pa.Array:
    """Every row as one text, which tells an empty value from none."""
    columns = [
        pc.fill_null(pc.binary_join_element_wise("=", column.cast(pa.string()), ""), "") for column in rows.columns
    ]
    return _flat(pc.binary_join_element_wise(*columns, "\x1f"))


def _repeated(texts: pa.Array) -> set[tuple[str, int]]:
    """Texts that are there more than once, each with how often."""
    counted = pc.value_counts(texts)
    return {
        (row["values"], row["counts"]) for row in counted.filter(pc.greater(counted.field("counts"), 1)).to_pylist()
    }


def _any(*conditions: pa.Array) -> pa.Array:
    """Rows for which one of the conditions is known to hold."""
    found = pc.fill_null(conditions[0], False)
    for condition in conditions[1:]:
        found = pc.or_(found, pc.fill_null(condition, False))
    return found


def _joined(arrays: Iterable[pa.Array]) -> pa.Array:
    """Different values of all arrays of texts, without NULL."""
    parts = [_flat(array) for array in arrays]
    return pc.drop_null(pc.unique(pa.concat_arrays([pa.array([], pa.string()), *parts])))


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _texts(values: pa.Array) -> set[str]:
    return {text for text in pc.unique(values).to_pylist() if text is not None}


def _days(instants: pa.Array) -> set[dt.date]:
    """Days of RFC 3339 instants in UTC; what is none belongs to a rejected row."""
    found = set()
    for text in _texts(pc.utf8_slice_codeunits(instants, 0, 10)):
        try:
            found.add(dt.date.fromisoformat(text))
        except ValueError:
            continue
    return found


def _months_between(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """First days of the months from that of `first` to that of `last`."""
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield dt.date(number // 12, number % 12 + 1, 1)
