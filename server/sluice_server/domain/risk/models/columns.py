"""The table a model is fitted on, held by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sluice_server.domain.errors import InvalidInput, Violation

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MISSING = "(missing)"
"""The level of a text column's empty values."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Values by their code: row i has ``levels[codes[i]]``."""

    levels: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, values: Sequence[str | None]) -> TextColumn:
        """From plain values; None is the level ``(missing)``."""
        levels, codes = np.unique(np.array([MISSING if v is None else v for v in values]), return_inverse=True)
        return cls(tuple(str(level) for level in levels), codes.astype(np.int64))

    def take(self, rows: npt.NDArray[np.int64] | Mask) -> TextColumn:
        return TextColumn(self.levels, self.codes[rows])


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Numbers; NaN where there is none."""

    values: Floats

    def take(self, rows: npt.NDArray[np.int64] | Mask) -> NumberColumn:
        return NumberColumn(self.values[rows])


Column = TextColumn | NumberColumn


def codes_of(column: Column) -> Codes:
    """Equal numbers for equal values, from 0."""
    if isinstance(column, TextColumn):
        return column.codes
    return np.unique(column.values, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """One row for each policy (or policy period). All columns are equally long."""

    claims: Floats
    """Number of claims."""
    exposure: Floats
    """Policy-years, or whatever the frequency is wanted per; above 0."""
    factors: Mapping[str, Column]
    """What the claims may depend on, by name."""
    amount: Floats | None = None
    """Incurred amount of all claims of the row, for the severity."""
    group: Codes | None = None
    """Rows that are about the same thing (a device, a customer) have the same number."""
    time: Floats | None = None
    """Moment of the row, on any scale; greater is later."""
    reported_share: Floats | None = None
    """Share of the row's claims that can be known by now, by the reporting delay; None where all are."""

    def __len__(self) -> int:
        return len(self.claims)

    def effective_exposure(self) -> Floats:
        """Exposure times the share of its claims that can be known: late claims do not make a row look good."""
        return self.exposure if self.reported_share is None else self.exposure * self.reported_share

    def take(self, rows: npt.NDArray[np.int64] | Mask) -> ModelTable:
        """Only these rows."""

        def part(values: Floats | None) -> Floats | None:
            return None if values is None else values[rows]

        return replace(
            self,
            claims=self.claims[rows],
            exposure=self.exposure[rows],
            factors={name: column.take(rows) for name, column in self.factors.items()},
            amount=part(self.amount),
            group=None if self.group is None else self.group[rows],
            time=part(self.time),
            reported_share=part(self.reported_share),
        )


def check_table(table: ModelTable) -> None:
    """Raises InvalidInput with everything that no model could be fitted on."""
    violations = []

    def wrong(field: str, bad: Mask, what: str) -> None:
        if count := int(bad.sum()):
            first = int(np.argmax(bad)) + 1
            violations.append(Violation(field, f"{what} in {count} rows, first in row {first}"))

    if len(table) == 0:
        violations.append(Violation("table", "has no rows"))
    wrong("claims", ~np.isfinite(table.claims), "no number")
    wrong("claims", table.claims < 0, "negative")
    wrong("claims", np.isfinite(table.claims) & (table.claims != np.floor(table.claims)), "not a whole number")
    wrong("exposure", ~np.isfinite(table.exposure), "no number")
    wrong("exposure", table.exposure <= 0, "not above 0")
    if table.amount is not None:
        wrong("amount", ~np.isfinite(table.amount), "no number")
        wrong("amount", table.amount < 0, "negative")
        wrong("amount", (table.amount > 0) & (table.claims == 0), "an amount without a claim")
    if table.time is not None:
        wrong("time", ~np.isfinite(table.time), "no time")
    if table.reported_share is not None:
        wrong(
            "reported_share", ~((table.reported_share > 0) & (table.reported_share <= 1)), "not above 0 and at most 1"
        )
    if not table.factors:
        violations.append(Violation("factors", "at least one is needed"))
    if not violations and table.claims.sum() <= 0:
        violations.append(Violation("claims", "there is not one claim: no frequency can be fitted"))
    if violations:
        raise InvalidInput(violations)
