"""What must not be on both sides of a split: the same group, or the same record. Runs before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sluice_server.domain.errors import FailedPrecondition
from sluice_server.domain.risk.models.cells import distinct_rows
from sluice_server.domain.risk.models.columns import Codes, Column, Mask, ModelTable, codes_of

MOST_ROWS_OF_A_RECORD = 20
"""A tuple on more rows than this is a rating cell, which is meant to be on both sides; a rarer one tells who it is."""
TOLERATED_SHARE = 0.01
"""Share of the held-out rows that may repeat a learned record, beyond what chance makes equal."""


@dataclass(frozen=True, slots=True)
class LeakageCheck:
    """One comparison of both sides. Shares are of the held-out rows."""

    name: str
    passed: bool
    repeated_rows: int
    repeated_share: float
    chance_share: float
    """What is repeated when every column is shuffled by itself: coarse columns meet again by chance."""
    limit: float
    """The greatest ``repeated_share - chance_share`` that passes."""
    explanation: str


class LeakageFound(FailedPrecondition):
    """The held-out rows are no test: what they ask was learned by heart. Nothing was fitted."""

    reason = "LEAKAGE_FOUND"

    def __init__(self, checks: Sequence[LeakageCheck]) -> None:
        failed = [check for check in checks if not check.passed]
        super().__init__(
            "; ".join(check.explanation for check in failed) + "; split by group, so that equal rows are on one side"
        )
        self.checks = tuple(checks)


def check_leakage(table: ModelTable, learn: Mask, held_out: Mask, seed: int = 1) -> list[LeakageCheck]:
    """Compares the rows of ``held_out`` with those of ``learn``: by group, by their factors, by the whole record."""
    checks = []
    if table.group is not None:
        checks.append(_same_group(table.group, learn, held_out))
    checks.append(_same_tuple("factor_tuples", "factors", _independent(table.factors), learn, held_out, seed))
    record: list[Codes] = [*_independent(table.factors), *_whole_record(table)]
    checks.append(_same_tuple("whole_records", "factors, exposure and claims", record, learn, held_out, seed))
    return checks


def identifying_tuples(table: ModelTable, seed: int = 1) -> Codes | None:
    """A number for each tuple of factors where tuples tell records apart, so that equal ones can be kept together.

    None where the factors are coarse: then equal tuples are different policies of one rating cell.
    """
    half = np.random.default_rng([seed, 2]).random(len(table)) < 0.5
    columns = _independent(table.factors)
    if _same_tuple("factor_tuples", "factors", columns, half, ~half, seed).passed:
        return None
    return distinct_rows(columns)


def _same_group(group: Codes, learn: Mask, held_out: Mask) -> LeakageCheck:
    repeated = np.isin(group[held_out], group[learn])
    count, share = int(repeated.sum()), float(repeated.mean()) if repeated.size else 0.0
    groups = len(np.unique(group[held_out][repeated]))
    text = (
        f"{groups} groups are on both sides ({count} held-out rows, {share:.1%})"
        if count
        else "no group is on both sides"
    )
    return LeakageCheck("groups", count == 0, count, share, 0.0, 0.0, text)


def _same_tuple(name: str, what: str, columns: Sequence[Codes], learn: Mask, held_out: Mask, seed: int) -> LeakageCheck:
    count, rows = _repeated(columns, learn, held_out)
    random = np.random.default_rng([seed, 2])
    by_chance, _ = _repeated([random.permutation(column) for column in columns], learn, held_out)
    share, chance = (count / rows, by_chance / rows) if rows else (0.0, 0.0)
    # Four standard errors of the shuffled count: a small sample must not be refused for its noise.
    limit = TOLERATED_SHARE + (4 * float(np.sqrt(max(chance, 1 / rows) / rows)) if rows else 0.0)
    passed = share - chance <= limit
    text = f"{count} held-out rows ({share:.1%}) repeat the {what} of learned rows, by chance {chance:.1%} would"
    return LeakageCheck(name, passed, count, share, chance, limit, text)


def _repeated(columns: Sequence[Codes], learn: Mask, held_out: Mask) -> tuple[int, int]:
    """How many held-out rows have a rare tuple that is learned too, and how many held-out rows there are."""
    key = np.unique(distinct_rows(columns), return_inverse=True)[1]
    rows = np.bincount(key[learn | held_out])
    learned = np.zeros(len(rows), dtype=bool)
    within = key[learn]
    learned[within[within < len(rows)]] = True
    asked = key[held_out]
    return int((learned[asked] & (rows[asked] <= MOST_ROWS_OF_A_RECORD)).sum()), len(asked)


def _independent(factors: Mapping[str, Column]) -> list[Codes]:
    """The factors' codes without those that another one determines: a device model has one brand.

    Shuffled by themselves those would make tuples that cannot be.
    """
    codes = sorted((codes_of(column) for column in factors.values()), key=lambda c: -len(np.unique(c)))
    kept: list[Codes] = []
    for column in codes:
        if not any(_determines(other, column) for other in kept):
            kept.append(column)
    return kept


def _determines(one: Codes, other: Codes) -> bool:
    return len(np.unique(distinct_rows([one, other]))) == len(np.unique(one))


def _whole_record(table: ModelTable) -> list[npt.NDArray[np.int64]]:
    columns = [table.exposure, table.claims]
    if table.amount is not None:
        columns.append(table.amount)
    if table.time is not None:
        columns.append(table.time)
    return [np.unique(column, return_inverse=True)[1].astype(np.int64) for column in columns]
