"""The rating cells of a data version as a table that models are fitted on and validated against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.cells import distinct_rows, rating_cells
from sluice_server.domain.risk.models.columns import Codes, Column, Floats, Mask, ModelTable, NumberColumn, TextColumn
from sluice_server.domain.risk.ratings.late_claims import MonthDevelopment, read_development
from sluice_server.domain.risk.ratings.portfolio_mix import MIX_COLUMNS, MIX_TABLE
from sluice_server.domain.risk.result_rows import Kind, ResultRows, ResultRowsReader

TABLE = "rating_cell"
TEXT_FACTORS = ("product_code", "product_line", "category", "brand", "tier", "region")
FACTORS = (*TEXT_FACTORS, "term_months")
"""What rating cells tell policies apart by."""
_COLUMNS: Mapping[str, Kind] = {
    **dict.fromkeys(TEXT_FACTORS, str),
    **dict.fromkeys(("term_months", "cover_year", "policies", "claims", "denied", "incurred_minor"), int),
    "exposure_years": float,
    "incurred_squared": float,
}
_PREMIUM_KEYS = ("product_code", "category", "region", "tier")


@dataclass(frozen=True, slots=True)
class PortfolioTable:
    """One row for each rating cell and year with exposure. Amounts in minor units."""

    table: ModelTable
    """Claims that were not denied; the group is the cell by these factors, the time the year of cover."""
    premium: Floats
    """Earned, at the mean premium of a policy-year of the same product, device category, region and tier."""
    policies: Floats
    """With a day at risk in the year."""
    incurred_squared: Floats
    stamp: DataStamp
    development: MonthDevelopment | None

    def take(self, rows: Mask) -> PortfolioTable:
        """Only these rows."""
        return PortfolioTable(
            self.table.take(rows),
            self.premium[rows],
            self.policies[rows],
            self.incurred_squared[rows],
            self.stamp,
            self.development,
        )


async def read_portfolio(reader: ResultRowsReader, factors: Sequence[str], data_version: int | None) -> PortfolioTable:
    """The portfolio of a data version by these factors. Raises InvalidInput for a factor that cells do not have or a
    store without cells, DataVersionNotFound, Unavailable."""
    unknown = [name for name in factors if name not in FACTORS]
    if unknown:
        text = f"no factor of the rating cells; there are: {', '.join(FACTORS)}"
        raise InvalidInput([Violation(f"factor {name}", text) for name in unknown])
    rows = await reader.rows(TABLE, _COLUMNS, data_version)
    if rows is None or not len(rows):
        raise InvalidInput([Violation("data_version", "has no rating cells: run the Flink job of this version")])
    version = rows.stamp.data_version
    development = await read_development(reader, version)
    months = await reader.rows("channel_month", {"month": date, "exposure_years": float}, version)
    mix = await reader.rows(MIX_TABLE, MIX_COLUMNS, version)
    exposure, year = rows.numbers("exposure_years"), rows.numbers("cover_year")
    columns: dict[str, Column] = {
        name: NumberColumn(rows.numbers(name)) if name == "term_months" else rows.texts(name) for name in factors
    }
    codes = [_codes(column) for column in columns.values()]
    # Cells that these factors do not tell apart are one: else a row that is held out would repeat a learned one.
    cells = rating_cells([*codes, year])
    first = cells.first_row
    shares = _shares(year, months, development)
    table = ModelTable(
        claims=cells.total(rows.numbers("claims") - rows.numbers("denied")),
        exposure=cells.total(exposure),
        factors={name: column.take(first) for name, column in columns.items()},
        amount=cells.total(rows.numbers("incurred_minor")),
        group=distinct_rows(codes)[first],
        time=year[first],
        reported_share=None if shares is None else shares[first],
    )
    found = PortfolioTable(
        table,
        cells.total(_premium(rows, mix, exposure)),
        cells.total(rows.numbers("policies")),
        cells.total(rows.numbers("incurred_squared")),
        rows.stamp,
        development,
    )
    # A claim of a policy without a day at risk has no frequency.
    return found.take(table.exposure > 0)


def _shares(year: Floats, months: ResultRows | None, development: MonthDevelopment | None) -> Floats | None:
    """Share of each row's claims that can be known: the mean over the months of its year, by their exposure."""
    if development is None or months is None or not len(months):
        return None
    month, exposure = months.months("month"), months.numbers("exposure_years")
    shares = development.reported_share(month)
    by_year: dict[int, float] = {}
    for one in np.unique(month // 12):
        inside = (month // 12 == one) & (exposure > 0)
        if inside.any():
            by_year[int(one)] = float(np.average(shares[inside], weights=exposure[inside]))
    return np.array([by_year.get(int(one), 1.0) for one in year])


def _premium(rows: ResultRows, mix: ResultRows | None, exposure: Floats) -> Floats:
    """Rating cells have no premium of their own; nothing where the data version does not tell the mix."""
    if mix is None or not len(mix):
        return np.zeros(len(exposure))
    keys = [list(zip(*(source.columns[name] for name in _PREMIUM_KEYS), strict=True)) for source in (mix, rows)]
    sums: dict[tuple[object, ...], list[float]] = {}
    for key, premium, years in zip(
        keys[0], mix.numbers("earned_premium_minor"), mix.numbers("exposure_years"), strict=True
    ):
        total = sums.setdefault(key, [0.0, 0.0])
        total[0] += premium
        total[1] += years
    rates = {key: premium / years for key, (premium, years) in sums.items() if years > 0}
    return exposure * np.array([rates.get(key, 0.0) for key in keys[1]], dtype=np.float64)


def _codes(column: Column) -> Codes | Floats:
    return column.codes if isinstance(column, TextColumn) else column.values
